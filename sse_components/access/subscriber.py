"""Who is at the other end of a stream, and by which grants it follows what it follows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .grants import Grant
from .identity import Who, who_is


class Held(NamedTuple):
    """A grant by which a stream runs.

    Attributes:
        grant: what it says.
        expires: when it runs out, in seconds since the epoch.
    """

    grant: Grant
    expires: float


class Visitor:
    """Who opened a stream, and by which grants.

    Attributes:
        who: whose the request was.
        client: whom its connections are counted for: the session, or else the user, or else the address.
        asked: when its leave was looked into, in seconds since the epoch.
        held: its grants; without any, its stream is not bound to one.
        expires: when the first of its channels runs out, in seconds since the epoch.
    """

    __slots__ = ("asked", "client", "expires", "held", "who")

    def __init__(self, scope: Mapping[str, Any], asked: float) -> None:
        self.who = who_is(scope)
        self.client = client_of(self.who, scope.get("client"))
        self.asked = asked
        self.held: tuple[Held, ...] = ()
        self.expires = math.inf

    def hold(self, grants: Iterable[Held]) -> None:
        """Take the place of all grants so far."""
        self.held = tuple(grants)
        self.expires = min(self._ends().values(), default=math.inf)

    def renew(self, renewed: Iterable[Held]) -> None:
        """Let grants take the place of those that they renew; others add nothing."""
        anew = {one.grant.serial: one for one in renewed}
        self.hold(anew.get(one.grant.serial, one) for one in self.held)

    def run_out(self, present: float) -> list[str]:
        """Return the channels for which no grant is valid any more."""
        return sorted(channel for channel, end in self._ends().items() if end <= present)

    def _ends(self) -> dict[str, float]:
        ends: dict[str, float] = {}
        for grant, expires in self.held:
            for channel in grant.channels:
                ends[channel] = max(ends.get(channel, 0.0), expires)
        return ends


def client_of(who: Who, address: Any) -> str:
    """Return whom connections are counted for."""
    if who.session is not None:
        return f"session {who.session}"
    return f"address {address[0] if address else ''}" if who.user is None else f"user {who.user}"
