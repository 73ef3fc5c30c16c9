"""What the manager addresses: the protocol of all connections, and the connection that is read from a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from ..access.revocations import latest
from ..access.subscriber import Subscriber
from ..errors import ConnectionClosed
from ..events.log import Event
from ..events.message import BroadcastMessage
from ..events.moment import Moment, now
from ..events.wire import comment


class ConnectionState(Enum):
    """States for SSE connections."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    RECONNECTING = "reconnecting"


ACTIVE_STATES = (ConnectionState.CONNECTING, ConnectionState.CONNECTED)


class Connection(Protocol):
    """What the registry, the manager and the enforcement of grants ask of a connection, whether stream or queue."""

    connection_id: str
    connection_type: str
    state: ConnectionState
    metadata: dict[str, Any]
    # The client of a stream, from the moment when its response begins. The application has checked that of a queue.
    subscriber: Subscriber | None
    # The number of revocations when it was made.
    made_after: int

    @property
    def created_at(self) -> Moment:
        """When it was made, in UTC."""
        ...

    @property
    def last_activity(self) -> Moment:
        """When something was last sent, in UTC."""
        ...

    @property
    def queue(self) -> Any:
        """The queue; in front of a stream, an object that takes messages as a queue does."""
        ...

    @property
    def message_count(self) -> int:
        """The number of messages handed to it."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """The bytes that are held for it because its client does not read; 0 for a queue of objects."""
        ...

    @property
    def channels(self) -> frozenset[str]:
        """The channels that it follows, without the broadcasts that every connection gets."""
        ...

    def is_active(self) -> bool:
        """Return whether it can still be sent something."""
        ...

    def offer(self, data: Any) -> bool:
        """Send data to this connection only, if there is room; return whether there was. It never waits."""
        ...

    async def deliver(self, message: BroadcastMessage, event: Event, timeout: float) -> bool:
        """Send a message to this connection only, as an object or as the event made of it.

        Args:
            message: for a queue.
            event: for a stream.
            timeout: seconds that a queue waits for room.
        """
        ...

    def end(self, frame: bytes = b"") -> None:
        """End it after what was sent until now; a stream sends `frame` last."""
        ...

    def cut(self) -> None:
        """End it at once."""
        ...

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark it as closed, and end it."""
        ...


_CLOSED = object()


class ConnectionQueue(asyncio.Queue[Any]):
    """A bounded queue that wakes its readers when the connection is closed, like `Queue.shutdown` of Python 3.13.

    Once it is closed, `put` and `put_nowait` raise `ConnectionClosed`; `get` and `get_nowait` raise it when all items
    have been read.
    """

    closed = False

    def close(self) -> None:
        """Let readers have the items that are left, and then raise `ConnectionClosed`. Closing twice is allowed."""
        if not self.closed:
            self.closed = True
            super().put_nowait(_CLOSED)  # behind all other items; it wakes a waiting reader

    def full(self) -> bool:
        """Return whether a `put` has to wait for room; after `close` it fails at once instead."""
        return not self.closed and super().full()

    def get_nowait(self) -> Any:
        """Return the next item, or raise `asyncio.QueueEmpty` or `ConnectionClosed`."""
        item = super().get_nowait()
        if item is _CLOSED:
            super().put_nowait(_CLOSED)  # for the next reader
            raise ConnectionClosed("the connection is closed")
        return item

    def put_nowait(self, item: Any) -> None:
        """Add an item, or raise `asyncio.QueueFull` or `ConnectionClosed`."""
        if self.closed:
            raise ConnectionClosed("the connection is closed")
        super().put_nowait(item)


@dataclass(eq=False)
class SSEConnection:
    """Represents a single SSE connection: one that the application reads from a queue.

    Attributes:
        connection_id: unique in its registry. It changes when a newer connection asks for the same id.
        queue: the messages to send.
        connection_type: what it is for, such as `'global'`, `'job'` or `'user'`.
        state: the connection's state.
        metadata: anything that the application wants to remember with it.
        created_at: when it was made, as a `Moment` in UTC.
        last_activity: when something was last sent, as a `Moment` in UTC.
        message_count: the number of messages handed to it.

    Example:
        `age = datetime.now() - connection.created_at`

    Source: cjm-fasthtml-sse, `connections`.
    """

    connection_id: str
    queue: asyncio.Queue[Any]
    connection_type: str = "global"
    state: ConnectionState = ConnectionState.CONNECTING
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: Moment = field(default_factory=now)
    last_activity: Moment = field(default_factory=now)
    message_count: int = 0

    def __post_init__(self) -> None:
        """Note that the application has checked the request itself."""
        self.subscriber: Subscriber | None = None
        self.made_after = latest()

    @property
    def waiting_bytes(self) -> int:
        """0: what waits for its reader are objects of the application."""
        return 0

    @property
    def channels(self) -> frozenset[str]:
        """None: a queue gets broadcasts only."""
        return frozenset()

    def is_active(self) -> bool:
        """Check if connection is active."""
        return self.state in ACTIVE_STATES

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
        self._count()
        return True

    def offer(self, data: Any) -> bool:
        """Put data into the queue if there is room. It never waits.

        Args:
            data: data to send.

        Returns:
            Whether there was room.
        """
        try:
            self.queue.put_nowait(data)
        except (asyncio.QueueFull, ConnectionClosed):
            return False
        self._count()
        return True

    async def deliver(self, message: BroadcastMessage, event: Event, timeout: float) -> bool:
        """Put a message into the queue.

        Args:
            message: the message.
            event: not used: it is for streams.
            timeout: seconds to wait for room.

        Returns:
            Whether there was room in time.
        """
        return await self.send(message, timeout)

    async def heartbeat(self) -> str:
        """Generate a heartbeat message: a comment frame, which clients ignore."""
        self.last_activity = now()
        return comment(f"heartbeat {self.last_activity.isoformat()}").decode()

    def end(self, frame: bytes = b"") -> None:
        """Let the reader have what is in the queue, and then `ConnectionClosed`.

        Args:
            frame: not used: it is for streams.
        """
        self.close()

    def cut(self) -> None:
        """End it, as `end` does."""
        self.close()

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark the connection as closed, and close its queue.

        Args:
            state: its state afterwards, unless it has failed before.
        """
        if self.state is not ConnectionState.ERROR:
            self.state = state
        if isinstance(self.queue, ConnectionQueue):
            self.queue.close()

    def _count(self) -> None:
        self.message_count += 1
        self.last_activity = now()


def describe(connection: Connection) -> Mapping[str, Any]:
    """Return what an administrator sees of a connection, for JSON."""
    return {
        "id": connection.connection_id,
        "type": connection.connection_type,
        "state": connection.state.value,
        "metadata": connection.metadata,
        "created_at": connection.created_at.isoformat(),
        "last_activity": connection.last_activity.isoformat(),
        "message_count": connection.message_count,
        "waiting_bytes": connection.waiting_bytes,
    }
