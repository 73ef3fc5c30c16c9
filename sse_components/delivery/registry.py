"""The connections of one process."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from typing import Any
from weakref import WeakValueDictionary

from ..checks import check_whole
from .connection import Connection, ConnectionQueue, ConnectionState, SSEConnection

logger = logging.getLogger("sse_components")


class ConnectionRegistry:
    """Registry to track and manage SSE connections.

    Source: cjm-fasthtml-sse, `connections`.
    """

    def __init__(self, debug: bool = False) -> None:
        """Initialize the connection registry.

        Args:
            debug: also log at info level when connections are added or removed, and how many there are.
        """
        self.debug = debug
        self._connections: dict[str, Connection] = {}
        self._reserved: WeakValueDictionary[str, Connection] = WeakValueDictionary()

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
                connection gets another id that starts with it: one connection never replaces another.
            conn_type: type of connection (e.g., 'global', 'job', 'user').
            queue_size: size of the message queue, at least 1.
            metadata: optional metadata for the connection.

        Returns:
            The created SSEConnection, with the id that it got.

        Raises:
            ValueError: if `queue_size` is less than 1.
        """
        check_whole(queue_size=queue_size)
        connection = SSEConnection(self.free_id(conn_id), ConnectionQueue(queue_size), conn_type)
        connection.metadata.update(metadata or {})
        self.add(connection)
        return connection

    def free_id(self, wanted: str | None = None) -> str:
        """Return an id that no connection has.

        Args:
            wanted: the id to return if it is free. If it is not, or none is given, the id cannot be guessed.
        """
        if not wanted:
            return f"conn_{secrets.token_urlsafe(12)}"
        taken = wanted in self._connections or wanted in self._reserved
        return f"{wanted}.{secrets.token_urlsafe(6)}" if taken else wanted

    def reserve(self, connection: Connection) -> None:
        """Reserve the id of a connection that will be added later.

        Args:
            connection: it has the id as long as anything refers to it.
        """
        self._reserved[connection.connection_id] = connection

    def add(self, connection: Connection) -> None:
        """Add a connection that was made elsewhere, and mark it as connected.

        Args:
            connection: the connection.

        Raises:
            ValueError: if another connection has its id.
        """
        if self._connections.get(connection.connection_id, connection) is not connection:
            raise ValueError(f"connection id {connection.connection_id!r} is taken; free_id() gives one that is not")
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

    def remove(self, connection: Connection, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Remove this connection, and close it. Another connection with the same id stays.

        Args:
            connection: the connection; one that is not in the registry is closed, too.
            state: its state afterwards.
        """
        if self._connections.get(connection.connection_id) is connection:
            del self._connections[connection.connection_id]
            self._log("removed", connection.connection_id)
        if self._reserved.get(connection.connection_id) is connection:
            del self._reserved[connection.connection_id]
        connection.close(state=state)

    def end(self, connection: Connection, frame: bytes = b"") -> None:
        """End a connection after what was sent until now. A queue is removed at once, a stream when it has ended.

        Args:
            connection: the connection.
            frame: the last bytes of a stream.
        """
        connection.end(frame)
        if not connection.is_active():
            self.remove(connection)

    def get_connection(self, conn_id: str) -> Connection | None:
        """Get a specific connection.

        Args:
            conn_id: connection ID.

        Returns:
            The connection if found, None otherwise.
        """
        return self._connections.get(conn_id)

    def get_connections(self, conn_type: str | None = None) -> list[Connection]:
        """Get connections, optionally filtered by type.

        Args:
            conn_type: optional connection type to filter by.

        Returns:
            List of connections.
        """
        every = list(self._connections.values())
        return every if conn_type is None else [found for found in every if found.connection_type == conn_type]

    def get_active_connections(self, conn_type: str | None = None) -> list[Connection]:
        """Get active connections.

        Args:
            conn_type: optional connection type to filter by.

        Returns:
            List of active connections.
        """
        return [connection for connection in self.get_connections(conn_type) if connection.is_active()]

    def get_stats(self) -> dict[str, Any]:
        """Get registry statistics.

        Returns:
            Dictionary with connection statistics: `total`, `active`, `by_type`, `by_state` and `message_count`.
        """
        every = self.get_connections()
        return {
            "total": len(every),
            "active": sum(connection.is_active() for connection in every),
            "by_type": dict(Counter(connection.connection_type for connection in every)),
            "by_state": dict(Counter(connection.state.value for connection in every)),
            "message_count": sum(connection.message_count for connection in every),
        }

    def __len__(self) -> int:
        return len(self._connections)

    def _log(self, what: str, conn_id: str) -> None:
        logger.debug("connection %s: %s", what, conn_id)
        if self.debug:
            logger.info("connection %s: %d in all", what, len(self))
