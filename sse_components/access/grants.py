"""Signed grants: the only way for a page to name the channels that it follows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from ..checks import check_positive
from ..errors import GrantError
from ..events.log import Cursor
from ..events.wire import check_channel
from ..protocol import CURSOR_SEPARATOR
from .identity import Principal
from .revocations import Clock, Revocations

SALT = "sse_components.grant"
GRANT_SECONDS = 3_600.0
REASONS = {
    "forged": "the grant was not signed by this application: reload the page",
    "foreign": "the grant belongs to another user or browser: reload the page",
    "revoked": "the grant has been revoked",
    "expired": "the grant has expired: reload the page",
    "forbidden": "the application does not allow access to this channel",
}


class Grant(NamedTuple):
    """Permission to follow channels, from a cursor on.

    Attributes:
        channels: the channels.
        cursor: where to begin.
        binding: of the principal who may use it; with an empty one, anybody may.
        issued: when it was issued, in seconds since the epoch.
        serial: identifies the grant; a renewed grant keeps its serial.
    """

    channels: frozenset[str]
    cursor: Cursor | None
    binding: str = ""
    issued: float = 0.0
    serial: str = ""


class Grants:
    """Signs and reads grants.

    Args:
        secret_key: the application's key.
        max_age: seconds for which a grant is valid.
        revocations: the grants that are no longer valid; by default, there are none.
        clock: seconds since the epoch.

    Raises:
        GrantError: if the key is empty.
        ValueError: if `max_age` is not above 0, or revocations are forgotten before grants expire.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        max_age: float = GRANT_SECONDS,
        revocations: Revocations | None = None,
        clock: Clock = time.time,
    ) -> None:
        if not secret_key:
            raise GrantError("grants need the application's secret key: give setup_sse(..., secret_key=...)")
        check_positive(max_age=max_age)
        self.max_age, self.clock = max_age, clock
        self.revocations = Revocations(max_age, clock) if revocations is None else revocations
        if self.revocations.keep < max_age:
            raise ValueError(f"revocations must be kept for {max_age:g} s, as long as grants are valid")
        self._serializer = URLSafeSerializer(secret_key, salt=SALT)

    def sign(self, channels: Iterable[str], cursor: Cursor, principal: Principal = Principal()) -> str:  # noqa: B008 - it never changes
        """Return a grant for `channels`, as text that a URL can carry.

        Args:
            channels: the channels.
            cursor: where to begin.
            principal: who may use it: the user, or else the browser; without either, anybody may.

        Raises:
            ChannelError: if a channel's name is not allowed.
            GrantError: without channels.
        """
        names = frozenset(check_channel(name) for name in channels)
        if not names:
            raise GrantError("a grant needs at least one channel")
        return self._signed(Grant(names, cursor, principal.binding, round(self.clock(), 6), secrets.token_urlsafe(6)))

    def renew(self, grant: Grant) -> tuple[str, Grant]:
        """Return a renewed grant, as text and as a `Grant`; its validity begins now."""
        renewed = grant._replace(issued=round(self.clock(), 6))
        return self._signed(renewed), renewed

    def expires_at(self, grant: Grant) -> float:
        """Return when a grant expires, in seconds since the epoch."""
        return grant.issued + self.max_age

    def read(self, text: str, principal: Principal = Principal()) -> Grant:  # noqa: B008 - it never changes
        """Return the grant that `<grant>` or `<grant>~<cursor>` stands for; this cursor replaces the one inside.

        Args:
            text: from the request.
            principal: who sends the request.

        Raises:
            GrantError: if this application has not signed the grant for this principal, or it is no longer valid.
        """
        token, _, later = text.partition(CURSOR_SEPARATOR)
        try:
            names, cursor, *rest = self._serializer.loads(token)
        except BadData as error:
            raise grant_error("forged") from error
        grant = Grant(frozenset(names), Cursor.parse(later or cursor), *rest)
        if reason := self._reason(grant, principal):
            raise grant_error(reason, grant.channels)
        return grant

    def is_revoked(self, grant: Grant, principal: Principal) -> bool:
        """Tell whether a grant has been revoked since it was issued."""
        return self.revocations.covers(principal, grant.channels, grant.issued, grant.serial)

    def _reason(self, grant: Grant, principal: Principal) -> str | None:
        if not principal.owns(grant.binding):
            return "foreign"
        if self.is_revoked(grant, principal):
            return "revoked"
        return "expired" if self.expires_at(grant) <= self.clock() else None

    def _signed(self, grant: Grant) -> str:
        names, cursor, *rest = grant
        return str(self._serializer.dumps([sorted(names), str(cursor), *rest]))


def grant_error(reason: str, channels: frozenset[str] = frozenset()) -> GrantError:
    """Return the error of a refused grant."""
    return GrantError(REASONS[reason], reason, channels)
