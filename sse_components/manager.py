"""The manager: publishing, broadcasting, and the connections that follow.

The reference's `BroadcastManager` with its signatures, on top of channels and the log.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from fastcore.xml import NotStr

from .access.identity import is_tab
from .access.limits import Limits
from .access.subscriber import Visitor
from .backends import Backend, MemoryBackend
from .delivery import servers
from .delivery.connection import ConnectionState, SSEConnection, now
from .delivery.enforcement import Door, Whom
from .delivery.fanout import FanOut
from .delivery.feed import Render, Since, StreamConnection
from .delivery.registry import ConnectionRegistry
from .delivery.response import StreamResponse
from .errors import MessageTooLarge, NotRunning, WireError
from .events.log import Event
from .events.wire import check_channel, check_event, encode
from .html.oob import oob, render
from .html.page_context import session_of_request
from .kit import Live
from .protocol import BROADCAST_CHANNEL, HEARTBEAT_SECONDS, OPEN_EVENT, RETRY_BASE_MS, SHUTDOWN_EVENT, SHUTDOWN_RETRY_MS
from .transactions import Outbox

logger = logging.getLogger("sse_components")

# Seconds that a stream has at shutdown to take its farewell; then it is cut.
SHUTDOWN_GRACE = 0.75
# Clients that are told to come back within one second; more of them are spread over more seconds.
RETURNS_PER_SECOND = 500

ElementBuilder = Callable[[str, dict[str, Any]], Any]


@dataclass
class BroadcastMessage:
    """Standard broadcast message format for SSE communication.

    Source: reference, `broadcast`.
    """

    type: str
    data: dict[str, Any]
    timestamp: str = field(default_factory=lambda: now().isoformat())
    metadata: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert message to dictionary format."""
        return asdict(self)

    def to_json(self) -> str:
        """Convert message to JSON string.

        Raises:
            TypeError, ValueError: if data or metadata hold what JSON has no form for, such as a set or infinity.
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_sse(self, event_type: str | None = None) -> str:
        """Convert to SSE message format: one frame with the message as JSON.

        Args:
            event_type: name of the event; without it, the frame is a plain message.
        """
        return encode(self.to_json(), event=event_type).decode()


class BroadcastManager(Live):
    """Publishes to every tab that follows a channel, in this process and others.

    Start and stop come with the application's lifespan when `setup_sse` made it; on its own, a manager starts when it
    is first used.

    Args:
        max_queue_size: messages that wait for one reader of a `register`ed queue, or of `send_to`.
        history_limit: broadcasts that `get_history` remembers.
        queue_timeout: seconds that `send_to` waits for room in a queue. Nothing else ever waits for a client.
        debug: log at info level, too, how many connections come, go, and get a broadcast.
        backend: keeps the log; by default this process' memory.
        heartbeat: seconds of silence after which a stream gets a comment.
        element_builder: turns the type and data of a broadcast into the elements that pages get.
        max_message_bytes: bytes that one message may have; by default as `limits` has it.
        limits: how many connections there may be, and how much they may ask for.

    Source: reference, `broadcast`.
    """

    def __init__(
        self,
        max_queue_size: int = 100,
        history_limit: int = 50,
        queue_timeout: float = 0.1,
        debug: bool = False,
        *,
        backend: Backend | None = None,
        heartbeat: float = HEARTBEAT_SECONDS,
        element_builder: ElementBuilder | None = None,
        max_message_bytes: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        most = limits.message_bytes if max_message_bytes is None else max_message_bytes
        check_positive(
            max_queue_size=max_queue_size,
            history_limit=history_limit,
            queue_timeout=queue_timeout,
            heartbeat=heartbeat,
            max_message_bytes=most,
        )
        self.max_queue_size, self.queue_timeout, self.debug = max_queue_size, queue_timeout, debug
        self.heartbeat, self.element_builder, self.max_message_bytes = heartbeat, element_builder, most
        self.backend: Backend = backend or MemoryBackend()
        self.fanout = FanOut(self.backend)
        self.registry = ConnectionRegistry(debug)
        self.limits, self.door = limits, Door(self.registry, limits)
        self.history: deque[BroadcastMessage] = deque(maxlen=history_limit)
        self.starts_by_itself = True
        self._queues: dict[str, SSEConnection] = {}
        self._outbox = Outbox(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch = servers.ExitWatch(self._on_exit)
        self._closing: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ life

    @property
    def running(self) -> bool:
        """Whether it can publish."""
        return self._loop is not None and not self._loop.is_closed()

    @property
    def closing(self) -> bool:
        """Whether the server has begun to stop, so that no new stream is taken."""
        return self._closing is not None

    async def start(self) -> None:
        """Begin to hand out events in the running event loop. Starting twice is allowed."""
        if self.running:
            return
        self.fanout = FanOut(self.backend)
        self.door.close()
        await self.backend.open(self._on_event)
        self._loop, self._closing = asyncio.get_running_loop(), None
        self._watch = servers.ExitWatch(self._on_exit)
        self._watch.start()

    async def stop(self) -> None:
        """End every stream with a farewell, and publish no more. Stopping twice is allowed."""
        if not self.running:
            return
        await self._end_streams()
        self.starts_by_itself = False
        self._watch.stop()
        self.door.close()
        self.here.presence.close()
        await self.backend.close()
        for connection in self.registry.get_connections():
            self.registry.remove(connection)
        self._queues.clear()
        self._loop = None

    async def __aenter__(self) -> BroadcastManager:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def _on_exit(self) -> None:
        self._end_streams()

    def _end_streams(self) -> asyncio.Task[None]:
        if self._closing is None:
            farewell = partial(farewell_frame, 1_000 * max(1, len(self.fanout) // RETURNS_PER_SECOND))
            self._closing = asyncio.create_task(self.fanout.close(farewell, grace=SHUTDOWN_GRACE))
        return self._closing

    async def _ready(self) -> None:
        if self.running:
            if self._loop is not asyncio.get_running_loop():
                raise NotRunning("the manager runs in another event loop: call publish_threadsafe, or await it there")
            return
        if not self.starts_by_itself:
            raise NotRunning("publish after the application's start-up and before its shutdown: its lifespan runs both")
        await self.start()

    # ------------------------------------------------------------------ publishing

    async def publish(
        self,
        channel: str,
        *elements: Any,
        event: str | None = None,
        target: Any = None,
        swap: str | bool | None = None,
        exclude: str | Iterable[str | None] | None = None,
        only: str | Iterable[str] | None = None,
    ) -> str:
        """Publish elements to every tab that follows a channel.

        Without `target` and `swap` the elements go where the page's SSE element swaps messages; with either, they are
        swapped out of band and the receiver's own content is left alone.

        A page that is rendered at the same moment may show the change already, and get it once more. Inserting an
        element with an `id` is safe: it takes the place of the one that stands there. Without an id it stands twice.

        Args:
            channel: the channel's name.
            elements: FT, strings (as text), or objects with `__ft__`; rendered once, here.
            event: name of the event; by default a plain message.
            target: an id, a selector or an element with an id; by default each element's own id.
            swap: how to swap, as `oob` has it; by default `outerHTML`.
            exclude: the tab (`this_tab()`), or the connection, that does not get it, or several of either.
            only: the tab, or the tabs, that alone show it. The others get its bytes all the same: no place for secrets.

        Returns:
            The event's id; '' in a block of `after_commit`, where it is published later.

        Raises:
            ChannelError, WireError: if a name is not allowed.
            MarkupError: for an unknown swap, or an element without id where one is needed.
            MessageTooLarge: over `max_message_bytes`.
            NotRunning: before start-up or after shutdown.
        """
        check_channel(channel)
        data = self._checked(markup(elements, target, swap))
        await self._ready()
        return await self._outbox.send(
            partial(
                self.backend.append,
                channel,
                data,
                event=check_event(event),
                exclude=as_set(exclude),
                only=check_tabs(only),
            )
        )

    def publish_threadsafe(self, channel: str, *elements: Any, **options: Any) -> concurrent.futures.Future[str]:
        """Publish from a sync handler, a thread or a job; arguments as `publish` has them.

        Elements are rendered and checked here, in the calling thread.

        Returns:
            A future of the event's id. Do not wait for it in the event loop's own thread.

        Raises:
            What `publish` does, and NotRunning at once.
        """
        if not self.running:
            raise NotRunning("publish_threadsafe needs the running application: call it between start-up and shutdown")
        check_channel(channel)
        check_event(options.get("event"))
        check_tabs(options.get("only"))
        target, swap = options.pop("target", None), options.pop("swap", None)
        html = NotStr(self._checked(markup(elements, target, swap)))
        return self._outbox.send_threadsafe(partial(self.publish, channel, html, **options))

    async def broadcast(
        self,
        message_type: str,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        exclude: set[str] | None = None,
    ) -> int:
        """Broadcast a message to all connected clients, whatever their channels.

        Pages get it as the event `message_type` with the message as JSON, or as what `element_builder` makes of it, if
        it makes anything.

        Args:
            message_type: type of the message.
            data: message data.
            metadata: optional metadata.
            exclude: set of connection IDs to exclude from broadcast.

        Returns:
            Number of connections that it was handed to.

        Raises:
            WireError: if the type cannot be an event's name.
            TypeError, ValueError: if data or metadata hold what JSON has no form for.
            MessageTooLarge: over `max_message_bytes`.
        """
        message = BroadcastMessage(message_type, data, metadata=metadata)
        event, text = self._for_pages(message)
        await self._ready()
        left_out = as_set(exclude)
        await self.backend.append(BROADCAST_CHANNEL, text, event=event, exclude=left_out, message=message)
        reached = len(self.registry) - sum(self.registry.get_connection(one) is not None for one in left_out)
        logger.log(logging.INFO if self.debug else logging.DEBUG, "broadcast to %d connections", reached)
        return reached

    async def send_to(
        self,
        connection_id: str,
        message_type: str,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Send a message to a specific connection.

        Args:
            connection_id: target connection ID.
            message_type: type of the message.
            data: message data.
            metadata: optional metadata.

        Returns:
            True if successful; False if there is no such connection, it has not read what it was sent before, or its
            `element_builder` leaves the message out.

        Raises:
            What `broadcast` does.
        """
        message = BroadcastMessage(message_type, data, metadata=metadata)
        event, text = self._for_pages(message)
        connection = self.registry.get_connection(connection_id)
        if connection is None:
            return False
        if not isinstance(connection, StreamConnection):
            return await connection.send(message, timeout=self.queue_timeout)
        if connection.feed.render is None:
            return connection.offer(encode(text, event=event))
        frame = connection.feed.render(Event("", 0, BROADCAST_CHANNEL, b"", message=message))
        return bool(frame) and connection.offer(frame)

    def _for_pages(self, message: BroadcastMessage) -> tuple[str | None, str]:
        """Return the event, and its data, that pages get for a message."""
        event, text = check_event(message.type), self._checked(message.to_json())
        elements = self.element_builder(message.type, message.data) if self.element_builder else None
        return (event, text) if elements is None else (None, self._checked(render(elements)))

    def _checked(self, text: str) -> str:
        size = len(text) if len(text) * 4 <= self.max_message_bytes else len(text.encode(errors="replace"))
        if size > self.max_message_bytes:
            raise MessageTooLarge(f"the message has {size} bytes; max_message_bytes is {self.max_message_bytes}")
        return text

    def _on_event(self, event: Event) -> None:
        if event.message is not None:
            self.history.append(event.message)
            for connection in list(self._queues.values()):
                if connection.connection_id not in event.exclude and not connection.offer(event.message):
                    self._overflowed(connection)
        self.fanout.enqueue(event)

    def _overflowed(self, connection: SSEConnection) -> None:
        if connection.is_active():
            logger.warning("a connection has not read %d messages and is closed", self.max_queue_size)
        self._queues.pop(connection.connection_id, None)
        self.registry.remove(connection, ConnectionState.ERROR)

    # ------------------------------------------------------------------ connections

    async def register(
        self, connection_id: str | None = None, metadata: dict[str, Any] | None = None
    ) -> tuple[str, asyncio.Queue[Any]]:
        """Register a new connection and return its queue.

        A queue that is full when something is broadcast is closed: its reader gets what is in it, and then
        `ConnectionClosed`.

        Args:
            connection_id: optional ID for the connection (auto-generated if not provided). If it is taken, the new one
                gets an id of its own.
            metadata: optional metadata for the connection.

        Returns:
            Tuple of (connection_id, queue), with the id that it got.
        """
        await self._ready()
        given = {**(metadata or {}), "connected_at": now().isoformat()}
        connection = await self.registry.add_connection(connection_id, queue_size=self.max_queue_size, metadata=given)
        self._queues[connection.connection_id] = connection
        return connection.connection_id, connection.queue

    async def unregister(self, connection_id: str) -> None:
        """Unregister a connection; a stream is ended. An unknown id is no error."""
        self._queues.pop(connection_id, None)
        connection = self.registry.get_connection(connection_id)
        if isinstance(connection, StreamConnection):
            self.fanout.end(connection)
        if connection is not None:
            self.registry.remove(connection)

    def get_connection_count(self, *, channel: str | None = None) -> int:
        """Get the number of active connections.

        Args:
            channel: count only streams that follow this channel.
        """
        if channel is not None:
            return self.fanout.followers(check_channel(channel))
        return sum(one.is_active() for one in self.registry.get_connections())

    def get_history(self, limit: int | None = None) -> list[BroadcastMessage]:
        """Get broadcast history, oldest first.

        Args:
            limit: how many of the latest; all that are remembered by default.
        """
        messages = list(self.history)
        return messages if limit is None else messages[max(0, len(messages) - limit) :]

    async def stream(
        self,
        channels: str | Iterable[str] = (),
        *,
        since: Iterable[Since] = (),
        connection_id: str | None = None,
        connection_type: str = "global",
        metadata: dict[str, Any] | None = None,
        render: Render | None = None,
        heartbeat: float | None = None,
        history: bytes = b"",
        visitor: Visitor | None = None,
        greeting: dict[str, Any] | None = None,
    ) -> StreamResponse:
        """Return the response that streams channels, and all broadcasts, to one client.

        Args:
            channels: the channels, or the one channel, to follow.
            since: what to send of the log first: pairs of channels and the cursor to begin after.
            connection_id: an id of the application's choice; never one from the client.
            connection_type: what the registry knows it as.
            metadata: what to remember with the connection.
            render: makes the bytes of an event, where its own frame is not wanted.
            heartbeat: seconds; the manager's by default.
            history: frames to send first.
            visitor: who asks, and by which grants.
            greeting: what the first frame says beside the connection's id and heartbeat.
        """
        await self._ready()
        beat = self.heartbeat if heartbeat is None else heartbeat
        feed = self.fanout.feed(as_set(channels), render=render, heartbeat=beat)
        connection = StreamConnection(
            self.registry.free_id(connection_id),
            self.fanout,
            feed,
            connection_type,
            mailbox_size=self.max_queue_size,
            visitor=visitor,
        )
        self.door.expect(connection)
        connection.metadata.update(metadata or {})
        if connection_id:
            self.registry.reserve(connection)
        opened = json.dumps({"connection": connection.connection_id, "heartbeat": beat, **(greeting or {})})
        return StreamResponse(
            self.fanout,
            connection,
            opening=encode(opened, event=OPEN_EVENT, retry=RETRY_BASE_MS) + history,
            since=list(since) or [(frozenset({BROADCAST_CHANNEL}), self.backend.cursor)],
            on_start=self._on_start,
            on_end=self._on_end,
        )

    def _on_start(self, connection: StreamConnection) -> None:
        self.registry.add(connection)
        self.door.enter(connection)
        self._watch.first_stream()

    def _on_end(self, connection: StreamConnection) -> None:
        self.registry.remove(connection)
        self.door.leave(connection)
        self.here.presence.end(connection.connection_id)

    # ------------------------------------------------------------------ who may stay

    async def revoke(
        self,
        *,
        user: Any = None,
        session: Mapping[str, Any] | None = None,
        connection: str | None = None,
        channel: str | None = None,
    ) -> int:
        """Take back what was granted until now, and end the streams that run by it, within a second.

        Their pages are told, and show it. A page that is rendered later is granted anew what it asks for, and so is
        all that was not meant. Several arguments mean only that to which all of them apply.

        Args:
            user: as `request.scope['auth']` has it, in all browsers.
            session: the session of a request, in all tabs of that browser; also after `session.clear()`, as a handler
                that logs out writes it.
            connection: the id of one connection.
            channel: one channel.

        Returns:
            How many streams are ended.

        Raises:
            TypeError: without any argument.
            ChannelError: if the channel's name is not allowed.
            NotRunning: before start-up or after shutdown.
        """
        await self._ready()
        meant = whom(user, session, connection, channel)
        return 0 if meant is None else self.door.revoke(meant)

    async def disconnect(
        self,
        *,
        user: Any = None,
        session: Mapping[str, Any] | None = None,
        connection: str | None = None,
        channel: str | None = None,
    ) -> int:
        """End streams, within a second, so that their clients come back at once and are looked at anew.

        For when `authorize` would decide otherwise than it did; grants stay what they are. To log out, `revoke`.

        Args, returns and raises as `revoke`.
        """
        await self._ready()
        meant = whom(user, session, connection, channel)
        return 0 if meant is None else self.door.disconnect(meant)


def markup(elements: tuple[Any, ...], target: Any, swap: str | bool | None) -> str:
    """Return the HTML of a message: elements as they are, or each swapped out of band."""
    if target is None and swap is None:
        return render(*elements)
    style = "outerHTML" if swap is None else swap
    if target is None:
        return "".join(str(oob(element, None, style)) for element in elements)
    return str(oob(elements[0] if len(elements) == 1 else elements, target, style))


def as_set(names: str | Iterable[str | None] | None) -> frozenset[str]:
    """Return names as a set; a single one may stand by itself, and None for nobody."""
    return frozenset(name for name in ([names] if isinstance(names, str) else names or ()) if name is not None)


def check_tabs(names: str | Iterable[str] | None) -> frozenset[str]:
    """Return the tabs that alone show a message; none, which is all of them, only where nothing is said.

    Raises:
        WireError: for names that are no tab's, or for a choice that comes to nobody.
    """
    tabs = as_set(names)
    if names is not None and not (tabs and all(is_tab(name) for name in tabs)):
        raise WireError(f"only takes tabs, as this_tab() names them, not {names!r}")
    return tabs


def whom(user: Any, session: Mapping[str, Any] | None, connection: str | None, channel: str | None) -> Whom | None:
    """Return whom the arguments of `revoke` mean; None for a session to which nothing was granted."""
    if user is None and session is None and connection is None and channel is None:
        raise TypeError("say whom: user=, session=, connection= or channel=")
    known = None if session is None else session_of_request(session)
    if session is not None and known is None:
        return None
    name = None if channel is None else check_channel(channel)
    return Whom(None if user is None else str(user), known, connection, name)


def farewell_frame(spread: int) -> bytes:
    """Return the frame that tells a client to come back, at a moment of its own within `spread` milliseconds."""
    return encode("{}", event=SHUTDOWN_EVENT, retry=SHUTDOWN_RETRY_MS + random.randrange(spread))


def check_positive(**values: float) -> None:
    """Raise `ValueError` for the first value that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be more than 0, not {value!r}")
