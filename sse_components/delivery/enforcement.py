"""Closes streams whose grants expired or were revoked."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from ..access.clock import steady
from ..access.revocations import RevocationLog, Revocations
from ..access.selector import Selector
from ..events.wire import encode
from ..protocol import DENIED_EVENT
from .browsers import Browsers, principal_of
from .connection import Connection
from .registry import ConnectionRegistry

# Seconds that a stream has to take its last frame; then it is cut.
GRACE = 0.75
# Seconds between two searches for expired grants, at least.
SWEEP_SECONDS = 1.0


class Enforcement:
    """Ends connections that may no longer follow their channels.

    Args:
        registry: the connections.
        revocations: what was revoked; `revoke` adds to it.
        disconnections: what was disconnected; `disconnect` adds to it.
    """

    def __init__(self, registry: ConnectionRegistry, revocations: RevocationLog, disconnections: Revocations) -> None:
        self._registry, self._revocations, self._disconnections = registry, revocations, disconnections
        self._timer: asyncio.TimerHandle | None = None
        self._watched: dict[Connection, None] = {}
        self._browsers = Browsers()

    def watch(self, connection: Connection) -> None:
        """Watch over a stream that is not in the registry, as over all that are."""
        self._watched[connection] = None
        self._end_outdated(connection)

    def watch_no_longer(self, connection: Connection) -> None:
        """Leave a stream alone, because it ends."""
        del self._watched[connection]
        self.leave(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a stream that has ended."""
        self._browsers.remove(connection)

    def admit(self, connection: Connection) -> bool:
        """Watch over a connection that opens; end it if its grants were revoked since they were checked.

        It ends those streams of its browser that belong to a user who is no longer signed in there.

        Returns:
            Whether it may go on.
        """
        subscriber = connection.subscriber
        if subscriber is None:
            return True
        self.sweep_by(subscriber.expires_at)
        self._end_outdated(connection)
        present = subscriber.principal, connection.channels, subscriber.decided_at
        return not (self._is_revoked(connection) or self._disconnections.covers(*present))

    def _is_revoked(self, connection: Connection) -> bool:
        revocations, subscriber = self._revocations, connection.subscriber
        if subscriber is None:
            return revocations.covers_stream(principal_of(connection), connection.channels, connection.made_after)
        principal = subscriber.principal
        if not subscriber.grants:
            return revocations.covers_stream(principal, connection.channels, subscriber.decided_at)
        return any(
            revocations.covers(principal, grant.channels, grant.order, grant.serial) for grant, _ in subscriber.grants
        )

    def revoke(self, selector: Selector) -> int:
        """Revoke the grants that were issued until now, end the connections that use them, and count these."""
        found = self._find(selector)
        if selector.connection is None:
            self._add(self._revocations, selector)
        else:
            self._revoke_grants(found, selector)
        named = selector.channels
        self._end(found, lambda connection: denied_frame("revoked", named & connection.channels or connection.channels))
        return len(found)

    def end_revoked(self, selector: Selector) -> None:
        """End those connections that another process has revoked.

        Args:
            selector: what the revocation is about, as far as connections can be found by it.
        """
        named = selector.channels
        found = [connection for connection in self._find(selector) if self._is_revoked(connection)]
        self._end(found, lambda connection: denied_frame("revoked", named & connection.channels or connection.channels))

    def disconnect(self, selector: Selector) -> int:
        """End connections, so that their clients come back at once and are checked again; count them."""
        found = self._find(selector)
        if selector.connection is None:
            self._add(self._disconnections, selector)
        self._end(found, lambda connection: b"")
        return len(found)

    def stop(self) -> None:
        """Search for expired grants no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def sweep_by(self, when: float) -> None:
        """Search for expired grants at a moment, in seconds since the epoch, at the latest."""
        if when == math.inf:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + when - steady()
        if self._timer is not None and self._timer.when() <= due:
            return
        self.stop()
        self._timer = loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now, next_end = steady(), math.inf
        expired: dict[Connection, list[str]] = {}
        for connection in self._registry.get_connections():
            if (subscriber := connection.subscriber) is None:
                continue
            if subscriber.expires_at <= now:
                expired[connection] = subscriber.expired_channels(now)
            else:
                next_end = min(next_end, subscriber.expires_at)
        self._end(list(expired), lambda connection: denied_frame("expired", expired[connection]))
        if next_end < math.inf:
            self.sweep_by(max(next_end, now + SWEEP_SECONDS))

    def _find(self, selector: Selector) -> list[Connection]:
        candidates = [*self._registry.get_connections(), *self._watched]
        if selector.connection is not None:
            named = self._registry.get_connection(selector.connection)
            candidates = [] if named is None else [named]
        return [found for found in candidates if selector.matches(principal_of(found), found.channels)]

    def _add(self, revocations: RevocationLog, selector: Selector) -> None:
        for channel in selector.channels or [None]:
            revocations.add(user=selector.user, browser=selector.browser, channel=channel)

    def _end_outdated(self, connection: Connection) -> None:
        outdated = self._browsers.add(connection)
        self._end(outdated, lambda other: denied_frame("foreign", other.channels))

    def _revoke_grants(self, connections: list[Connection], selector: Selector) -> None:
        used = [connection.subscriber.grants for connection in connections if connection.subscriber]
        for grant, _ in (active for grants in used for active in grants):
            if selector.channel is None or not selector.channels.isdisjoint(grant.channels):
                self._revocations.add(serial=grant.serial)

    def _end(self, connections: list[Connection], make_frame: Callable[[Connection], bytes]) -> None:
        """End connections after what was published until now; cut those that cannot take their last frame in time."""
        for connection in connections:
            self._registry.end(connection, make_frame(connection))
        if connections:
            asyncio.get_running_loop().call_later(GRACE, cut_all, connections)


def cut_all(connections: Iterable[Connection]) -> None:
    """Cut the connections that have not ended."""
    for connection in connections:
        connection.cut()


def denied_frame(reason: str, channels: Iterable[str]) -> bytes:
    """Return the frame that tells why a stream ends, and for which channels."""
    return denials_frame([{"channels": sorted(channels), "reason": reason}])


def denials_frame(denied: list[dict[str, Any]]) -> bytes:
    """Return the frame that tells what is denied, and why."""
    return encode(json.dumps({"denied": denied}), event=DENIED_EVENT)
