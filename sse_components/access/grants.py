"""Signed channel grants: the only way in which a page names the channels that it follows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from ..errors import GrantError
from ..events.log import Cursor
from ..events.wire import check_channel
from ..protocol import CURSOR_SEPARATOR
from .identity import Who
from .revocations import Clock, Revocations

SALT = "sse_components.grant"
GRANT_SECONDS = 3_600.0
REFUSALS = {
    "forged": "the grant is not one of this application's: reload the page",
    "foreign": "the grant is not this user's or session's: reload the page",
    "revoked": "the grant has been revoked",
    "expired": "the grant has run out: reload the page",
    "forbidden": "the application does not allow it",
}


class Grant(NamedTuple):
    """Leave to follow some channels, from a cursor on.

    Attributes:
        channels: what it is for.
        cursor: where to begin.
        bound: the mark of whom it is for; without one it is for whoever has it.
        issued: when, in seconds since the epoch.
        serial: what tells it from others; a renewed one keeps it.
    """

    channels: frozenset[str]
    cursor: Cursor | None
    bound: str = ""
    issued: float = 0.0
    serial: str = ""


class Grants:
    """Signs and reads grants.

    Args:
        secret_key: the application's key.
        max_age: seconds that a grant is valid.
        revoked: what has been revoked.
        clock: seconds since the epoch.

    Raises:
        GrantError: if the key is empty.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        max_age: float = GRANT_SECONDS,
        revoked: Revocations | None = None,
        clock: Clock = time.time,
    ) -> None:
        if not secret_key:
            raise GrantError("grants need the application's secret key: give setup_sse(..., secret_key=...)")
        if not max_age > 0:
            raise ValueError(f"grants are valid for more than 0 seconds, not {max_age!r}")
        self.max_age, self.clock = max_age, clock
        self.revoked = Revocations(clock=clock) if revoked is None else revoked
        self.revoked.keep = max(self.revoked.keep, max_age)
        self._serializer = URLSafeSerializer(secret_key, salt=SALT)

    def sign(self, channels: Iterable[str], cursor: Cursor, who: Who = Who()) -> str:  # noqa: B008 - it never changes
        """Return a grant for `channels` as text for a URL.

        Args:
            channels: what it is for.
            cursor: where to begin.
            who: for whom alone it is: the user, or else the session; without either, whoever has it.

        Raises:
            ChannelError: if a channel's name is not allowed.
            GrantError: without channels.
        """
        names = frozenset(check_channel(name) for name in channels)
        if not names:
            raise GrantError("a grant needs at least one channel")
        return self._signed(Grant(names, cursor, who.mark, round(self.clock(), 6), secrets.token_urlsafe(6)))

    def renew(self, grant: Grant) -> tuple[str, Grant]:
        """Return a grant anew, as text and as what it says, valid from now on."""
        renewed = grant._replace(issued=round(self.clock(), 6))
        return self._signed(renewed), renewed

    def expires(self, grant: Grant) -> float:
        """Return when a grant runs out, in seconds since the epoch."""
        return grant.issued + self.max_age

    def read(self, text: str, who: Who = Who()) -> Grant:  # noqa: B008 - it never changes
        """Return what `<grant>` or `<grant>~<cursor>` allows; a cursor behind it replaces the one inside.

        Args:
            text: what the request has brought.
            who: whose the request is.

        Raises:
            GrantError: if the grant is not one that this application has signed for them, or is no longer valid.
        """
        token, _, later = text.partition(CURSOR_SEPARATOR)
        try:
            names, cursor, *rest = self._serializer.loads(token)
        except BadData as error:
            raise refusal("forged") from error
        grant = Grant(frozenset(names), Cursor.parse(later or cursor), *rest)
        if reason := self._reason(grant, who):
            raise refusal(reason, grant.channels)
        return grant

    def is_revoked(self, grant: Grant, who: Who) -> bool:
        """Tell whether a grant has been revoked since it was issued."""
        return self.revoked.hit(who, grant.channels, grant.issued, grant.serial)

    def _reason(self, grant: Grant, who: Who) -> str | None:
        if not who.owns(grant.bound):
            return "foreign"
        if self.is_revoked(grant, who):
            return "revoked"
        return "expired" if self.expires(grant) <= self.clock() else None

    def _signed(self, grant: Grant) -> str:
        names, cursor, *rest = grant
        return str(self._serializer.dumps([sorted(names), str(cursor), *rest]))


def refusal(reason: str, channels: frozenset[str] = frozenset()) -> GrantError:
    """Return the error of a refused grant."""
    return GrantError(REFUSALS[reason], reason, channels)
