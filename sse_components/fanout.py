"""Fan-out: every connection is a reader of the log.

Publishing appends and schedules one flush for the loop's present tick. The flush joins all that is pending once for each
feed (connections that follow the same channels) and steps each connection's `send` once with the same message. A `send`
that suspends goes on in a task of its own; its connection is busy, gets nothing meanwhile, and then catches up from the
log. Nobody waits for it, and no connection has a queue, a timer or a lock.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable
from datetime import datetime
from types import coroutine
from typing import Any

from . import servers
from .backends.base import Backend
from .connections import ConnectionState, SSEConnection
from .errors import ConnectionClosed, HistoryGap
from .log import Cursor, Event
from .protocol import BROADCAST_CHANNEL, RESET_EVENT
from .wire import comment, encode

logger = logging.getLogger("sse_components")

# Bytes handed to `send` at once while a connection catches up: what a slow reader can cost beside the server's buffer.
CATCH_UP_BYTES = 256 * 1024

Render = Callable[[Event], bytes]
Since = tuple[frozenset[str], Cursor | None]
HEARTBEAT = comment()
# A stream reads the log; what stands in the place of its queue takes nothing.
NO_QUEUE: asyncio.Queue[Any] = asyncio.Queue(1)


class Feed:
    """The connections that get the same bytes: same channels, same way of rendering, same heartbeat."""

    __slots__ = ("batch", "channels", "connections", "due", "heartbeat", "last", "render", "total")

    def __init__(self, channels: frozenset[str], render: Render | None, heartbeat: float) -> None:
        self.channels, self.render, self.heartbeat = channels, render, heartbeat
        self.connections: dict[str, StreamConnection] = {}
        self.batch: list[Event] = []
        self.total = 0  # events handed out
        self.last = self.due = 0.0  # loop times: of the last bytes, and of the next heartbeat

    def body(self, events: Iterable[Event], reader: str | None = None) -> bytes:
        """Return the frames of `events`, without those that exclude `reader`."""
        render = self.render or (lambda event: event.frame)
        return b"".join([render(event) for event in events if reader not in event.exclude])


class StreamConnection(SSEConnection):
    """A connection whose bytes go to an ASGI `send`: a cursor in the log instead of a queue."""

    __slots__ = (
        "_activity", "_base", "_direct", "backlog", "busy", "cursor", "fanout", "feed", "mailbox", "mailbox_size",
        "send_raw", "steppable", "task",
    )  # fmt: skip

    def __init__(
        self, connection_id: str, fanout: FanOut, feed: Feed, connection_type: str = "global", *, mailbox_size: int = 100
    ) -> None:
        self.fanout, self.feed = fanout, feed
        self._base = self._direct = 0
        super().__init__(connection_id, NO_QUEUE, connection_type)
        self.busy, self.steppable, self.mailbox_size = True, False, mailbox_size
        self.cursor = 0
        self.backlog: list[Event] = []
        self.mailbox: list[bytes] = []
        self.send_raw: servers.Send | None = None
        self.task: asyncio.Task[Any] | None = None

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
        return max(self._activity, datetime.fromtimestamp(self.feed.last, self._activity.tzinfo))

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

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send bytes, and wait until the server has taken them."""
        if self.send_raw is None:
            raise ConnectionClosed("the connection has no stream")
        await self.send_raw({"type": "http.response.body", "body": body, "more_body": more})


class FanOut:
    """Hands the backend's events to the connections.

    Args:
        backend: the log that connections read.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.feeds: dict[tuple[frozenset[str], Render | None, float], Feed] = {}
        self._by_channel: defaultdict[str, dict[Feed, None]] = defaultdict(dict)
        self._pending: list[Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: bytes | None = None

    def __len__(self) -> int:
        return sum(len(feed.connections) for feed in self.feeds.values())

    # ------------------------------------------------------------------ publishing

    def enqueue(self, event: Event) -> None:
        """Take an event for the flush at the end of this tick of the loop."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(event)

    def flush(self) -> None:
        """Send everything that is pending, one chunk to each connection that is not busy."""
        events, self._pending = self._pending, []
        touched: dict[Feed, None] = {}
        for event in events:
            for feed in self._following(event.channel):
                feed.batch.append(event)
                touched[feed] = None
        for feed in touched:
            batch, feed.batch = feed.batch, []
            self._deliver(feed, batch)

    def _following(self, channel: str) -> Iterable[Feed]:
        return list(self.feeds.values()) if channel == BROADCAST_CHANNEL else self._by_channel.get(channel, ())

    def _deliver(self, feed: Feed, batch: list[Event]) -> None:
        body = feed.body(batch)
        feed.total += len(batch)
        feed.last = time.time()
        self._rest(feed)
        excluded = frozenset().union(*[event.exclude for event in batch])
        self._send_all(feed, body, excluded, batch)

    def _send_all(self, feed: Feed, body: bytes, excluded: frozenset[str], batch: list[Event]) -> None:
        before, after = batch[0].sequence - 1, batch[-1].sequence
        message = {"type": "http.response.body", "body": body, "more_body": True}
        for connection in list(feed.connections.values()):
            if connection.busy:
                continue
            if not connection.steppable or connection.connection_id in excluded:
                self._lag(connection, before)
            elif body:
                self._step(connection, message, after)

    def _step(self, connection: StreamConnection, message: dict[str, Any], sequence: int) -> None:
        sending: Any = connection.send_raw(message)  # type: ignore[misc]
        try:
            waiting_for = sending.send(None)
        except StopIteration:
            return
        except Exception:
            self._lost(connection)
            return
        connection.busy, connection.cursor = True, sequence
        self._spawn(self._finish(connection, resume(sending, waiting_for)))

    def _lag(self, connection: StreamConnection, sequence: int) -> None:
        connection.busy, connection.cursor = True, sequence
        self._spawn(self.catch_up(connection))

    async def _finish(self, connection: StreamConnection, sending: Any) -> None:
        try:
            await sending
        except Exception:
            self._lost(connection)
        else:
            await self.catch_up(connection)

    # ------------------------------------------------------------------ joining and leaving

    def feed(self, channels: Iterable[str], *, render: Render | None = None, heartbeat: float) -> Feed:
        """Return the feed of these channels, and of the broadcast channel that everyone follows."""
        key = (frozenset(channels) | {BROADCAST_CHANNEL}, render, heartbeat)
        return self.feeds.get(key) or Feed(*key)

    def join(self, connection: StreamConnection, since: Iterable[Since] = ()) -> None:
        """Let a connection follow its feed, with what was published after its cursors first.

        Reading the log's end and joining are one step: nothing can be published in between. The connection stays busy
        until `catch_up` has brought it to the log's end.
        """
        self.flush()
        connection.backlog, gaps = self._backlog(since)
        if gaps:
            connection.mailbox.append(reset_frame(gaps, self.backend.cursor))
        connection.cursor = self.backend.cursor.sequence
        connection.feed = self._joined(connection.feed)
        connection.feed.connections[connection.connection_id] = connection
        connection.message_count = len(connection.backlog)

    def _joined(self, feed: Feed) -> Feed:
        key = (feed.channels, feed.render, feed.heartbeat)
        if key not in self.feeds:
            self.feeds[key] = feed
            for channel in feed.channels:
                self._by_channel[channel][feed] = None
            self._rest(feed)
            self._schedule_heartbeat()
        return self.feeds[key]

    def _backlog(self, since: Iterable[Since]) -> tuple[list[Event], list[str]]:
        events: dict[int, Event] = {}
        gaps: list[str] = []
        for channels, cursor in since:
            try:
                events.update((event.sequence, event) for event in self.backend.since(channels, cursor))
            except HistoryGap as gap:
                gaps += gap.channels
        return [events[sequence] for sequence in sorted(events)], gaps

    def leave(self, connection: StreamConnection) -> None:
        """Let a connection follow nothing any more. Leaving twice is allowed."""
        feed = connection.feed
        if feed.connections.pop(connection.connection_id, None) is not None and not feed.connections:
            del self.feeds[feed.channels, feed.render, feed.heartbeat]
            for channel in feed.channels:
                del self._by_channel[channel][feed]
                if not self._by_channel[channel]:
                    del self._by_channel[channel]

    def _lost(self, connection: StreamConnection) -> None:
        logger.debug("connection lost while sending: %s", connection.connection_id, exc_info=True)
        self.leave(connection)
        connection.close(ConnectionState.ERROR)
        self.end(connection)

    def end(self, connection: StreamConnection) -> None:
        """Let the task that holds a connection's stream come to its end."""
        if connection.task is not None:
            connection.task.cancel()

    # ------------------------------------------------------------------ catching up

    async def catch_up(self, connection: StreamConnection) -> None:
        """Send what a busy connection has missed, until it is at the log's end; then it is no longer busy."""
        try:
            while chunk := self._next_chunk(connection):
                await connection.write(chunk)
            if self._closing is not None:
                await self._farewell(connection, self._closing)
        except Exception:
            self._lost(connection)

    def _next_chunk(self, connection: StreamConnection) -> bytes:
        if connection.mailbox:
            connection.mailbox, mail = [], connection.mailbox
            return b"".join(mail)
        chunk = self._log_chunk(connection)
        if not chunk:
            # What is pending is in the log, and so has been sent: let the flush pass by while still busy.
            self.flush()
            connection.busy = False
        return chunk

    def _log_chunk(self, connection: StreamConnection) -> bytes:
        events = connection.backlog
        if not events:
            here = self.backend.cursor
            try:
                events = self.backend.since(connection.feed.channels, Cursor(here.epoch, connection.cursor))
            except HistoryGap as gap:
                connection.cursor = here.sequence
                return reset_frame(gap.channels, here)
            connection.cursor = here.sequence
        part, connection.backlog = split(events, CATCH_UP_BYTES)
        body = connection.feed.body(part, connection.connection_id)
        return body or (self._log_chunk(connection) if connection.backlog else b"")

    def post(self, connection: StreamConnection, frame: bytes) -> bool:
        """Send a frame to this connection only, after what was published before it; it has no place in the log.

        Returns:
            False if the connection is gone, or has not read what was posted before.
        """
        if connection.send_raw is None or connection.connection_id not in connection.feed.connections:
            return False
        if len(connection.mailbox) >= connection.mailbox_size:
            return False
        self.flush()
        connection.mailbox.append(frame)
        connection._direct += 1
        if not connection.busy:
            self._lag(connection, self.backend.cursor.sequence)
        return True

    # ------------------------------------------------------------------ heartbeats

    def _rest(self, feed: Feed) -> None:
        feed.due = asyncio.get_running_loop().time() + feed.heartbeat

    def _schedule_heartbeat(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.feeds:
            due = min(feed.due for feed in self.feeds.values())
            self._timer = asyncio.get_running_loop().call_at(due, self._beat)

    def _beat(self) -> None:
        present = asyncio.get_running_loop().time()
        message = {"type": "http.response.body", "body": HEARTBEAT, "more_body": True}
        self.flush()
        for feed in [feed for feed in self.feeds.values() if feed.due <= present]:
            self._rest(feed)
            for connection in [one for one in feed.connections.values() if not one.busy]:
                if connection.steppable:
                    self._step(connection, message, self.backend.cursor.sequence)
                else:
                    connection.mailbox.append(HEARTBEAT)
                    self._lag(connection, self.backend.cursor.sequence)
        self._schedule_heartbeat()

    # ------------------------------------------------------------------ closing

    async def close(self, farewell: Callable[[], bytes], *, grace: float) -> None:
        """End every stream with a farewell frame, and within `grace` seconds those that cannot take it without one.

        Args:
            farewell: makes the frame for a connection.
            grace: seconds that busy connections have to become free.
        """
        self.flush()
        self._closing = farewell()
        for connection in [one for feed in self.feeds.values() for one in feed.connections.values()]:
            if not connection.busy:
                connection.busy = True
                self._spawn(self._farewell(connection, farewell()))
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace)
        for connection in [one for feed in self.feeds.values() for one in feed.connections.values()]:
            self.cut(connection)
        if self._timer is not None:
            self._timer.cancel()

    async def _farewell(self, connection: StreamConnection, frame: bytes) -> None:
        connection.busy = True
        self.leave(connection)
        try:
            await connection.write(frame, more=False)
        except Exception:
            logger.debug("connection lost at farewell: %s", connection.connection_id, exc_info=True)
        self.end(connection)

    def cut(self, connection: StreamConnection) -> None:
        """End a stream at once, without a frame: its reader does not read."""
        self.leave(connection)
        if connection.send_raw is not None:
            servers.abort(connection.send_raw)
        self.end(connection)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@coroutine
def resume(stepped: Any, waiting_for: Any) -> Generator[Any, Any, None]:
    """Go on, inside a real task, with a coroutine that was stepped once and then yielded `waiting_for`."""
    while True:
        try:
            value = yield waiting_for
        except BaseException as error:
            step, value = stepped.throw, error
        else:
            step = stepped.send
        try:
            waiting_for = step(value)
        except StopIteration:
            return


def split(events: list[Event], size: int) -> tuple[list[Event], list[Event]]:
    """Return the first events up to `size` bytes, at least one, and the others."""
    total = 0
    for index, event in enumerate(events):
        total += len(event.frame)
        if total > size and index:
            return events[:index], events[index:]
    return events, []


def reset_frame(channels: Iterable[str], cursor: Cursor) -> bytes:
    """Return the frame that tells of a gap: which channels have one, and from which cursor the stream goes on."""
    names = [name for name in channels if name != BROADCAST_CHANNEL]
    return encode(json.dumps({"channels": names, "cursor": str(cursor)}), event=RESET_EVENT, id=str(cursor))
