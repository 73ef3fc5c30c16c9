"""Signed grants: the only way for a page to name the channels that it follows."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import NamedTuple

from itsdangerous import Signer

from ..checks import check_positive
from ..errors import GrantError
from ..events.log import Cursor
from ..events.wire import check_channel
from ..protocol import CURSOR_SEPARATOR
from .clock import Clock, steady
from .identity import Principal
from .revocations import RevocationLog, Revocations

SALT = "sse_components.grant"
GRANT_SECONDS = 3_600.0
# Characters of a grant that hint at its owner, so that another's grant is told from a forged one; and of its signature.
HINT, SIGNATURE = 5, 16
# What a channel's name may have, and what stands for it in a grant.
OTHERS, ESCAPES = re.compile(r"[^A-Za-z0-9]+"), re.compile(r"(?:_[0-9A-F]{2})+")
REASONS = {
    "forged": "the grant was not signed by this application: reload the page",
    "foreign": "the grant belongs to another user or session: reload the page",
    "cookie": "the request has no cookie, and the grant belongs to a browser: reload the page, and allow cookies",
    "revoked": "the grant has been revoked",
    "expired": "the grant has expired: reload the page",
    "forbidden": "the application does not allow access to this channel",
    "failed": "the application could not tell whether it allows access to this channel",
    "limit": "a connection may not follow so many channels",
}


class Grant(NamedTuple):
    """Permission to follow channels, from a cursor on.

    Attributes:
        channels: the channels.
        cursor: where to begin; in a stream never before the cursor that was signed.
        binding: of the principal who may use it; with an empty one, anybody may.
        issued: when it was issued, in seconds since the epoch.
        serial: identifies the grant; a renewed grant keeps its serial.
        order: the number of revocations when it was issued.
        via: a channel; the grant is for those only who may follow that channel, too. None if it is for its owner.
    """

    channels: frozenset[str]
    cursor: Cursor | None
    binding: str = ""
    issued: float = 0.0
    serial: str = ""
    order: int = 0
    via: str | None = None


class Grants:
    """Signs and reads grants.

    The text of a grant is `<channels>.<cursor>.<order>.<issued>.<serial>.<owner>.<signature>`. It is short, because
    each live element of a page has one: of its owner it has a few characters of a hash, but all of that is signed.

    Args:
        secret_key: the application's key.
        max_age: seconds for which a grant is valid.
        revocations: the grants that are no longer valid; by default, there are none.
        epoch: returns the epoch of the log. If revocations are lost with it, so are the grants of other epochs; by
            default, grants of all epochs are valid.
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
        revocations: RevocationLog | None = None,
        epoch: Callable[[], str] | None = None,
        clock: Clock = steady,
    ) -> None:
        if not secret_key:
            raise GrantError("grants need the application's secret key: give setup_sse(..., secret_key=...)")
        check_positive(max_age=max_age)
        self.max_age, self.clock = max_age, clock
        self.revocations: RevocationLog = Revocations(max_age, clock) if revocations is None else revocations
        if self.revocations.keep < max_age:
            raise ValueError(f"revocations must be kept for {max_age:g} s, as long as grants are valid")
        self._epoch = epoch
        signer = Signer(secret_key, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._key = signer.derive_key()

    def sign(
        self,
        channels: Iterable[str],
        cursor: Cursor,
        principal: Principal = Principal(),  # noqa: B008 - it never changes
        *,
        place: str = "",
        via: str | None = None,
    ) -> str:
        """Return a grant for `channels`, as text that a URL can carry.

        Args:
            channels: the channels.
            cursor: where to begin.
            principal: who may use it: the user, or else the browser; without either, anybody may.
            place: path of the kit's routes in the application: the grant is valid there only.
            via: a channel, if the grant is for everybody who may follow that channel, and not for `principal`.

        Raises:
            ChannelError: if a channel's name is not allowed.
            GrantError: without channels.
        """
        names = frozenset(check_channel(name) for name in channels)
        if not names:
            raise GrantError("a grant needs at least one channel")
        binding = principal.binding if via is None else ""
        serial = secrets.token_urlsafe(6)
        return self._signed(Grant(names, cursor, binding, self._now(), serial, self.revocations.order, via), place)

    def renew(self, grant: Grant, *, place: str = "") -> tuple[str, Grant]:
        """Return a renewed grant, as text and as a `Grant`; its validity begins now.

        Args:
            grant: as `read` has returned it for a text without a position.
            place: as `sign` has it.
        """
        renewed = grant._replace(issued=self._now(), order=self.revocations.order)
        return self._signed(renewed, place), renewed

    def expires_at(self, grant: Grant) -> float:
        """Return when a grant expires, in seconds since the epoch."""
        return grant.issued + self.max_age

    def read(self, text: str, principal: Principal = Principal(), *, place: str = "") -> Grant:  # noqa: B008 - it never changes
        """Return the grant that `<grant>` or `<grant>~<cursor>` stands for, with this cursor, if it is a later one.

        Args:
            text: from the request.
            principal: who sends the request.
            place: as `sign` has it.

        Raises:
            GrantError: if this application has not signed the grant for this principal, or it is no longer valid.
        """
        token, _, later = text.partition(CURSOR_SEPARATOR)
        body, _, signature = token.rpartition(".")
        grant = parsed(body, principal)
        if not hmac.compare_digest(signature.encode(), self._signature(body, grant.binding, place).encode()):
            raise grant_error("forged")
        if reason := self._reason(grant, principal):
            raise grant_error(reason, grant.channels)
        return grant._replace(cursor=not_before(grant.cursor, later)) if later else grant

    def is_revoked(self, grant: Grant, principal: Principal) -> bool:
        """Tell whether a grant has been revoked since it was issued."""
        return self.revocations.covers(principal, grant.channels, grant.order, grant.serial)

    def _now(self) -> float:
        return round(self.clock(), 3)

    def _reason(self, grant: Grant, principal: Principal) -> str | None:
        if self.is_revoked(grant, principal):
            return "revoked"
        if self._epoch is not None and grant.cursor is not None and grant.cursor.epoch != self._epoch():
            return "expired"
        return "expired" if self.expires_at(grant) <= self.clock() else None

    def _signed(self, grant: Grant, place: str) -> str:
        body = ".".join(
            [
                channels_text(grant),
                str(grant.cursor),
                str(grant.order),
                f"{round(grant.issued * 1000):x}",
                grant.serial,
                grant.binding[:HINT],
            ]
        )
        return f"{body}.{self._signature(body, grant.binding, place)}"

    def _signature(self, body: str, binding: str, place: str) -> str:
        signed = "\0".join([body, binding, place]).encode(errors="backslashreplace")
        return urlsafe_b64encode(hmac.digest(self._key, signed, "sha256")).decode()[:SIGNATURE]


def parsed(body: str, principal: Principal) -> Grant:
    """Return the grant of a text whose signature has not been checked yet.

    Raises:
        GrantError: if it is no grant, or seems to be another principal's.
    """
    names, _, rest = body.partition(".")
    try:
        cursor, order, issued, serial, hint = rest.rsplit(".", 4)
        numbers = int(issued, 16) / 1000, serial, int(order)
    except ValueError:
        raise grant_error("forged") from None
    via, limited, listed = names.rpartition("--")
    known = frozenset(map(unquoted, listed.split("-")))
    bindings = [binding for binding in principal.bindings if binding[:HINT] == hint]
    if not bindings:
        raise grant_error("foreign", known)
    return Grant(known, Cursor.parse(cursor), bindings[0], *numbers, unquoted(via) if limited else None)


def channels_text(grant: Grant) -> str:
    """Return the channels of a grant, after the one that it is limited to, as text without dots."""
    names = "-".join(map(quoted, sorted(grant.channels)))
    return names if grant.via is None else f"{quoted(grant.via)}--{names}"


def quoted(name: str) -> str:
    """Return a channel's name as letters, digits and underscores, which no URL has to escape."""
    return OTHERS.sub(lambda found: f"_{found[0].encode().hex('_').upper()}", name)


def unquoted(text: str) -> str:
    """Return the name that `quoted` has made text of."""
    return ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("_", "")).decode(errors="replace"), text)


def not_before(floor: Cursor | None, later: str) -> Cursor | None:
    """Return the position that a client names, but none before the cursor that was signed; None for an unknown one."""
    named = Cursor.parse(later)
    if named is not None and floor is not None and named.epoch == floor.epoch:
        return max(named, floor, key=lambda cursor: cursor.sequence)
    return named


def grant_error(reason: str, channels: frozenset[str] = frozenset()) -> GrantError:
    """Return the error of a refused grant."""
    return GrantError(REASONS[reason], reason, channels)
