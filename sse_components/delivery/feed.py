"""A feed, and the stream connections that read it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

from ..access.subscriber import Visitor
from ..delivery import servers
from ..errors import ConnectionClosed
from ..events.log import Cursor, Event
from ..events.wire import comment, encode
from .connection import ConnectionState, SSEConnection, now

Render = Callable[[Event], bytes]

Since = tuple[frozenset[str], Cursor | None]

HEARTBEAT = comment()

# A stream reads the log; what stands in the place of its queue takes nothing.
NO_QUEUE: asyncio.Queue[Any] = asyncio.Queue(1)


logger = logging.getLogger("sse_components")


class Delivery(Protocol):
    """What a stream connection asks of the fan-out that it joins."""

    def post(self, connection: StreamConnection, frame: bytes) -> bool:
        """Send a frame to this connection only."""
        ...

    def end(self, connection: StreamConnection, frame: bytes = b"") -> None:
        """End a stream after what was published until now and `frame`."""
        ...

    def cut(self, connection: StreamConnection) -> None:
        """End a stream at once."""
        ...


class Feed:
    """The connections that get the same bytes: same channels, same way of rendering, same heartbeat."""

    __slots__ = ("batch", "channels", "connections", "heartbeat", "last", "render", "total")

    def __init__(self, channels: frozenset[str], render: Render | None, heartbeat: float) -> None:
        self.channels, self.render, self.heartbeat = channels, render, heartbeat
        self.connections: dict[StreamConnection, None] = {}
        self.batch: list[Event] = []
        self.total = 0  # events handed out
        self.last = time.monotonic()  # when something was last sent

    @property
    def key(self) -> tuple[frozenset[str], Render | None, float]:
        """What tells it from other feeds."""
        return self.channels, self.render, self.heartbeat

    @property
    def due(self) -> float:
        """When its next heartbeat is due, by the monotonic clock."""
        return self.last + self.heartbeat

    def body(self, events: Iterable[Event], reader: str | None = None) -> bytes:
        """Return the frames of `events`, without those that exclude `reader`."""
        return b"".join([self._frame(event) for event in events if reader not in event.exclude])

    def _frame(self, event: Event) -> bytes:
        if self.render is None or not event.channel:
            return event.frame
        try:
            return self.render(event)
        except Exception:
            logger.exception("an event could not be rendered")
            return b""


class StreamConnection(SSEConnection):
    """A connection whose bytes go to an ASGI `send`: a cursor in the log instead of a queue.

    Attributes:
        fanout: what it joins.
        feed: what it follows.
        busy: whether something is on its way to it; it then gets nothing else.
        cursor: while it is busy, the sequence up to which the log has been handed to it.
        backlog: what the log had for it when it joined.
        mailbox: frames for it alone that wait, each after the sequence at which it was posted.
        last: the frame that ends it, if it is to end.
        send_raw: what writes to it.
        receive: what tells that its client is gone.
        steppable: whether `send_raw` may be stepped outside of a task.
        task: what holds its stream, as long as it does.
        visitor: who is at its other end, where that was looked into.
    """

    __slots__ = (
        "_activity", "_base", "_direct", "backlog", "busy", "cursor", "fanout", "feed", "last", "mailbox",
        "mailbox_size", "receive", "send_raw", "steppable", "task", "visitor",
    )  # fmt: skip

    def __init__(
        self,
        connection_id: str,
        fanout: Delivery,
        feed: Feed,
        connection_type: str = "global",
        *,
        mailbox_size: int = 100,
        visitor: Visitor | None = None,
    ) -> None:
        self.fanout, self.feed, self.visitor = fanout, feed, visitor
        self._base = self._direct = 0
        super().__init__(connection_id, NO_QUEUE, connection_type)
        self.busy, self.steppable, self.mailbox_size = True, False, mailbox_size
        self.cursor = 0
        self.backlog: list[Event] = []
        self.mailbox: list[Event] = []
        self.last: Event | None = None
        self.send_raw: servers.Send | None = None
        self.receive: servers.Receive | None = None
        self.task: asyncio.Task[Any] | None = None

    @property
    def following(self) -> bool:
        """Whether it has joined, and not left."""
        return self in self.feed.connections

    @property
    def message_count(self) -> int:
        """Messages handed to it; counted by feed, so that a delivery costs nothing."""
        return self.feed.total - self._base + self._direct

    @message_count.setter
    def message_count(self, value: int) -> None:
        self._base, self._direct = self.feed.total, value

    @property
    def last_activity(self) -> datetime:
        """When something was last sent, in UTC."""
        return max(self._activity, now() - timedelta(seconds=time.monotonic() - self.feed.last))

    @last_activity.setter
    def last_activity(self, value: datetime) -> None:
        self._activity = value

    async def send(self, data: Any, timeout: float = 1.0) -> bool:
        """Send data to this connection only: bytes are a frame, what has `to_sse` makes its own, text becomes one.

        Returns:
            False if the connection is gone, or has not read what was sent before. It never waits.
        """
        return self.offer(data)

    def offer(self, data: Any) -> bool:
        """Do what `send` does."""
        if hasattr(data, "to_sse"):
            data = data.to_sse().encode()
        return self.fanout.post(self, data if isinstance(data, bytes) else encode(data))

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark the connection as closed, and end its stream."""
        # Not super(): a dataclass with slots is another class than the one that its methods know.
        SSEConnection.close(self, state=state)
        if self.following:
            self.fanout.end(self)

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send bytes, and wait until the server has taken them.

        Raises:
            ConnectionClosed: if it does not, or there is no stream.
        """
        if self.send_raw is None:
            raise ConnectionClosed("the connection has no stream")
        await taken(self.send_raw, chunk(body, more=more))


async def taken(send: Callable[..., Any], *message: Any) -> None:
    """Wait until the server has taken a message.

    Raises:
        ConnectionClosed: if it does not; servers raise what they like, and when they like.
    """
    try:
        await send(*message)
    except Exception as error:
        raise ConnectionClosed("the server did not take a message") from error


def chunk(body: bytes, *, more: bool = True) -> dict[str, Any]:
    """Return the ASGI message that sends a part of a body."""
    return {"type": "http.response.body", "body": body, "more_body": more}
