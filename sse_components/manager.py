"""The manager: publishes, broadcasts, registers, and makes streams.

`BroadcastManager` has the signatures of cjm-fasthtml-sse, on top of channels and the log. It needs no component.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Self

from .access.grants import GRANT_SECONDS
from .access.identity import as_set, check_tabs, is_tab, user_name
from .access.limits import Limits
from .access.revocations import Revocations
from .access.selector import Selector
from .access.shared_revocations import revocations_of
from .access.subscriber import Subscriber
from .backends import Backend, MemoryBackend, backend_of
from .backends.base import NEW_LOG, STATE_CHANNEL
from .callbacks import call
from .checks import check_positive, check_whole
from .delivery import servers
from .delivery.admission import Admission
from .delivery.connection import Connection, ConnectionState, SSEConnection
from .delivery.enforcement import Enforcement
from .delivery.fanout import FanOut
from .delivery.feed import Render, Since, StreamConnection, StreamQueue
from .delivery.processes import DISCONNECT, REVOKE, Processes
from .delivery.quota import Quota
from .delivery.registry import ConnectionRegistry
from .delivery.response import StreamResponse
from .delivery.shutdown import Shutdown
from .delivery.views import LiveView
from .delivery.workers import check_one_worker
from .errors import MessageTooLarge
from .events.log import Event
from .events.message import BroadcastMessage, message_of
from .events.moment import now
from .events.wire import check_channel, check_event, check_text, encode, event_name
from .home_loop import HomeLoop, in_home_loop
from .html.built import from_builder
from .html.granted import Readers, Site, render_for
from .html.oob import message_html
from .html.page_context import page_of_session
from .presence import Presence
from .protocol import (
    BROADCAST_CHANNEL,
    HEARTBEAT_SECONDS,
    OPEN_EVENT,
    RETRY_BASE_MS,
)
from .publication import Outcome, Publication, future_id
from .transactions import Action, AfterCommit, hold, run_all

logger = logging.getLogger("sse_components")

# It may be async; any other runs in a worker thread.
ElementBuilder = Callable[[str, dict[str, Any]], Any]


class BroadcastManager:
    """Publishes to every tab that follows a channel, in this process and others.

    Start and stop come with the application's lifespan when `setup_sse` made it; on its own, a manager starts when it
    is first used.

    Args:
        max_queue_size: the number of messages that wait for one reader of a `register`ed queue, or of `send_to`; 0 for
            no limit.
        history_limit: the number of broadcasts that `get_history` remembers; 0 for none.
        queue_timeout: seconds that `send_to` waits for room in a queue; 0 to not wait. Nothing else ever waits for a
            client.
        debug: also log connections and broadcasts at info level.
        backend: keeps the log, as `setup_sse` has it; by default this process' memory.
        heartbeat: seconds of silence after which a stream gets a comment.
        element_builder: turns the type and data of a broadcast into what pages get, as `from_builder` has it: FT, HTML
            as text, or the result of `OOBStreamBuilder.build()`. It gets the data that was broadcast, before JSON.
        max_message_bytes: bytes that one message may have; by default `limits.message_bytes`.
        limits: how many connections there may be, and what they may ask for.
        grant_seconds: seconds for which the grants of pages are valid.

    Raises:
        ValueError: for a number that is not allowed.

    Example:
        `manager = BroadcastManager(history_limit=100)`

    Source: cjm-fasthtml-sse, `broadcast`.
    """

    def __init__(
        self,
        max_queue_size: int = 100,
        history_limit: int = 50,
        queue_timeout: float = 0.1,
        debug: bool = False,
        *,
        backend: Backend | str | None = None,
        heartbeat: float = HEARTBEAT_SECONDS,
        element_builder: ElementBuilder | None = None,
        max_message_bytes: int | None = None,
        limits: Limits | None = None,
        grant_seconds: float = GRANT_SECONDS,
    ) -> None:
        limits = limits or Limits()
        largest = limits.message_bytes if max_message_bytes is None else max_message_bytes
        check_whole(max_message_bytes=largest)
        check_whole(least=0, max_queue_size=max_queue_size, history_limit=history_limit)
        check_positive(heartbeat=heartbeat, grant_seconds=grant_seconds)
        check_positive(zero=True, queue_timeout=queue_timeout)
        self.max_queue_size, self.queue_timeout, self.debug = max_queue_size, queue_timeout, debug
        self.heartbeat, self.element_builder, self.max_message_bytes = heartbeat, element_builder, largest
        self.limits, self.grant_seconds = limits, grant_seconds
        self.backend = backend_of(backend)
        self.fanout = FanOut(self.backend, held_bytes=limits.held_bytes)
        self.registry = ConnectionRegistry(debug)
        self.quota = Quota(self.registry, limits)
        self.revocations = revocations_of(self.backend, grant_seconds)
        self.enforcement = Enforcement(self.registry, self.revocations, Revocations(grant_seconds))
        self.processes = Processes(self.backend, self.revocations, self.enforcement)
        self.admission = Admission(self.quota, self.enforcement)
        self.presence = Presence(heartbeat=heartbeat, limits=limits)
        self.history: deque[BroadcastMessage] = deque(maxlen=history_limit)
        self.home = HomeLoop(self._open, self.stop, lambda: bool(len(self.registry)))
        self.lock = asyncio.Lock()
        self.site: Site | None = None
        self.strict = False
        self._takes_any_data = element_builder is not None
        self._queues: dict[SSEConnection, None] = {}
        self._shutdown = Shutdown(self.fanout)

    # ------------------------------------------------------------------ life

    @property
    def running(self) -> bool:
        """Whether it has started, and not stopped."""
        return self.home.is_running

    @property
    def closing(self) -> bool:
        """Whether it is about to stop, or has stopped, so that new streams are refused."""
        return self._shutdown.has_begun

    def start_with_application(self) -> None:
        """Start by an application's lifespan or first request: publishing before it needs a running event loop."""
        self.home.needs_server = True

    def allow_any_data(self) -> None:
        """Allow broadcasts of data that JSON cannot represent, because a builder makes the elements that pages get."""
        self._takes_any_data = True

    @property
    def connections(self) -> Mapping[str, asyncio.Queue[Any] | StreamQueue]:
        """The queues of the connections by their ids: a view that follows them, and cannot be written.

        That of a stream takes messages, and cannot be read.
        """
        return LiveView(lambda: {id: found.queue for id, found in self.registry.connections.items()})

    @property
    def connection_metadata(self) -> Mapping[str, dict[str, Any]]:
        """The metadata of the connections by their ids: a view that follows them, and cannot be written.

        Each has `connected_at`, ISO text.
        """
        return LiveView(lambda: {id: metadata_of(found) for id, found in self.registry.connections.items()})

    async def start(self) -> None:
        """Begin to hand out events, in the running event loop. Starting twice is allowed.

        Raises:
            SetupError: without asyncio, or while another event loop serves the application.
            Exception: what the backend raises when it is opened.
        """
        await self.home.start()

    async def _open(self) -> None:
        # The loop of the last start may have ended without a shutdown: its timers will never run.
        self._shutdown.stop_watching()
        self.enforcement.stop()
        self.presence.close()
        self.fanout = FanOut(self.backend, held_bytes=self.limits.held_bytes)
        self._shutdown = Shutdown(self.fanout)
        # A lock belongs to the event loop in which it was first waited for.
        self.lock, self.registry.lock = asyncio.Lock(), asyncio.Lock()
        self._building = asyncio.Lock()  # what builders make is published in the order of the calls
        if self.home.needs_server and isinstance(self.backend, MemoryBackend):
            check_one_worker(strict=self.strict)
        await self.backend.open(self._on_event)
        if self.home.by_call and self.home.needs_server and isinstance(self.backend, MemoryBackend):
            warn_without_server()

    async def stop(self) -> None:
        """End every stream with a last frame, and stop publishing. Stopping twice is allowed."""
        if not self.running:
            return
        await self._shutdown.begin()
        self._shutdown.stop_watching()
        self.enforcement.stop()
        self.presence.close()
        await self.backend.close(self._on_event)
        for connection in self.registry.get_connections():
            self.registry.remove(connection)
        self._queues.clear()
        self.home.leave()

    async def __aenter__(self) -> Self:
        await self.home.begin_lifespan()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.home.end_lifespan()

    # ------------------------------------------------------------------ publishing

    def publish(
        self,
        channel: str,
        *elements: Any,
        event: str | None = None,
        target: Any = None,
        swap: str | bool | None = None,
        exclude: str | Iterable[str | None] | None = None,
        only: str | Iterable[str] | None = None,
    ) -> Publication:
        """Publish elements to every tab that follows a channel.

        It may be called anywhere: in an async handler, a sync handler, a thread or a job, with or without `await`. The
        elements are checked and rendered at once. In the event loop they are published at once, too; from elsewhere
        they are handed over to it, in the order of the calls.

        Without `target` and `swap` the elements go where the page's SSE element swaps messages. With either, they are
        swapped out of band, and the receiver's own content stays as it is.

        A page that is rendered at the same moment may show the change already, and get it once more. An inserted
        element with an `id` replaces the element that has the id already. Without an id, the page has it twice.

        Args:
            channel: the channel's name.
            elements: FT, strings (as text), or objects with `__ft__`; rendered once, here.
            event: name of the event; by default a plain message.
            target: an id, a selector or an element with an id; by default each element's own id.
            swap: how to swap, as `oob` has it; by default `outerHTML`.
            exclude: a tab (`this_tab()`), or the id of a connection, that does not get it; or several of either.
            only: the tab, or the tabs, that show it. Other browsers do not get it; other tabs of the same browser do
                not show it.

        Returns:
            A `Publication`: await it, or call its `result()` in a thread, for the event's id. It may be ignored. In a
            block of `after_commit` the id is '', because the event is published later.

        Raises:
            ChannelError, WireError: if a name is not allowed.
            MarkupError: for an unknown swap, or an element without id where one is needed.
            MessageTooLarge: over `max_message_bytes`.
            NotRunning: after shutdown, or before start-up outside of an event loop.

        Example:
            `sse.publish('todos', Li('milk', id='todo-1'), target='todo-list', swap='beforeend')`
        """
        names = as_set(exclude)
        tabs = frozenset(filter(is_tab, names))
        append = partial(
            self._append,
            check_channel(channel),
            self._checked(render_for(Readers(channel, self), message_html, elements, target, swap)),
            event=check_event(event),
            exclude_tabs=tabs,
            exclude_connections=names - tabs,
            only_tabs=check_tabs(only),
        )
        return self.run_after_commit(append)

    def run_after_commit(self, publish: Callable[[], Outcome[str]]) -> Publication:
        """Call what publishes, in the event loop: now, or when the transaction around has been committed.

        Args:
            publish: returns the outcome. Its arguments have been checked.

        Returns:
            The outcome; a `Publication` with an empty id, if it waits for the commit.

        Raises:
            NotRunning: after shutdown, or before start-up outside of an event loop.
        """
        self.home.check()
        if hold(publish):
            return Publication.of("")
        return self.home.make(publish, Publication)  # type: ignore[return-value]

    def after_commit(self, db: Any) -> AfterCommit:
        """Return a transaction, for `with` or `async with`, whose publications wait until it is committed.

        What is published inside, by `publish`, a toast, or the handle of a text, a list, a region or a field, goes out
        after the commit, in order, and before what is published later. When the block raises, or the commit fails, the
        database is rolled back and nothing goes out. Inside, the result of `publish` is an empty id. `broadcast` does
        not wait, nor do the handles that show what goes on: logs, sparklines, jobs and answers.

        A block inside of another one for the same connection is a part of it: when it raises, its part is undone, and
        what it has published is dropped; the rest is decided by the one around.

        Blocks take turns with a connection. In an `async` handler, `with` is for a block that awaits nothing but
        publications; `async with` lets others run, and waits for its turn. Statements that others execute on the same
        connection meanwhile, without a block, become part of the transaction.

        Args:
            db: a fastlite database, or a connection of `sqlite3` or `apsw`.

        Raises:
            TypeError: for anything else.
            RuntimeError: on entering, if the connection is in a transaction already, or if `with` would wait for ever.

        Example:
            `with sse.after_commit(db): todos.insert(todo); sse.list('todos').append(item(todo))`
        """
        return AfterCommit(db, self.publish_committed)

    def publish_committed(self, actions: list[Action]) -> None:
        """Publish, in order, what a transaction has held back.

        Args:
            actions: publish; called in the event loop.

        Raises:
            NotRunning: after shutdown, or before start-up outside of an event loop.
        """
        self.home.make(partial(run_all, actions), Outcome)

    def _append(self, channel: str, data: str, **options: Any) -> Publication:
        appended = self.backend.append(channel, data, **options)
        return Publication.of(appended.id) if isinstance(appended, Event) else Publication(future_id(appended))

    @in_home_loop
    async def broadcast(
        self,
        message_type: str,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        exclude: set[str] | None = None,
    ) -> int:
        """Broadcast a message to all connected clients, whatever their channels.

        Pages get what `element_builder` makes of it. Without a builder, or if it returns None, they get the message as
        JSON, as the event `message_type` if that can be an event's name, else as a plain message. The log keeps the
        JSON, which other processes read.

        Args:
            message_type: type of the message; any text.
            data: message data: what `to_json_text` knows, and anything else where an element builder makes the
                elements.
            metadata: optional metadata, as `data`.
            exclude: set of connection IDs to exclude from broadcast. An id that several connections asked for is the
                newest one's.

        Returns:
            Number of connections that it was handed to.

        Raises:
            TypeError, ValueError: if data or metadata hold what JSON has no form for, and pages get JSON.
            MessageTooLarge: over `max_message_bytes`.
            NotRunning: after shutdown.

        Example:
            `await manager.broadcast('note', {'text': 'Saved', 'at': datetime.now()}, exclude={connection_id})`
        """
        message = BroadcastMessage(message_type, data, metadata=metadata)
        as_json, event, text = await self._written(message)
        excluded = frozenset(map(self.registry.resolve, as_set(exclude)))
        await self._append(BROADCAST_CHANNEL, text, event=event, exclude_connections=excluded, message=as_json)
        reached = len(self.registry) - sum(self.registry.get_connection(name) is not None for name in excluded)
        logger.log(logging.INFO if self.debug else logging.DEBUG, "broadcast to %d connections", reached)
        return reached

    @in_home_loop
    async def send_to(
        self,
        connection_id: str,
        message_type: str,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Send a message to a specific connection.

        Args:
            connection_id: target connection ID; one that several connections asked for is the newest one's.
            message_type: type of the message.
            data: message data.
            metadata: optional metadata.

        Returns:
            True if successful; False if there is no such connection, it has not read what it was sent before, or its
            `element_builder` leaves the message out.

        Raises:
            What `broadcast` does.

        Example:
            `await manager.send_to('user-1', 'note', {'text': 'Only you see this'})`
        """
        message = BroadcastMessage(message_type, data, metadata=metadata)
        as_json, event, text = await self._written(message)
        connection = self.registry.get_connection(connection_id)
        if connection is None:
            return False
        private = Event("", 0, "", encode(text, event=event), message=as_json)
        return await connection.deliver(message, private, self.queue_timeout)

    async def _written(self, message: BroadcastMessage) -> tuple[str, str | None, str]:
        """Return a message's JSON, the event that pages get for it, and that event's data."""
        as_json = message.to_json(lenient=self._takes_any_data)
        self._checked(as_json)
        built = None
        if self.element_builder is not None:
            async with self._building:
                made = await call(self.element_builder, message.type, message.data)
                built = render_for(Readers(BROADCAST_CHANNEL, self), from_builder, made)
        if built is None:
            return as_json, event_name(message.type), as_json
        return as_json, check_event(built[0]), self._checked(built[1])

    def _checked(self, text: str) -> str:
        check_text(text)
        size = len(text) if len(text) * 4 <= self.max_message_bytes else len(text.encode())
        if size > self.max_message_bytes:
            raise MessageTooLarge(f"the message has {size} bytes; max_message_bytes is {self.max_message_bytes}")
        return text

    def _on_event(self, event: Event) -> None:
        if event is NEW_LOG:
            self.fanout.begin_again()
            return
        if event.channel == STATE_CHANNEL:
            self._hear(event)
            return
        if event.message is not None:
            message = message_of(event.message)
            self.history.append(message)
            for connection in list(self._queues):
                if connection.connection_id not in event.exclude_connections and not connection.offer(message):
                    self._close_full(connection)
        self.fanout.enqueue(event)

    def _hear(self, event: Event) -> None:
        """Do what another process tells."""
        if (revoked := self.processes.hear(event)) is not None:
            self.presence.revoke(revoked)

    def _close_full(self, connection: SSEConnection) -> None:
        if connection.is_active():
            logger.warning("a connection has not read %d messages and is closed", self.max_queue_size)
        self._queues.pop(connection, None)
        self.registry.remove(connection, ConnectionState.ERROR)

    # ------------------------------------------------------------------ connections

    @in_home_loop
    async def register(
        self, connection_id: str | None = None, metadata: dict[str, Any] | None = None
    ) -> tuple[str, asyncio.Queue[Any]]:
        """Register a new connection and return its queue.

        A queue that is full when something is broadcast is closed: its reader gets what is in it, and then
        `ConnectionClosed`.

        Args:
            connection_id: optional ID for the connection (auto-generated if not provided). It must be the application's
                choice, never a client's. If it is taken, the new connection gets another id that starts with it, and
                `send_to` and `exclude` address the new one by the id that was asked for. The older one stays.
            metadata: optional metadata for the connection.

        Returns:
            Tuple of (connection_id, queue), with the id that it got. Give that one to `unregister`.

        Raises:
            NotRunning: after shutdown.

        Example:
            `connection_id, queue = await manager.register('user-1', {'page': 'board'})`
        """
        given = {**(metadata or {}), "connected_at": now().isoformat()}
        connection = await self.registry.add_connection(connection_id, queue_size=self.max_queue_size, metadata=given)
        self._queues[connection] = None
        return connection.connection_id, connection.queue

    @in_home_loop
    async def unregister(self, connection_id: str) -> None:
        """Unregister a connection; a stream is ended. An unknown id is no error.

        Args:
            connection_id: the id that `register` returned. It always means the connection that got it, even if a newer
                one is addressed by it now.
        """
        if (connection := self.registry.owner(connection_id)) is not None:
            self._queues.pop(connection, None)  # type: ignore[call-overload]
            self.registry.remove(connection)

    def get_connection_count(self, *, channel: str | None = None) -> int:
        """Get the number of active connections.

        Args:
            channel: count only streams that follow this channel.
        """
        if channel is not None:
            return self.fanout.followers(check_channel(channel))
        return len(self.registry.get_active_connections())

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
        subscriber: Subscriber | None = None,
        greeting: dict[str, Any] | None = None,
    ) -> StreamResponse:
        """Return the response that streams channels, and all broadcasts, to one client.

        Args:
            channels: the channels, or the one channel, to follow.
            since: what to send of the log first: pairs of channels and the cursor to begin after.
            connection_id: an id that the application chooses; never one from the client.
            connection_type: what the registry knows it as.
            metadata: what to remember with the connection.
            render: makes the frames of broadcasts, where their own frames are not wanted.
            heartbeat: seconds; by default the manager's.
            history: frames to send first.
            subscriber: the client, and its grants; by default the client whose request the response answers.
            greeting: what the first frame contains beside the connection's id and heartbeat.
        """
        await self.home.be_here()
        interval = self.heartbeat if heartbeat is None else heartbeat
        connection = StreamConnection(
            self.registry.free_id(connection_id),
            self.fanout,
            self.fanout.feed(as_set(channels), render=render, heartbeat=interval),
            connection_type,
            private_limit=self.max_queue_size,
            held_bytes=self.limits.held_bytes,
            subscriber=subscriber,
        )
        connection.metadata.update(metadata or {})
        if connection_id:
            self.registry.reserve(connection)
            connection.wanted_id = connection_id
        beginnings = list(since) or [(frozenset(), self.backend.cursor)]
        for cursor in {cursor for _, cursor in beginnings if cursor is not None}:
            await self.backend.reach(cursor)
        opened = json.dumps({"connection": connection.connection_id, "heartbeat": interval, **(greeting or {})})
        return StreamResponse(
            self.fanout,
            connection,
            opening=encode(opened, event=OPEN_EVENT, retry=RETRY_BASE_MS) + history,
            since=beginnings,
            admit=self.admission.enter,
            on_start=self._on_start,
            on_end=self._on_end,
        )

    def _on_start(self, connection: StreamConnection) -> None:
        self.registry.add(connection, name=connection.wanted_id)
        if not self.enforcement.admit(connection):
            # It has sent nothing yet. Its client reconnects, and learns what is denied.
            connection.forget_backlog()
            connection.end()
        self._shutdown.watch(connection)

    def _on_end(self, connection: StreamConnection) -> None:
        self.registry.remove(connection)
        self.enforcement.leave(connection)
        self.presence.end(connection.connection_id)

    # ------------------------------------------------------------------ access

    def revoke(
        self,
        *,
        user: Any = None,
        session: Mapping[str, Any] | None = None,
        connection: str | None = None,
        channel: str | None = None,
    ) -> Outcome[int]:
        """Revoke the grants that were issued until now, and end the streams that use them within a second.

        Their pages show it. A page that is rendered later gets new grants. Several arguments revoke only
        what all of them apply to. Like `publish`, it may be called anywhere, with or without `await`.

        With a shared backend, every process does it, and a restart does not forget it. Await it there before you
        render a page that may follow again: the revocation counts from when it is stored.

        Args:
            user: as in `request.scope['auth']`, in all browsers.
            session: the session of the present request, for all tabs of its browser, with whomever they are signed
                in; also after `session.clear()`, as a handler that logs out writes it.
            connection: the id of one connection.
            channel: one channel; and the room of this name, whose presence they no longer see, and are no longer in.

        Returns:
            An `Outcome`, whose result is the number of streams that are ended in this process.

        Raises:
            BackendUnavailable: if the other processes could not be told; in this one it is done.
            TypeError: without any argument.
            IdentityError: for a user that names nobody.
            SetupError: for the session of another request.
            ChannelError: if the channel's name is not allowed.
            NotRunning: after shutdown, or before start-up outside of an event loop.

        Example:
            `sse.revoke(user=member.id, channel=f'team-{team.id}')`
        """
        return self._enforce(REVOKE, self._revoke, selector(user, session, connection, channel))

    def disconnect(
        self,
        *,
        user: Any = None,
        session: Mapping[str, Any] | None = None,
        connection: str | None = None,
        channel: str | None = None,
    ) -> Outcome[int]:
        """End streams within a second, so that their clients come back at once and are checked again.

        Use it when `authorize` would decide differently now; grants stay valid. To log out, use `revoke`. Like
        `publish`, it may be called anywhere, with or without `await`.

        Args:
            user: as `revoke` has it.
            session: as `revoke` has it.
            connection: as `revoke` has it.
            channel: as `revoke` has it.

        Returns:
            An `Outcome`, whose result is the number of streams that are ended in this process.

        Raises:
            BackendUnavailable, TypeError, IdentityError, SetupError, ChannelError, NotRunning: as `revoke`.

        Example:
            `sse.disconnect(channel='board')`
        """
        return self._enforce(DISCONNECT, self.enforcement.disconnect, selector(user, session, connection, channel))

    def _revoke(self, selected: Selector) -> int:
        self.presence.revoke(selected)
        return self.enforcement.revoke(selected)

    def _enforce(self, what: str, enforce: Callable[[Selector], int], selected: Selector | None) -> Outcome[int]:
        if selected is None:
            self.home.check()
            return Outcome.of(0)
        return self.home.make(lambda: self._tell(what, selected, enforce(selected)), Outcome)

    def _tell(self, what: str, selected: Selector, ended: int) -> Outcome[int]:
        result = self.processes.tell(what, selected, ended)
        return Outcome.of(result) if isinstance(result, int) else Outcome(result)


def warn_without_server() -> None:
    """Log that what is published here may reach nobody, unless a server is known that runs in this event loop."""
    if servers.find_server() is None:
        logger.warning(
            "something is published in a process in which no server is known to run: only pages of this process get it,"
            " because the default backend keeps its log in memory"
        )


def metadata_of(connection: Connection) -> dict[str, Any]:
    """Return a connection's metadata with `connected_at`: the metadata itself, if it has that already."""
    given = connection.metadata
    return given if "connected_at" in given else {"connected_at": connection.created_at.isoformat(), **given}


def selector(
    user: Any, session: Mapping[str, Any] | None, connection: str | None, channel: str | None
) -> Selector | None:
    """Return the selector of the arguments of `revoke`; None for a browser that the kit has granted nothing to.

    Raises:
        TypeError: without any argument.
        IdentityError: for a user that names nobody.
        SetupError: for the session of another request.
        ChannelError: if the channel's name is not allowed.
    """
    if user is None and session is None and connection is None and channel is None:
        raise TypeError("say what to end: user=, session=, connection= or channel=")
    browser = None if session is None else page_of_session(session).principal.browser
    if session is not None and browser is None:
        return None
    name = None if channel is None else check_channel(channel)
    return Selector(None if user is None else user_name(user), browser, connection, name)
