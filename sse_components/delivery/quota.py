"""Counts connections, in all and by client, and refuses those beyond the limits."""

from __future__ import annotations

from collections import Counter
from weakref import WeakSet

from ..access.limits import Limits, overloaded
from .connection import Connection
from .registry import ConnectionRegistry


class Quota:
    """Counts the connections of each client.

    A connection counts from the moment when its response is made, so that requests at the same moment cannot exceed a
    limit together.

    Args:
        registry: the connections that are open.
        limits: how many there may be.
    """

    def __init__(self, registry: ConnectionRegistry, limits: Limits) -> None:
        self._registry, self._limits = registry, limits
        self._opening: WeakSet[Connection] = WeakSet()
        self._open: Counter[str] = Counter()

    def check(self, client: str) -> None:
        """Check that a client may open one more connection.

        Raises:
            Refusal: 503 if the server is full, 429 if the client has too many connections.
        """
        opening = [connection.subscriber.client for connection in self._opening if connection.subscriber]
        if len(self._registry) + len(opening) >= self._limits.connections:
            raise overloaded(503, "the server has as many connections as it takes")
        if self._open[client] + opening.count(client) >= self._limits.connections_per_client:
            raise overloaded(429, "too many connections from one client")

    def expect(self, connection: Connection) -> None:
        """Count a connection that is about to open, as long as anything refers to it."""
        self._opening.add(connection)

    def add(self, connection: Connection) -> None:
        """Count a connection that has opened."""
        self._opening.discard(connection)
        if connection.subscriber is not None:
            self._open[connection.subscriber.client] += 1

    def remove(self, connection: Connection) -> None:
        """Count a connection no longer."""
        if connection.subscriber is not None:
            client = connection.subscriber.client
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
