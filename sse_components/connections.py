"""Connections: their states, their bookkeeping, the registry that holds them, and the tags that make them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from weakref import WeakValueDictionary

from fasthtml.common import FT, Div, Script

from .assets import asset_url
from .errors import ConnectionClosed, MarkupError
from .oob import SWAPS, check_swap
from .page import kit_prefix
from .protocol import CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, RECONNECT_ATTRIBUTE
from .wire import check_event, comment

logger = logging.getLogger("sse_components")


def now() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(UTC)


class ConnectionState(Enum):
    """States for SSE connections."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    RECONNECTING = "reconnecting"


_CLOSED = object()


class ConnectionQueue(asyncio.Queue[Any]):
    """A bounded queue that tells its readers when the connection is gone, as `Queue.shutdown` of Python 3.13 does.

    Once it is closed, `put` and `put_nowait` raise `ConnectionClosed`; `get` and `get_nowait` do so when all that it
    held has been read.
    """

    closed = False

    def close(self) -> None:
        """Let readers have what is here, and then raise `ConnectionClosed`. Closing twice is allowed."""
        if not self.closed:
            self.closed = True
            super().put_nowait(_CLOSED)  # behind all else; it wakes a reader that waits

    def full(self) -> bool:
        """Whether a `put` has to wait for room; after `close` it fails at once instead."""
        return not self.closed and super().full()

    def get_nowait(self) -> Any:
        """Return the next item, or raise `asyncio.QueueEmpty` or `ConnectionClosed`."""
        item = super().get_nowait()
        if item is _CLOSED:
            super().put_nowait(_CLOSED)  # for whoever reads next
            raise ConnectionClosed("the connection is closed")
        return item

    def put_nowait(self, item: Any) -> None:
        """Add an item, or raise `asyncio.QueueFull` or `ConnectionClosed`."""
        if self.closed:
            raise ConnectionClosed("the connection is closed")
        super().put_nowait(item)


@dataclass(eq=False, slots=True, weakref_slot=True)
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
        if self.offer(data):
            return True
        try:
            await asyncio.wait_for(self.queue.put(data), timeout)
        except (TimeoutError, ConnectionClosed):
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

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark the connection as closed; its queue's reader is told. One that has failed stays marked as such."""
        if self.state is not ConnectionState.ERROR:
            self.state = state
        if isinstance(self.queue, ConnectionQueue):
            self.queue.close()

    def is_active(self) -> bool:
        """Check if connection is active."""
        return self.state in (ConnectionState.CONNECTING, ConnectionState.CONNECTED)

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
            debug: log at info level, too, how many connections there are, as they come and go.
        """
        self.debug = debug
        self._connections: dict[str, SSEConnection] = {}
        self._reserved: WeakValueDictionary[str, SSEConnection] = WeakValueDictionary()

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

        Raises:
            ValueError: if `queue_size` is less than 1.
        """
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size!r}")
        connection = SSEConnection(self.free_id(conn_id), ConnectionQueue(queue_size), conn_type)
        connection.metadata.update(metadata or {})
        self.add(connection)
        return connection

    def free_id(self, wanted: str | None = None) -> str:
        """Return `wanted` if no connection has it, or else an id that cannot be guessed."""
        if not wanted:
            return f"conn_{secrets.token_urlsafe(12)}"
        taken = wanted in self._connections or wanted in self._reserved
        return f"{wanted}.{secrets.token_urlsafe(6)}" if taken else wanted

    def reserve(self, connection: SSEConnection) -> None:
        """Keep the id of a connection that is still to be added free for it, as long as anything refers to it."""
        self._reserved[connection.connection_id] = connection

    def add(self, connection: SSEConnection) -> None:
        """Take in a connection that was made elsewhere, as connected.

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

    def remove(self, connection: SSEConnection, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Remove this very connection, and close it; another one under the same id stays."""
        if self._connections.get(connection.connection_id) is connection:
            del self._connections[connection.connection_id]
            self._log("removed", connection.connection_id)
        if self._reserved.get(connection.connection_id) is connection:
            del self._reserved[connection.connection_id]
        connection.close(state=state)

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
            Dictionary with connection statistics: `total`, `active`, `by_type`, `by_state` and `message_count`.
        """
        every = self.get_connections()
        return {
            "total": len(every),
            "active": sum(one.is_active() for one in every),
            "by_type": dict(Counter(one.connection_type for one in every)),
            "by_state": dict(Counter(one.state.value for one in every)),
            "message_count": sum(one.message_count for one in every),
        }

    def __len__(self) -> int:
        return len(self._connections)

    def _log(self, what: str, conn_id: str) -> None:
        logger.debug("connection %s: %s", what, conn_id)
        if self.debug:
            logger.info("connection %s: %d in all", what, len(self))


def create_sse_element(
    endpoint: str, element_id: str | None = None, swap_strategy: str = "message", hidden: bool = False, **attrs: Any
) -> FT:
    """Create an SSE-enabled HTML element.

    Args:
        endpoint: path of an SSE endpoint.
        element_id: optional element ID.
        swap_strategy: how messages are swapped (`innerHTML`, `outerHTML`, `beforeend`, ...), or the names of the events
            to swap, separated by commas (`message` by default).
        hidden: whether to hide the element.
        attrs: additional attributes for the element.

    Raises:
        MarkupError: for an empty endpoint, or a trigger that is an SSE event.
        WireError: for an event name that is not allowed.

    Source: reference, `connections`.
    """
    url, shown = check_path(endpoint=endpoint), {"id": element_id, "hidden": hidden or None, **attrs}
    if swap_strategy in SWAPS:
        return sse_div(url, ["message"], swap_strategy, **shown)
    return sse_div(url, [name.strip() for name in swap_strategy.split(",")], None, **shown)


def sse_div(url: str, events: list[str], swap: str | None, *children: Any, **attrs: Any) -> FT:
    """Return a `Div` that connects to `url` and swaps `events`; `attrs` have the last word."""
    if "sse:" in str(attrs.get("hx_trigger", "")):
        raise MarkupError("hx_trigger='sse:…' belongs on an element inside: htmx 4 connects by this one's trigger")
    return Div(*children, **{**connecting(url, events, swap), **attrs})


def connecting(url: str, events: list[str], swap: str | None) -> dict[str, Any]:
    """Return the attributes by which an element connects to `url` and swaps `events`, on htmx 2 and 4 alike."""
    # htmx 2's extension reads data-sse-*, htmx 4's hx-sse:connect, on FastHTML's pages with a dash for the colon.
    swapped = ",".join(check_event(name) or "message" for name in events)
    connect = dict.fromkeys(["data_sse_connect", "hx_sse_connect", "hx-sse:connect"], url)
    ours = {"hx_ext": "sse", **connect, "data_sse_swap": swapped or None}
    if swap is not None:
        # What is inside swaps in its own way: htmx 2 would let it inherit this one, as htmx 4 does not.
        ours |= {"hx_swap": check_swap(swap), "hx_disinherit": "hx-swap"}
    return ours


def cleanup_sse_on_unload() -> FT:
    """Create a script to clean up SSE connections on page unload, and to take them up again on the way back.

    Source: reference, `connections`.
    """
    return _script("unload.js")


def create_reconnection_script(check_interval: int = 5000, max_retries: int = 5, debug: bool = False) -> FT:
    """Create a script for automatic SSE reconnection.

    Args:
        check_interval: milliseconds between two attempts, at most, unless the server asks for more (`retry`: 500).
        max_retries: attempts in a row that may fail before it gives up, and shows that.
        debug: log each attempt to the browser's console.

    Raises:
        ValueError: if `check_interval` is not a whole number above 0, or `max_retries` not one of at least 0.

    Source: reference, `connections`.
    """
    check_whole(1, check_interval=check_interval)
    check_whole(0, max_retries=max_retries)
    options = {"data_check_interval": check_interval, "data_max_retries": max_retries, "data_debug": bool(debug)}
    return _script("reconnect.js", **{RECONNECT_ATTRIBUTE: True}, **options)


def create_connection_manager_script(
    registry_endpoint: str = PREFIX + CONNECTIONS_PATH, update_interval: int = 10000
) -> FT:
    """Create a script to manage and monitor connections.

    It fills the elements with `data-sse-stats` and fires `sse:stats` at the document.

    Args:
        registry_endpoint: path of a route that gives `ConnectionRegistry.get_stats()` as JSON. The default stands for
            the one that `setup_sse` made, wherever its prefix puts it.
        update_interval: milliseconds between two requests.

    Raises:
        MarkupError: for an empty endpoint, or a trigger that is an SSE event.
        ValueError: if `update_interval` is not a whole number above 0.

    Source: reference, `connections`.
    """
    check_whole(1, update_interval=update_interval)
    endpoint = check_path(registry_endpoint=registry_endpoint)
    if endpoint == PREFIX + CONNECTIONS_PATH:
        endpoint = kit_prefix() + CONNECTIONS_PATH
    options = {"data_endpoint": endpoint, "data_update_interval": update_interval}
    return _script("monitor.js", **{MONITOR_ATTRIBUTE: True}, **options)


def _script(name: str, **attrs: Any) -> FT:
    return Script(src=asset_url(name, kit_prefix()), type="module", **attrs)


def check_path(**paths: str) -> str:
    """Return the one path that is given, or raise `MarkupError` if it is none."""
    ((name, path),) = paths.items()
    if not isinstance(path, str) or not path.strip():
        raise MarkupError(f"{name} must be the path of an SSE endpoint, not {path!r}")
    return path


def check_whole(least: int, **values: int) -> None:
    """Raise `ValueError` for the first value that is not a whole number of at least `least`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
