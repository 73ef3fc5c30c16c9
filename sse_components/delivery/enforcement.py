"""The door of a manager's streams: how many come in, and who has to go."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import WeakSet

from ..access.identity import Who
from ..access.limits import Limits, full
from ..access.revocations import Revocations
from ..access.subscriber import Held
from ..events.wire import encode
from ..protocol import BROADCAST_CHANNEL, DENIED_EVENT
from .connection import SSEConnection
from .feed import StreamConnection
from .registry import ConnectionRegistry

# Seconds that a stream has to take its end; then it is cut.
GRACE = 0.75

# Seconds between two looks for grants that have run out, at least.
SWEEP_SECONDS = 1.0


class Whom(NamedTuple):
    """Which connections are meant: those to which all that is given here applies."""

    user: str | None = None
    session: str | None = None
    connection: str | None = None
    channel: str | None = None

    def means(self, connection: SSEConnection) -> bool:
        """Tell whether a connection is one of them."""
        stream = connection if isinstance(connection, StreamConnection) else None
        user, session = stream.visitor.who if stream and stream.visitor else Who()
        return (
            self.user in (None, user)
            and self.session in (None, session)
            and (self.channel is None or (stream is not None and self.channel in stream.feed.channels))
        )


class Door:
    """Counts who comes in, and sends away whose leave has ended.

    Args:
        registry: where the connections stand.
        limits: how many there may be.
    """

    def __init__(self, registry: ConnectionRegistry, limits: Limits) -> None:
        self.registry, self.limits = registry, limits
        self.revoked, self.sent_away = Revocations(), Revocations()
        self._coming: WeakSet[StreamConnection] = WeakSet()
        self._inside: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ coming and going

    def check_room(self, client: str) -> None:
        """Let a client pass if there is room for one more of its connections.

        Raises:
            Refused: 503 or 429, if there is none.
        """
        coming = [one.visitor.client for one in self._coming if one.visitor]
        if len(self.registry) + len(coming) >= self.limits.connections:
            raise full(503, "the server has as many connections as it takes")
        if self._inside[client] + coming.count(client) >= self.limits.connections_per_client:
            raise full(429, "too many connections from one client")

    def expect(self, connection: StreamConnection) -> None:
        """Count a connection that is about to come in, as long as anything refers to it."""
        self._coming.add(connection)

    def enter(self, connection: StreamConnection) -> None:
        """Count a connection that has come in, unless its leave has ended on the way."""
        self._coming.discard(connection)
        visitor = connection.visitor
        if visitor is None:
            return
        self._inside[visitor.client] += 1
        revoked = any(
            self.revoked.hit(visitor.who, grant.channels, grant.issued, grant.serial) for grant, _ in visitor.held
        )
        if revoked or self.sent_away.hit(visitor.who, connection.feed.channels, visitor.asked):
            # It has not begun to send. Its client comes back, and is told what has changed meanwhile.
            connection.backlog = []
            connection.fanout.end(connection)
        self.sweep_by(visitor.expires)

    def leave(self, connection: StreamConnection) -> None:
        """Count a connection no longer."""
        if connection.visitor is not None:
            client = connection.visitor.client
            self._inside[client] -= 1
            if not self._inside[client]:
                del self._inside[client]

    def close(self) -> None:
        """Look at nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------------ sending away

    def revoke(self, whom: Whom) -> int:
        """Take back what was granted until now, end the streams that run by it, and return how many."""
        found = self._found(whom)
        if whom.connection is None:
            self.revoked.add(user=whom.user, session=whom.session, channel=whom.channel)
        else:
            self._revoke_grants(found, whom.channel)
        self._end(found, lambda one: denied_frame("revoked", [whom.channel] if whom.channel else channels_of(one)))
        return len(found)

    def disconnect(self, whom: Whom) -> int:
        """End streams so that their clients come back at once and are looked at anew; return how many."""
        found = self._found(whom)
        if whom.connection is None:
            self.sent_away.keep = self.revoked.keep
            self.sent_away.add(user=whom.user, session=whom.session, channel=whom.channel)
        self._end(found, lambda one: b"")
        return len(found)

    def _revoke_grants(self, connections: list[SSEConnection], channel: str | None) -> None:
        for grant, _ in (held for one in connections for held in grants_of(one)):
            if channel is None or channel in grant.channels:
                self.revoked.add(serial=grant.serial)

    def _end(self, connections: list[SSEConnection], frames: Callable[[SSEConnection], bytes]) -> None:
        """End connections, each after what was published until now and a frame of its own."""
        for one in connections:
            if isinstance(one, StreamConnection):
                one.fanout.end(one, frames(one))
            else:
                self.registry.remove(one)
        if connections:
            asyncio.get_running_loop().call_later(GRACE, cut_all, connections)

    def _found(self, whom: Whom) -> list[SSEConnection]:
        if whom.connection is not None:
            named = self.registry.get_connection(whom.connection)
            return [named] if named is not None and whom.means(named) else []
        return [one for one in self.registry.get_connections() if whom.means(one)]

    # ------------------------------------------------------------------ grants that run out

    def sweep_by(self, when: float) -> None:
        """Look for grants that have run out at a moment, in seconds since the epoch, at the latest."""
        if when == math.inf:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + when - time.time()
        if self._timer is not None and self._timer.when() <= due:
            return
        self.close()
        self._timer = loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        present, upcoming = time.time(), math.inf
        ended: dict[SSEConnection, list[str]] = {}
        for one in self.registry.get_connections():
            if not isinstance(one, StreamConnection) or one.visitor is None or one.last is not None:
                continue
            if one.visitor.expires <= present:
                ended[one] = one.visitor.run_out(present)
            else:
                upcoming = min(upcoming, one.visitor.expires)
        self._end(list(ended), lambda one: denied_frame("expired", ended[one]))
        if upcoming < math.inf:
            self.sweep_by(max(upcoming, present + SWEEP_SECONDS))


def cut_all(connections: Iterable[SSEConnection]) -> None:
    """Cut those streams that have not come to their end: their readers do not read."""
    for one in connections:
        if isinstance(one, StreamConnection):
            one.fanout.cut(one)


def grants_of(connection: SSEConnection) -> tuple[Held, ...]:
    """Return the grants by which a connection is there."""
    visitor = connection.visitor if isinstance(connection, StreamConnection) else None
    return visitor.held if visitor else ()


def channels_of(connection: SSEConnection) -> list[str]:
    """Return the channels that a connection follows, but for the broadcasts that all get."""
    followed = connection.feed.channels if isinstance(connection, StreamConnection) else frozenset()
    return [name for name in followed if name != BROADCAST_CHANNEL]


def denied_frame(reason: str, channels: Iterable[str]) -> bytes:
    """Return the frame that tells why a stream ends, and of which channels."""
    return denials([{"channels": sorted(channels), "reason": reason}])


def denials(denied: list[dict[str, Any]]) -> bytes:
    """Return the frame that tells what is denied, and why."""
    return encode(json.dumps({"denied": denied}), event=DENIED_EVENT)
