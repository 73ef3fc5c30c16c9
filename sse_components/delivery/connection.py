"""A connection: its state, its counters, and what can be done to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from ..errors import ConnectionClosed
from ..events.wire import comment


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
