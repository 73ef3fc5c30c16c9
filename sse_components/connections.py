"""Connections: their states, their bookkeeping, and the registry that holds them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from .errors import ConnectionClosed
from .wire import comment

logger = logging.getLogger("sse_components")


def now() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(timezone.utc)


class ConnectionState(Enum):
    """States for SSE connections."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"


_CLOSED = object()


class ConnectionQueue(asyncio.Queue[Any]):
    """A bounded queue that tells its reader when the connection is gone, as `Queue.shutdown` of Python 3.13 does."""

    closed = False

    def close(self) -> None:
        """Let the reader have what is here, and then raise `ConnectionClosed`."""
        if not self.closed and self.empty():
            super().put_nowait(_CLOSED)  # wakes a reader that waits
        self.closed = True

    async def get(self) -> Any:
        """Return the next item.

        Raises:
            ConnectionClosed: if the connection is gone and everything has been read.
        """
        if self.closed and self.empty():
            raise ConnectionClosed("the connection is closed")
        return self._item(await super().get())

    def get_nowait(self) -> Any:
        """Return the next item, or raise `asyncio.QueueEmpty`, or `ConnectionClosed` as `get` does."""
        if self.closed and self.empty():
            raise ConnectionClosed("the connection is closed")
        return self._item(super().get_nowait())

    def put_nowait(self, item: Any) -> None:
        """Add an item, or raise `asyncio.QueueFull` or `ConnectionClosed`."""
        if self.closed:
            raise ConnectionClosed("the connection is closed")
        super().put_nowait(item)

    def _item(self, item: Any) -> Any:
        if item is _CLOSED:
            raise ConnectionClosed("the connection is closed")
        return item


@dataclass(eq=False, slots=True)
class SSEConnection:
    """Represents a single SSE connection.

    Attributes:
        connection_id: unique in its registry.
        queue: what is to be sent.
        connection_type: what it is for, such as `'global'`, `'job'` or `'user'`.
        state: where it stands.
        metadata: anything the application wants to remember with it.
        created_at: when it was made, in UTC.
        last_activity: when something was last sent, in UTC.
        message_count: messages handed to it.

    Source: reference, `connections`.
    """

    connection_id: str
    queue: asyncio.Queue[Any]
    connection_type: str = "global"
    state: ConnectionState = ConnectionState.CONNECTING
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=now)
    last_activity: datetime = field(default_factory=now)
    message_count: int = 0

    async def send(self, data: Any, timeout: float = 1.0) -> bool:
        """Send data through the connection queue.

        Args:
            data: data to send.
            timeout: seconds to wait for room in the queue.

        Returns:
            True if successful; False if the connection is closed or there was no room in time.
        """
        if self.state in (ConnectionState.DISCONNECTED, ConnectionState.ERROR):
            return False
        try:
            await asyncio.wait_for(self.queue.put(data), timeout)
        except (asyncio.TimeoutError, ConnectionClosed):
            return False
        self._sent()
        return True

    def offer(self, data: Any) -> bool:
        """Put data into the queue if there is room, and say whether there was. Never waits."""
        try:
            self.queue.put_nowait(data)
        except (asyncio.QueueFull, ConnectionClosed):
            return False
        self._sent()
        return True

    async def heartbeat(self) -> str:
        """Generate a heartbeat message: a comment frame, which clients ignore."""
        self.last_activity = now()
        return comment(f"heartbeat {self.last_activity.isoformat()}").decode()

    def close(self, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark the connection as closed. Its queue's reader is told."""
        self.state = state
        if isinstance(self.queue, ConnectionQueue):
            self.queue.close()

    def is_active(self) -> bool:
        """Check if connection is active."""
        return self.state is ConnectionState.CONNECTED

    def _sent(self) -> None:
        self.message_count += 1
        self.last_activity = now()


class ConnectionRegistry:
    """Registry to track and manage SSE connections.

    Source: reference, `connections`.
    """

    def __init__(self, debug: bool = False) -> None:
        """Initialize the connection registry.

        Args:
            debug: log each connection that comes and goes at info level, not at debug level.
        """
        self.debug = debug
        self._connections: dict[str, SSEConnection] = {}

    async def add_connection(
        self,
        conn_id: str | None = None,
        conn_type: str = "global",
        queue_size: int = 100,
        metadata: dict[str, Any] | None = None,
    ) -> SSEConnection:
        """Add a new connection to the registry.

        Args:
            conn_id: optional ID for the connection (auto-generated if not provided). If it is taken, the new
                connection gets an id of its own that starts with it: one connection never replaces another.
            conn_type: type of connection (e.g., 'global', 'job', 'user').
            queue_size: size of the message queue, at least 1.
            metadata: optional metadata for the connection.

        Returns:
            The created SSEConnection, with the id that it got.
        """
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size!r}")
        connection = SSEConnection(self.free_id(conn_id), ConnectionQueue(queue_size), conn_type)
        connection.metadata.update(metadata or {})
        self.add(connection)
        return connection

    def free_id(self, wanted: str | None = None) -> str:
        """Return `wanted` if no connection has it, or else an id that cannot be guessed."""
        if wanted is None:
            return f"conn_{secrets.token_urlsafe(12)}"
        return f"{wanted}.{secrets.token_urlsafe(6)}" if wanted in self._connections else wanted

    def add(self, connection: SSEConnection) -> None:
        """Take in a connection that was made elsewhere, as connected."""
        connection.state = ConnectionState.CONNECTED
        self._connections[connection.connection_id] = connection
        self._log("added", connection.connection_id)

    async def remove_connection(self, conn_id: str) -> None:
        """Remove a connection from the registry, and close it.

        Args:
            conn_id: connection ID to remove; an unknown one is no error.
        """
        if connection := self._connections.get(conn_id):
            self.remove(connection)

    def remove(
        self, connection: SSEConnection, state: ConnectionState = ConnectionState.DISCONNECTED
    ) -> None:
        """Remove this very connection, and close it; another one under the same id stays."""
        if self._connections.get(connection.connection_id) is connection:
            del self._connections[connection.connection_id]
            self._log("removed", connection.connection_id)
        connection.close(state)

    def get_connection(self, conn_id: str) -> SSEConnection | None:
        """Get a specific connection.

        Args:
            conn_id: connection ID.

        Returns:
            The connection if found, None otherwise.
        """
        return self._connections.get(conn_id)

    def get_connections(self, conn_type: str | None = None) -> list[SSEConnection]:
        """Get connections, optionally filtered by type.

        Args:
            conn_type: optional connection type to filter by.

        Returns:
            List of connections.
        """
        every = list(self._connections.values())
        return every if conn_type is None else [one for one in every if one.connection_type == conn_type]

    def get_active_connections(self, conn_type: str | None = None) -> list[SSEConnection]:
        """Get active connections.

        Args:
            conn_type: optional connection type to filter by.

        Returns:
            List of active connections.
        """
        return [one for one in self.get_connections(conn_type) if one.is_active()]

    def get_stats(self) -> dict[str, Any]:
        """Get registry statistics.

        Returns:
            Dictionary with connection statistics: `total`, `active`, `by_type`, `by_state` and `messages`.
        """
        every = self.get_connections()
        return {
            "total": len(every),
            "active": sum(one.is_active() for one in every),
            "by_type": dict(Counter(one.connection_type for one in every)),
            "by_state": dict(Counter(one.state.value for one in every)),
            "messages": sum(one.message_count for one in every),
        }

    def __len__(self) -> int:
        return len(self._connections)

    def _log(self, what: str, conn_id: str) -> None:
        logger.log(logging.INFO if self.debug else logging.DEBUG, "connection %s: %s", what, conn_id)
