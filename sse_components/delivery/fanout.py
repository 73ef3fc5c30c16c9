"""Fan-out: every connection is a reader of the log.

Publishing appends to the log and schedules one flush for the present tick of the event loop. The flush joins all
pending events once for each feed, and steps the `send` of each connection once with the same message. A `send` that
suspends continues in a task. Its connection is busy, gets nothing meanwhile, and then catches up from the log. Nothing
waits for a connection, and no connection has a queue, a timer or a lock.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable
from operator import attrgetter
from types import coroutine
from typing import Any

from ..backends.base import Backend
from ..background import start_task
from ..errors import ConnectionClosed, HistoryGap
from ..events.log import Cursor, Event
from ..events.wire import encode
from ..protocol import RESET_EVENT
from . import servers
from .connection import ConnectionState
from .feed import (
    HEARTBEAT,
    HELD_BYTES,
    Feed,
    Render,
    Since,
    StreamConnection,
    body_message,
    checked_send,
    with_broadcasts,
)

logger = logging.getLogger("sse_components")

# Bytes handed to `send` at once, unless a single event is larger: what a slow reader costs beside the server's buffer.
CHUNK_BYTES = 256 * 1024

# A sequence before that of every log's first event, and before the latest that any log no longer has.
BEFORE_ALL = -1

# Fraction of a heartbeat by which it may be early, so that one timer serves many feeds.
EARLY = 0.1


class FanOut:
    """Hands the backend's events to the connections.

    Args:
        backend: the log that connections read.
        held_bytes: bytes of the log that one connection holds while its client does not read; it reads the rest of
            the log later.
    """

    def __init__(self, backend: Backend, *, held_bytes: int = HELD_BYTES) -> None:
        self.backend, self.held_bytes = backend, held_bytes
        self.feeds: dict[tuple[frozenset[str], Render | None, float], Feed] = {}
        self._by_channel: defaultdict[str, dict[Feed, None]] = defaultdict(dict)
        self._pending: list[Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._make_shutdown_frame: Callable[[], bytes] | None = None

    def __len__(self) -> int:
        return sum(len(feed.connections) for feed in self.feeds.values())

    def followers(self, channel: str) -> int:
        """Return how many connections follow a channel."""
        return sum(len(feed.connections) for feed in self._by_channel.get(channel, ()))

    # ------------------------------------------------------------------ publishing

    def enqueue(self, event: Event) -> None:
        """Queue an event for the flush at the end of this tick of the event loop."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(event)

    def flush(self) -> None:
        """Send all pending events to each connection that is not busy, in one message if they are not large."""
        events, self._pending = self._pending, []
        touched: dict[Feed, None] = {}
        for event in events:
            for feed in self._by_channel.get(event.channel, ()):
                feed.batch.append(event)
                touched[feed] = None
        for feed in touched:
            batch, feed.batch = feed.batch, []
            while batch:
                part, batch = split_by_size(batch, CHUNK_BYTES)
                self._deliver(feed, part)

    def _deliver(self, feed: Feed, batch: list[Event]) -> None:
        feed.total += len(batch)
        if feed.renders_later:
            self._catch_up_all(feed, after=batch[0].sequence - 1)
        elif (body := feed.body(batch)) or any(event.browsers for event in batch):
            self._send_all(feed, body, batch)

    def _catch_up_all(self, feed: Feed, *, after: int) -> None:
        """Let each connection that is not busy read the log, while the application renders what is in it."""
        feed.sent_at = time.monotonic()
        for connection in [connection for connection in feed.connections if not connection.busy]:
            connection.busy, connection.cursor = True, after
            self._spawn(self.catch_up(connection))

    def _send_all(self, feed: Feed, body: bytes, batch: list[Event]) -> None:
        message, after = body_message(body), batch[-1].sequence
        if body:
            feed.sent_at = time.monotonic()
        treated_apart = frozenset().union(
            *[event.exclude_connections for event in batch], *[event.browsers for event in batch]
        )
        for connection in list(feed.connections):
            if connection.busy:
                continue
            if treated_apart and not treated_apart.isdisjoint((connection.connection_id, connection.browser)):
                # At least a heartbeat: without one, a stream that is often excluded would look dead.
                own = feed.body(batch, connection) or HEARTBEAT
                self._step(connection, body_message(own), after)
            elif body:
                self._step(connection, message, after)

    def _step(self, connection: StreamConnection, message: dict[str, Any], sequence: int) -> None:
        if connection.steppable:
            sending: Any = connection.send_raw(message)  # type: ignore[misc]
            try:
                waiting_for = sending.send(None)
            except StopIteration:
                return
            except Exception:
                self._lost(connection)
                return
            connection.sending = len(message["body"])
            under_way = checked_send(resume, sending, waiting_for)
        else:
            # Middleware may keep the message, or write into it.
            under_way = connection.write(message["body"])
        connection.busy, connection.cursor = True, sequence
        self._spawn(self.catch_up(connection, under_way))

    # ------------------------------------------------------------------ joining and leaving

    def feed(self, channels: Iterable[str], *, render: Render | None = None, heartbeat: float) -> Feed:
        """Return the feed of these channels, and of the broadcasts that every stream gets.

        Args:
            channels: the channels to follow.
            render: makes the frames of broadcasts, where their own frames are not wanted.
            heartbeat: seconds of silence before a comment.
        """
        key = (with_broadcasts(channels), render, heartbeat)
        return self.feeds.get(key) or Feed(*key)

    def join(self, connection: StreamConnection, since: Iterable[Since] = ()) -> None:
        """Let a connection follow its feed. It first gets what was published after its cursors.

        Reading the log's end and joining are one step, so nothing can be published in between. The connection stays
        busy until `catch_up` has brought it to the log's end.
        """
        self.flush()
        here = self.backend.cursor
        connection.joined(self._joined(connection.feed), here.sequence, list(since))
        connection.feed.connections[connection] = None
        connection.count_private(self._read_backlog(connection))
        if self._make_shutdown_frame is not None:
            connection.final_event = private_event(here.sequence, self._make_shutdown_frame())

    def _joined(self, feed: Feed) -> Feed:
        if feed.key not in self.feeds:
            self.feeds[feed.key] = feed
            for channel in feed.channels:
                self._by_channel[channel][feed] = None
            feed.sent_at = time.monotonic()
            self._beat_by(feed.due)
        return self.feeds[feed.key]

    def _read_backlog(self, connection: StreamConnection) -> int:
        """Let a connection hold the next events of the log up to where it joined; return how many there still are.

        Where the log has moved on since it joined, it gets a reset.
        """
        joined_at = Cursor(self.backend.cursor.epoch, connection.cursor)
        events, gaps, since = self._backlog(connection.since, connection.cursor)
        held, later = split_by_size(events, self.held_bytes)
        connection.backlog, connection.since = held, moved_on(since, held[-1].sequence) if later else []
        if gaps:
            connection.backlog = [private_event(0, reset_frame(gaps, joined_at)), *held]
        return len(events)

    def _backlog(self, since: Iterable[Since], until: int) -> tuple[list[Event], list[str], list[Since]]:
        """Return the events up to a sequence, the channels with a gap, and what of `since` has none."""
        events: dict[int, Event] = {}
        gaps: list[str] = []
        whole: list[Since] = []
        for channels, cursor in since:
            try:
                found = self.backend.since(with_broadcasts(channels), cursor)
            except HistoryGap as gap:
                gaps += gap.channels
            else:
                whole.append((channels, cursor))
                events.update((event.sequence, event) for event in found if event.sequence <= until)
        return [events[sequence] for sequence in sorted(events)], gaps, whole

    def begin_again(self) -> None:
        """Tell every connection that it has a gap: its cursor means nothing in the log that there is now."""
        self.flush()
        for connection in [each for feed in self.feeds.values() for each in feed.connections]:
            connection.cursor = BEFORE_ALL
            if not connection.busy:
                connection.busy = True
                self._spawn(self.catch_up(connection))

    def leave(self, connection: StreamConnection) -> None:
        """Take a connection out of its feed. Leaving twice is allowed."""
        if not connection.following:
            return
        feed = connection.feed
        del feed.connections[connection]
        if not feed.connections:
            del self.feeds[feed.key]
            for channel in feed.channels:
                del self._by_channel[channel][feed]
                if not self._by_channel[channel]:
                    del self._by_channel[channel]

    # ------------------------------------------------------------------ catching up

    async def catch_up(self, connection: StreamConnection, under_way: Coroutine[Any, Any, None] | None = None) -> None:
        """Send what a busy connection has missed, until it has reached the log's end and is no longer busy.

        Args:
            connection: it must be busy.
            under_way: the `send` that it is busy with, which is finished first.
        """
        try:
            if under_way is not None:
                await under_way
                connection.sending = 0
            while connection.following and (part := self._next_part(connection)):
                if body := await connection.feed.rendered(part, connection):
                    await connection.write(body)
            if connection.final_event is not None:
                await connection.write(connection.final_event.frame, more=False)
                self._drop(connection)
        except ConnectionClosed:
            self._lost(connection)
        except Exception:  # of the backend, perhaps: the client comes back, and gets what it missed
            self._lost(connection)
            raise
        else:
            # Pending events are in the log, so they have been sent: flush while the connection is still busy.
            self.flush()
            connection.busy = connection.final_event is not None

    def _next_part(self, connection: StreamConnection) -> list[Event]:
        if connection.since and not connection.backlog:
            self._read_backlog(connection)
        if connection.backlog:
            part, connection.backlog = split_by_size(connection.backlog, CHUNK_BYTES)
            return part
        part, rest = split_by_size(self._missed(connection), CHUNK_BYTES)
        connection.private_queue = [event for event in rest if not event.channel]
        if part:
            connection.cursor = part[-1].sequence
        return part

    def _missed(self, connection: StreamConnection) -> list[Event]:
        here = self.backend.cursor
        try:
            events = self.backend.since(connection.feed.channels, Cursor(here.epoch, connection.cursor))
        except HistoryGap as gap:
            events = [private_event(here.sequence, reset_frame(gap.channels, here))]
        if connection.private_queue:
            events = sorted([*events, *connection.private_queue], key=attrgetter("sequence"))
        if connection.final_event is not None:
            events = [event for event in events if event.sequence <= connection.final_event.sequence]
        return events

    def send_private(self, connection: StreamConnection, frame: bytes) -> bool:
        """Send a frame to this connection only, after what was published before. The frame is not in the log.

        Returns:
            False if the connection has ended, or too many private frames wait for it.
        """
        if connection.final_event is not None or not connection.following:
            return False
        self.flush()
        sequence = self.backend.cursor.sequence
        if not connection.busy:
            self._step(connection, body_message(frame), sequence)
        elif not connection.queue_private(private_event(sequence, frame)):
            return False
        connection.count_private()
        return True

    # ------------------------------------------------------------------ heartbeats

    def _beat_by(self, due: float) -> None:
        delay = due - time.monotonic()
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() <= loop.time() + delay:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(delay, self._beat)

    def _beat(self) -> None:
        self._timer = None
        self.flush()
        present, sequence, message = time.monotonic(), self.backend.cursor.sequence, body_message(HEARTBEAT)
        for feed in [feed for feed in self.feeds.values() if feed.due - EARLY * feed.heartbeat <= present]:
            feed.sent_at = present
            for connection in [connection for connection in feed.connections if not connection.busy]:
                self._step(connection, message, sequence)
        if self.feeds:
            self._beat_by(min(feed.due for feed in self.feeds.values()))

    # ------------------------------------------------------------------ ending

    def end(self, connection: StreamConnection, frame: bytes = b"") -> None:
        """End a stream in order: what was published until now, then `frame`, then the end of the body."""
        if connection.final_event is not None:
            return
        self.flush()
        sequence = self.backend.cursor.sequence
        connection.final_event = private_event(sequence, frame)
        if not connection.busy:
            connection.busy, connection.cursor = True, sequence
            self._spawn(self.catch_up(connection))

    async def close(self, make_shutdown_frame: Callable[[], bytes], *, grace: float) -> None:
        """End every stream with a last frame. Cut the streams that cannot take it within `grace` seconds.

        Args:
            make_shutdown_frame: returns the last frame for a connection.
            grace: seconds that busy connections have to read what they were sent.
        """
        self._make_shutdown_frame = make_shutdown_frame
        everyone = [connection for feed in self.feeds.values() for connection in feed.connections]
        await self._end_all(everyone, make_shutdown_frame, grace)
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def close_server(self, server: servers.Server, make_shutdown_frame: Callable[[], bytes], *, grace: float) -> None:
        """End the streams of a server that has begun to stop, as `close` does. The others go on.

        Args:
            server: what runs the streams.
            make_shutdown_frame: returns the last frame for a connection.
            grace: seconds that busy connections have to read what they were sent.
        """
        everyone = [connection for feed in self.feeds.values() for connection in feed.connections]
        theirs = [connection for connection in everyone if connection.server is server]
        self._spawn(self._end_all(theirs, make_shutdown_frame, grace))

    async def _end_all(
        self, connections: list[StreamConnection], make_shutdown_frame: Callable[[], bytes], grace: float
    ) -> None:
        for connection in connections:
            self.end(connection, make_shutdown_frame())
        holders = {connection.task for connection in connections if connection.task is not None}
        if waited_for := (holders | self._tasks) - {asyncio.current_task()}:
            await asyncio.wait(waited_for, timeout=grace)
        for connection in connections:
            self.cut(connection, at_end=True)

    def cut(self, connection: StreamConnection, *, at_end: bool = False) -> None:
        """End a stream at once, without a frame, because its client does not read. An ended stream is left alone.

        Args:
            connection: the stream.
            at_end: whether its server has begun to stop.
        """
        if connection.following:
            servers.abort(connection.send_raw, connection.receive, at_end=at_end)
            self._drop(connection)

    def _lost(self, connection: StreamConnection) -> None:
        logger.debug("connection lost while sending: %s", connection.connection_id, exc_info=True)
        self._drop(connection)
        connection.close(state=ConnectionState.ERROR)

    def _drop(self, connection: StreamConnection) -> None:
        """Take a connection out of its feed, and end the task that holds its stream."""
        self.leave(connection)
        task, connection.task = connection.task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = start_task(work, "sending to a stream")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@coroutine
def resume(stepped: Any, waiting_for: Any) -> Generator[Any, Any, None]:
    """Continue, inside a task, a coroutine that was stepped once and then yielded `waiting_for`."""
    try:
        yield waiting_for
    except BaseException:
        stepped.close()
        raise
    yield from stepped


def private_event(sequence: int, frame: bytes) -> Event:
    """Return a frame for one connection, which is sent after the log's events up to `sequence`."""
    return Event("", sequence, "", frame)


def moved_on(since: Iterable[Since], sequence: int) -> list[Since]:
    """Return what to read of a log whose events up to a sequence have been read."""
    return [(channels, cursor and Cursor(cursor.epoch, max(cursor.sequence, sequence))) for channels, cursor in since]


def split_by_size(events: list[Event], size: int) -> tuple[list[Event], list[Event]]:
    """Return the first events up to `size` bytes, at least one, and the others."""
    total = 0
    for index, event in enumerate(events):
        total += len(event.frame)
        if total > size and index:
            return events[:index], events[index:]
    return events, []


def reset_frame(channels: Iterable[str], cursor: Cursor) -> bytes:
    """Return the frame that reports a gap: its channels, and the cursor from which the stream continues.

    A gap in the broadcasts concerns every element, whatever it follows; so their channel is among the names.
    """
    return encode(json.dumps({"channels": sorted(channels), "cursor": str(cursor)}), event=RESET_EVENT, id=str(cursor))
