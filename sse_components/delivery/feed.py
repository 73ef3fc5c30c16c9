"""A feed, and the stream connections that read it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Protocol

from ..access.revocations import latest
from ..access.subscriber import Subscriber
from ..background import report
from ..callbacks import is_async
from ..errors import ConnectionClosed
from ..events.log import Cursor, Event
from ..events.message import BroadcastMessage
from ..events.moment import Moment, now
from ..events.wire import comment, encode, for_browser
from ..protocol import BROADCAST_CHANNEL
from . import servers
from .connection import ACTIVE_STATES, ConnectionState

Render = Callable[[Event], bytes | Awaitable[bytes]]
Since = tuple[frozenset[str], Cursor | None]

HEARTBEAT = comment()
# Bytes that one stream holds of the log, and of messages for it alone, while its client does not read.
HELD_BYTES = 1_000_000
# Events for which a feed remembers what the application has rendered, for those of its connections that are behind.
RENDERED = 32


def with_broadcasts(channels: Iterable[str]) -> frozenset[str]:
    """Return channels, and the channel of the broadcasts that every stream gets."""
    return frozenset(channels) | {BROADCAST_CHANNEL}


def without_broadcasts(channels: Iterable[str]) -> frozenset[str]:
    """Return channels as their client asked for them."""
    return frozenset(channels) - {BROADCAST_CHANNEL}


class Delivery(Protocol):
    """What a stream connection asks of the fan-out that it joins."""

    def send_private(self, connection: StreamConnection, frame: bytes) -> bool:
        """Send a frame to this connection only."""
        ...

    def end(self, connection: StreamConnection, frame: bytes = b"") -> None:
        """End a stream after what was published until now and `frame`."""
        ...

    def cut(self, connection: StreamConnection) -> None:
        """End a stream at once."""
        ...


class Feed:
    """The connections that get the same bytes: same channels, same rendering, same heartbeat.

    Attributes:
        channels: what its connections follow, with the channel of the broadcasts.
        render: makes the frames of broadcasts, where their own frames are not wanted.
        renders_later: whether `render` is async, because it calls the application.
        heartbeat: seconds of silence before a comment.
        connections: its connections, in the order in which they joined.
        batch: events of the present flush.
        total: the number of events handed out.
        sent_at: when something was last sent, by the monotonic clock.
    """

    __slots__ = (
        "_rendered",
        "batch",
        "channels",
        "connections",
        "heartbeat",
        "render",
        "renders_later",
        "sent_at",
        "total",
    )

    def __init__(self, channels: frozenset[str], render: Render | None, heartbeat: float) -> None:
        self.channels, self.render, self.heartbeat = channels, render, heartbeat
        self.renders_later = render is not None and is_async(render)
        self._rendered: OrderedDict[int, asyncio.Task[bytes]] = OrderedDict()
        self.connections: dict[StreamConnection, None] = {}
        self.batch: list[Event] = []
        self.total = 0
        self.sent_at = time.monotonic()

    @property
    def key(self) -> tuple[frozenset[str], Render | None, float]:
        """What distinguishes it from other feeds."""
        return self.channels, self.render, self.heartbeat

    @property
    def due(self) -> float:
        """When its next heartbeat is due, by the monotonic clock."""
        return self.sent_at + self.heartbeat

    def body(self, events: Iterable[Event], reader: StreamConnection | None = None) -> bytes:
        """Return the frames of `events` as a connection gets them; by default, one that no event treats apart."""
        return b"".join([self.frame(event, reader) for event in events if not excludes(event, reader)])

    def frame(self, event: Event, reader: StreamConnection | None = None) -> bytes:
        """Return the frame of an event; an empty one if it is not for the reader, or if rendering it fails."""
        if self.render is None or not (event.channel or event.message):
            return frame_for(event, reader)
        try:
            return self.render(event)  # type: ignore[return-value]
        except Exception as error:
            report(f"an event of channel {event.channel!r} could not be rendered", error)
            return b""

    async def rendered(self, events: Iterable[Event], reader: StreamConnection | None = None) -> bytes:
        """Return what `body` does; where an application renders, as soon as it has done so."""
        if not self.renders_later:
            return self.body(events, reader)
        return b"".join([await self._render(event) for event in events if not excludes(event, reader)])

    async def _render(self, event: Event) -> bytes:
        """Return the frame of an event that the application renders, once for all connections."""
        if not (event.channel or event.message):
            return event.frame
        rendering = self._rendered.get(event.sequence)
        if rendering is None or not event.sequence:
            rendering = asyncio.ensure_future(self._ask_application(event))
            self._rendered[event.sequence] = rendering
            if len(self._rendered) > RENDERED:
                self._rendered.popitem(last=False)
        return await asyncio.shield(rendering)

    async def _ask_application(self, event: Event) -> bytes:
        render: Any = self.render
        try:
            return bytes(await render(event))
        except Exception as error:
            report(f"an event of channel {event.channel!r} could not be rendered", error)
            return b""


class StreamConnection:
    """A connection whose bytes go to an ASGI `send`. It reads the log from a cursor, and has no queue.

    Attributes:
        connection_id: unique in its registry.
        connection_type: what it is for.
        state: the connection's state.
        metadata: anything that the application wants to remember with it.
        created_at: when it was made, as a `Moment` in UTC.
        made_after: the number of revocations when it was made.
        subscriber: the client, where the request was checked.
        feed: what it follows.
        busy: whether a `send` is under way; until it returns, nothing else is sent.
        cursor: while it is busy, the sequence up to which the log has been handed to it.
        backlog: the next events that the log had for it when it joined.
        since: what it has still to read of the log up to where it joined, after the backlog.
        sending: bytes that the server has not taken yet.
        private_limit: the number of private frames that may wait; 0 for no limit.
        held_bytes: bytes of private frames that may wait; one frame may, whatever its size.
        private_queue: waiting frames for this connection only, each with the sequence after which it is sent.
        final_event: the event that ends the stream, if it is to end.
        send_raw: the ASGI `send`.
        receive: the ASGI `receive`.
        server: what runs the stream, if it is known.
        steppable: whether `send_raw` may be stepped outside of a task.
        task: the task that holds the stream, as long as it does.
        wanted_id: the id that the application asked for.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_activity",
        "_base",
        "_delivery",
        "_private",
        "backlog",
        "busy",
        "connection_id",
        "connection_type",
        "created_at",
        "cursor",
        "feed",
        "final_event",
        "held_bytes",
        "made_after",
        "metadata",
        "private_limit",
        "private_queue",
        "receive",
        "send_raw",
        "sending",
        "server",
        "since",
        "state",
        "steppable",
        "subscriber",
        "task",
        "wanted_id",
    )  # fmt: skip

    def __init__(
        self,
        connection_id: str,
        delivery: Delivery,
        feed: Feed,
        connection_type: str = "global",
        *,
        private_limit: int = 100,
        held_bytes: int = HELD_BYTES,
        subscriber: Subscriber | None = None,
    ) -> None:
        self.connection_id, self.connection_type = connection_id, connection_type
        self.state, self.metadata = ConnectionState.CONNECTING, dict[str, Any]()
        self.created_at = self._activity = now()
        self.made_after = latest()
        self.feed, self.subscriber = feed, subscriber
        self._delivery, self.private_limit, self.held_bytes = delivery, private_limit, held_bytes
        self._base, self._private = feed.total, 0
        self.busy, self.steppable, self.cursor = True, False, 0
        self.backlog: list[Event] = []
        self.since: list[Since] = []
        self.sending = 0
        self.private_queue: list[Event] = []
        self.final_event: Event | None = None
        self.send_raw: servers.Send | None = None
        self.receive: servers.Receive | None = None
        self.server: servers.Server | None = None
        self.task: asyncio.Task[Any] | None = None
        self.wanted_id: str | None = None

    @property
    def channels(self) -> frozenset[str]:
        """The channels that it follows, without the broadcasts that every connection gets."""
        return without_broadcasts(self.feed.channels)

    @property
    def browser(self) -> str | None:
        """The browser that reads it, where that is known."""
        return None if self.subscriber is None else self.subscriber.principal.browser

    @property
    def following(self) -> bool:
        """Whether it has joined its feed, and not left."""
        return self in self.feed.connections

    @property
    def message_count(self) -> int:
        """The number of messages handed to it. Feeds count them, so that a delivery costs nothing."""
        return self.feed.total - self._base + self._private

    @property
    def last_activity(self) -> Moment:
        """When something was last sent, in UTC."""
        sent: Moment = now() - timedelta(seconds=time.monotonic() - self.feed.sent_at)
        return max(self._activity, sent)

    @property
    def queue(self) -> StreamQueue:
        """An object like a queue, into which a program of the first API puts messages for this connection only."""
        return StreamQueue(self)

    @property
    def waiting_bytes(self) -> int:
        """The bytes that are held for it because its client does not read."""
        return self.sending + size_of(self.backlog) + size_of(self.private_queue)

    def joined(self, feed: Feed, cursor: int, since: list[Since]) -> None:
        """Begin to read a feed from a cursor on, after what the log has before."""
        self.feed, self.cursor, self.since = feed, cursor, since
        self._base = feed.total

    def forget_backlog(self) -> None:
        """Do not send what the log had before it joined."""
        self.backlog, self.since = [], []

    def is_active(self) -> bool:
        """Check if connection is active."""
        return self.state in ACTIVE_STATES

    async def send(self, data: Any, timeout: float = 1.0) -> bool:
        """Send data to this connection only, as `offer` does. It never waits."""
        return self.offer(data)

    def offer(self, data: Any) -> bool:
        """Send data to this connection only: bytes are a frame, objects with `to_sse` make their own, text becomes one.

        Returns:
            False if the connection has ended, or has not read what was sent before.
        """
        if hasattr(data, "to_sse"):
            data = data.to_sse().encode()
        return self._delivery.send_private(self, data if isinstance(data, bytes) else encode(data))

    async def deliver(self, message: BroadcastMessage, event: Event, timeout: float) -> bool:
        """Send an event to this connection only, as its feed renders it. It never waits."""
        frame = await self.feed.rendered([event])
        return bool(frame) and self._delivery.send_private(self, frame)

    def queue_private(self, event: Event) -> bool:
        """Queue a frame for this connection only; return False if too many wait."""
        waiting = self.private_queue
        has_room = self.private_limit == 0 or len(waiting) < self.private_limit
        if has_room := has_room and (not waiting or size_of([*waiting, event]) <= self.held_bytes):
            self.private_queue.append(event)
        return has_room

    def count_private(self, number: int = 1) -> None:
        """Count messages for this connection only."""
        self._private += number

    def end(self, frame: bytes = b"") -> None:
        """End the stream after what was published until now and `frame`."""
        self._delivery.end(self, frame)

    def cut(self) -> None:
        """End the stream at once, without a frame."""
        self._delivery.cut(self)

    async def heartbeat(self) -> str:
        """Generate a heartbeat message: a comment frame, which clients ignore."""
        return comment(f"heartbeat {now().isoformat()}").decode()

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """Mark the connection as closed, and end its stream. A failed connection stays marked so."""
        if self.state is not ConnectionState.ERROR:
            self.state = state
        if self.following:
            self.end()

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send bytes, and wait until the server has taken them.

        Raises:
            ConnectionClosed: if the server does not take them, or there is no stream.
        """
        if self.send_raw is None:
            raise ConnectionClosed("the connection has no stream")
        self.sending = len(body)
        await checked_send(self.send_raw, body_message(body, more=more))
        self.sending = 0


def size_of(events: Iterable[Event]) -> int:
    """Return the bytes of the frames of events."""
    return sum(len(event.frame) for event in events)


def excludes(event: Event, reader: StreamConnection | None) -> bool:
    """Tell whether an event excludes a connection."""
    return reader is not None and reader.connection_id in event.exclude_connections


def frame_for(event: Event, reader: StreamConnection | None) -> bytes:
    """Return the frame of an event as a connection gets it: no browser gets the names of another one's tabs."""
    if not event.browsers:
        return event.frame
    return for_browser(event.frame, None if reader is None else reader.browser)


class StreamQueue:
    """The writing end of a queue, in front of a stream: what is put into it is sent to this connection only.

    It cannot be read: the stream itself does that.

    Args:
        connection: the stream.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection

    @property
    def maxsize(self) -> int:
        """The number of messages that may wait; 0 for no limit."""
        return self._connection.private_limit

    def qsize(self) -> int:
        """Return the number of messages that wait."""
        return len(self._connection.private_queue)

    def empty(self) -> bool:
        """Tell whether no message waits."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Tell whether there is no room for another message."""
        return 0 < self.maxsize <= self.qsize()

    def put_nowait(self, item: Any) -> None:
        """Send an item, as `StreamConnection.offer` does.

        Args:
            item: bytes of a frame, text, or an object with `to_sse`.

        Raises:
            asyncio.QueueFull: if the client has not read what it was sent before.
            ConnectionClosed: if the stream has ended.
        """
        if not self._connection.offer(item):
            if self._connection.following:
                raise asyncio.QueueFull
            raise ConnectionClosed("the connection is closed")

    async def put(self, item: Any) -> None:
        """Send an item, as `put_nowait` does. It never waits.

        Args:
            item: as `put_nowait` has it.

        Raises:
            asyncio.QueueFull, ConnectionClosed: as `put_nowait`.
        """
        self.put_nowait(item)


async def checked_send(send: Callable[..., Any], *message: Any) -> None:
    """Wait until the server has taken a message.

    Raises:
        ConnectionClosed: if it does not. Servers raise different errors, at different moments.
    """
    try:
        await send(*message)
    except Exception as error:
        raise ConnectionClosed("the server did not take a message") from error


def body_message(body: bytes, *, more: bool = True) -> dict[str, Any]:
    """Return the ASGI message that sends a part of a body."""
    return {"type": "http.response.body", "body": body, "more_body": more}
