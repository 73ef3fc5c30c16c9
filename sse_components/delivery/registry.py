"""The connections of one process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from ..checks import check_whole
from .connection import Connection, ConnectionQueue, ConnectionState, SSEConnection
from .views import LiveView

logger = logging.getLogger("sse_components")


class ConnectionRegistry:
    """Registry to track and manage SSE connections.

    Several connections may ask for one id, such as two tabs of one user. The newest of them is the one that the id
    addresses. The others stay, and each connection has an id that no other one has.

    Attributes:
        debug: whether it logs at info level, too.
        lock: an `asyncio.Lock` for the application. The registry itself needs none: its steps do not await.

    Example:
        `connection = await registry.add_connection('user-1', 'user')`

    Source: cjm-fasthtml-sse, `connections`.
    """

    def __init__(self, debug: bool = False) -> None:
        """Initialize the connection registry.

        Args:
            debug: also log at info level when connections are added or removed, and how many there are.
        """
        self.debug = debug
        self.lock = asyncio.Lock()
        self._connections: dict[str, Connection] = {}
        self._reserved: WeakValueDictionary[str, Connection] = WeakValueDictionary()
        # The connections that asked for an id, oldest first, if there are several.
        self._named: dict[str, list[Connection]] = {}
        self._name_of: dict[Connection, str] = {}
        # The connections that got an id which now addresses another connection.
        self._former_ids: dict[str, Connection] = {}

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The connections by their ids: a view that follows the registry, and cannot be written."""
        return LiveView(lambda: self._connections)

    @property
    def connections_by_type(self) -> Mapping[str, set[str]]:
        """The ids of the connections of each type: a view that follows the registry, and cannot be written."""
        return LiveView(self._ids_by_type)

    async def add_connection(
        self,
        conn_id: str | None = None,
        conn_type: str = "global",
        queue_size: int = 100,
        metadata: dict[str, Any] | None = None,
    ) -> SSEConnection:
        """Add a new connection to the registry.

        Args:
            conn_id: optional ID for the connection (auto-generated if not provided). It must be the application's
                choice, never a client's. If it is taken, the new connection gets another id that starts with it, and
                `get_connection(conn_id)` returns the new one.
            conn_type: type of connection (e.g., 'global', 'job', 'user').
            queue_size: size of the message queue; 0 for no limit.
            metadata: optional metadata for the connection.

        Returns:
            The created SSEConnection, with the id that it got.

        Raises:
            ValueError: if `queue_size` is not a whole number of at least 0.
        """
        check_whole(least=0, queue_size=queue_size)
        connection = SSEConnection(self.free_id(conn_id), ConnectionQueue(queue_size), conn_type)
        connection.metadata.update(metadata or {})
        self.add(connection, name=conn_id)
        return connection

    def free_id(self, wanted: str | None = None) -> str:
        """Return an id that no connection has.

        Args:
            wanted: the id to return if it is free. If it is not, or none is given, the id cannot be guessed.
        """
        if not wanted:
            return f"conn_{secrets.token_urlsafe(12)}"
        taken = wanted in self._connections or wanted in self._reserved or wanted in self._former_ids
        return _another_id(wanted) if taken else wanted

    def reserve(self, connection: Connection) -> None:
        """Reserve the id of a connection that will be added later.

        Args:
            connection: it has the id as long as anything refers to it.
        """
        self._reserved[connection.connection_id] = connection

    def add(self, connection: Connection, *, name: str | None = None) -> None:
        """Add a connection that was made elsewhere, and mark it as connected.

        Args:
            connection: the connection, with an id that `free_id` has given.
            name: the id that the application asked for, which addresses this connection from now on.

        Raises:
            ValueError: if another connection has its id.
        """
        if self._connections.get(connection.connection_id, connection) is not connection:
            raise ValueError(f"connection id {connection.connection_id!r} is taken; free_id() gives one that is not")
        connection.state = ConnectionState.CONNECTED
        self._connections[connection.connection_id] = connection
        if name:
            self._address(name, connection)
        self._log("added", connection.connection_id)

    def _address(self, name: str, connection: Connection) -> None:
        """Let a name address this connection. Another one that has the name as its id gets a new id."""
        if connection.connection_id != name and (former := self._connections.pop(name, None)) is not None:
            former.connection_id = _another_id(name)
            self._connections[former.connection_id] = former
            self._former_ids[name] = former
            self._name(name, former)
        self._name(name, connection)

    def _name(self, name: str, connection: Connection) -> None:
        if connection not in self._name_of:
            self._name_of[connection] = name
            self._named.setdefault(name, []).append(connection)

    async def remove_connection(self, conn_id: str) -> None:
        """Remove a connection from the registry, and close it.

        Args:
            conn_id: the id that the connection got when it was added, even if it addresses a newer one now. An unknown
                id is no error.
        """
        if connection := self.owner(conn_id):
            self.remove(connection)

    def owner(self, conn_id: str) -> Connection | None:
        """Return the connection that got this id when it was added, and is still here.

        Args:
            conn_id: connection ID.
        """
        return self._former_ids.get(conn_id) or self._connections.get(conn_id)

    def remove(self, connection: Connection, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Remove this connection, and close it. Another connection with the same id stays.

        Args:
            connection: the connection; one that is not in the registry is closed, too.
            state: its state afterwards.
        """
        if self._connections.get(connection.connection_id) is connection:
            del self._connections[connection.connection_id]
            self._forget(connection)
            self._log("removed", connection.connection_id)
        if self._reserved.get(connection.connection_id) is connection:
            del self._reserved[connection.connection_id]
        connection.close(state=state)

    def _forget(self, connection: Connection) -> None:
        if (name := self._name_of.pop(connection, None)) is None:
            return
        self._named[name].remove(connection)
        if not self._named[name]:
            del self._named[name]
        if self._former_ids.get(name) is connection:
            del self._former_ids[name]

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
            conn_id: connection ID; one that several connections asked for is the newest one's.

        Returns:
            The connection if found, None otherwise.
        """
        sharing = self._named.get(conn_id)
        return sharing[-1] if sharing else self._connections.get(conn_id)

    def resolve(self, conn_id: str) -> str:
        """Return the id of the connection that an id addresses; one that this process does not know as it is.

        Args:
            conn_id: connection ID.
        """
        connection = self.get_connection(conn_id)
        return conn_id if connection is None else connection.connection_id

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
            Dictionary with connection statistics: `total`, `active`, `by_type`, `by_state`, `message_count`, and
            `waiting_bytes`: those that are held for clients that do not read.
        """
        every = self.get_connections()
        return {
            "total": len(every),
            "active": sum(connection.is_active() for connection in every),
            "by_type": dict(Counter(connection.connection_type for connection in every)),
            "by_state": dict(Counter(connection.state.value for connection in every)),
            "message_count": sum(connection.message_count for connection in every),
            "waiting_bytes": sum(connection.waiting_bytes for connection in every),
        }

    def __len__(self) -> int:
        return len(self._connections)

    def _ids_by_type(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for connection in list(self._connections.values()):
            found.setdefault(connection.connection_type, set()).add(connection.connection_id)
        return found

    def _log(self, what: str, conn_id: str) -> None:
        logger.debug("connection %s: %s", what, conn_id)
        if self.debug:
            logger.info("connection %s: %d in all", what, len(self))


def _another_id(name: str) -> str:
    """Return an id that begins with a name, and cannot be guessed."""
    return f"{name}.{secrets.token_urlsafe(6)}"
