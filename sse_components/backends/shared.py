"""What backends have in common whose log is shared by several processes.

The log is kept in a store: a file, or a server. Each process has a copy of it in its memory, so that reading the log's
end and joining the live events are one synchronous step, whatever the store does at that moment. The copy has the
bounds of an `EventLog`, and the store keeps about as much.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any

from ..errors import BackendUnavailable
from ..events.log import Cursor, Event, EventLog
from ..events.wire import encode
from ..forks import tell_after_fork
from .base import NEW_LOG, STATE_CHANNEL, Item, Listener
from .listeners import Listeners

# Events and bytes that wait for the store, and those that are stored in one step.
MAX_WAITING, MAX_WAITING_BYTES = 50_000, 64_000_000
STEP_EVENTS, STEP_BYTES = 1_000, 4_000_000
# Seconds that publishing waits for a store that is away or busy.
PUBLISH_TIMEOUT = 5.0


@dataclass(slots=True, eq=False)
class Draft:
    """An event that has no id yet.

    Attributes:
        channel: of the event.
        frame: its frame without the id, which is a frame's first field.
        exclude_connections: ids of connections that do not get it.
        message: the JSON of the broadcast that it was made from.
        future: of the event.
    """

    channel: str
    frame: bytes
    exclude_connections: frozenset[str] = frozenset()
    message: str | None = None
    future: Future[Event] = field(default_factory=Future)

    def event(self, epoch: str, sequence: int, at: float) -> Event:
        """Return the event with its id."""
        id = f"{epoch}-{sequence}"
        frame = b"id: %s\n%s" % (id.encode(), self.frame)
        return Event(id, sequence, self.channel, frame, self.exclude_connections, self.message, at)

    def row(self) -> list[Any]:
        """Return what the store keeps of it."""
        return [self.channel, self.frame.decode(), sorted(self.exclude_connections), self.message]

    @classmethod
    def of(cls, row: Sequence[Any]) -> Draft:
        """Return the draft that `row` has written."""
        channel, frame, excluded, message = row
        return cls(channel, frame.encode(), frozenset(excluded), message)


def items_of(drafts: Iterable[Draft], first: int = 0) -> list[tuple[int, Item]]:
    """Return the values, each with its sequence, of drafts whose sequences begin with `first`."""
    states = [(first + index, draft) for index, draft in enumerate(drafts) if draft.channel == STATE_CHANNEL]
    return [(sequence, Item.read(draft.message or "")) for sequence, draft in states]


def state_event(cursor: Cursor, item: Item) -> Event:
    """Return the event that tells of a value which was kept before."""
    return Event(str(cursor), cursor.sequence, STATE_CHANNEL, b"", message=item.written())


def written(drafts: Iterable[Draft]) -> str:
    """Return drafts as the store keeps them: JSON."""
    return json.dumps([draft.row() for draft in drafts], ensure_ascii=False, separators=(",", ":"))


def read(text: str | bytes) -> list[Draft]:
    """Return the drafts that `written` has written."""
    return [Draft.of(row) for row in json.loads(text)]


def events_of(drafts: Iterable[Draft], epoch: str, first: int, at: float) -> list[Event]:
    """Return the events of drafts, whose sequences begin with `first`."""
    return [draft.event(epoch, first + index, at) for index, draft in enumerate(drafts)]


class SharedBackend(ABC):
    """A copy of a log that a store keeps for several processes.

    Args:
        log: the copy, with its bounds; by default one with the default bounds.
        publish_timeout: seconds that publishing waits for the store before it fails.
    """

    def __init__(self, log: EventLog | None = None, *, publish_timeout: float = PUBLISH_TIMEOUT) -> None:
        self.log, self.publish_timeout = log or EventLog(), publish_timeout
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Be closed: what is open belongs to the parent process."""
        self._listeners = Listeners(type(self).__name__)
        self._changing = asyncio.Lock()
        self._is_open = False
        self._guard = Lock()  # of what waits: a thread may take it
        self._waiting: deque[Draft] = deque()
        self._waiting_bytes = 0
        self._state: dict[str, Event] = {}  # the values by their keys, as the events that have told of them

    @property
    def cursor(self) -> Cursor:
        """The position after the latest event that this process knows of."""
        return self.log.cursor

    async def open(self, listener: Listener) -> None:
        """Begin to hand out to a listener each event that this process or another one appends.

        Args:
            listener: called with each event, in the running event loop.

        Raises:
            BackendUnavailable: if the store cannot be used.
            SetupError: if another event loop uses this backend.
        """
        if self._listeners.enter():
            self._abandon()
            self._changing, self._is_open = asyncio.Lock(), False
        async with self._changing:
            if not self._is_open:
                await self._start()
                self._is_open = True
            self._listeners.add(listener)
            for event in self._state.values():
                listener(event)

    async def close(self, listener: Listener) -> None:
        """Stop handing out events to a listener. With the last one, store what waits, and leave the store.

        Args:
            listener: one that was given to `open`; any other is ignored.
        """
        async with self._changing:
            self._listeners.remove(listener)
            if self._is_open and not self._listeners:
                await self._finish()
                self._is_open = False

    def append(
        self,
        channel: str,
        data: str,
        *,
        event: str | None = None,
        exclude_tabs: Iterable[str] = (),
        exclude_connections: frozenset[str] = frozenset(),
        only_tabs: Iterable[str] = (),
        message: str | None = None,
    ) -> Future[Event]:
        """Append an event to a channel's log, in the order of the calls. It is called in the event loop.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude_tabs: tabs that leave it out, as its frame lists them.
            exclude_connections: connections that do not get it.
            only_tabs: the only tabs that show it, as its frame lists them; by default all tabs do.
            message: the JSON of the broadcast that it was made from.

        Returns:
            A future of the event. It fails with `BackendUnavailable` if the store cannot be used in time; the event is
            then not in the log.

        Raises:
            WireError: if a field cannot be carried.
            BackendUnavailable: if it is closed, or too much waits for the store already.
        """
        frame = encode(data, event=event, channel=channel, exclude=exclude_tabs, only=only_tabs)
        draft = Draft(channel, frame, exclude_connections, message)
        self._check_room(len(frame))
        draft.future.set_running_or_notify_cancel()
        with self._guard:
            self._waiting.append(draft)
            self._waiting_bytes += len(frame)
        self._wake()
        return draft.future

    def put(self, key: str, value: str, *, keep: float) -> Future[Event]:
        """Keep a value in the place of the one that the key has, and tell every process.

        Args:
            key: of the value.
            value: the value.
            keep: seconds for which it is kept; with 0, it is told, and nothing is kept.

        Returns:
            A future of the event of `STATE_CHANNEL` that tells of it.

        Raises:
            BackendUnavailable: if it is closed, or too much waits for the store already.
        """
        return self.append(STATE_CHANNEL, "", message=Item(key, value, time.time() + keep).written())

    def since(self, channels: Iterable[str], cursor: Cursor | None) -> list[Event]:
        """Return the events of `channels` after `cursor` that this process knows of, in order.

        Args:
            channels: their names.
            cursor: the position that has been seen; None, and the cursor of another log, is a gap.

        Raises:
            HistoryGap: if events after the cursor are no longer kept.
        """
        return self.log.since(channels, cursor)

    async def reach(self, cursor: Cursor) -> None:
        """Read the store, if this process does not know of everything up to a cursor yet.

        Args:
            cursor: a position that another process may have told.
        """
        if self._is_open and cursor.epoch == self.log.epoch and cursor.sequence > self.log.sequence:
            await self._read_now()

    def _check_room(self, size: int) -> None:
        if not self._is_open:
            raise BackendUnavailable(f"the {type(self).__name__} is closed")
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise BackendUnavailable(f"{len(self._waiting):,} events wait for the store already")

    def _take_waiting(self) -> list[Draft]:
        """Return the next events to store, in one step."""
        taken: list[Draft] = []
        size = 0
        with self._guard:
            while self._waiting and len(taken) < STEP_EVENTS:
                size += len(self._waiting[0].frame)
                if taken and size > STEP_BYTES:
                    break
                taken.append(self._waiting.popleft())
            self._waiting_bytes -= sum(len(draft.frame) for draft in taken)
        return taken

    def _receive(self, events: Iterable[Event]) -> None:
        """Keep events of the store, and hand them out. It is called in the event loop."""
        for event in events:
            self.log.keep(event)
            if event.channel == STATE_CHANNEL:
                self._learn(event)
            else:
                self._listeners(event)

    def _learn_all(self, events: Iterable[Event]) -> None:
        """Keep the values of those events that tell of one."""
        for event in events:
            if event.channel == STATE_CHANNEL:
                self._learn(event)

    def _learn(self, event: Event) -> None:
        """Keep a value, and hand it out. It is called in the event loop."""
        item = Item.of(event)
        if (known := self._state.get(item.key)) is not None and known.sequence >= event.sequence:
            return  # it is read from the log, after what is kept was
        self._state.pop(item.key, None)
        if item.is_kept:
            self._state[item.key] = event  # at the end: about the order in which they expire
        for key in [key for key, kept in islice(self._state.items(), 2) if not Item.of(kept).is_kept]:
            del self._state[key]
        self._listeners(event)

    def _begin(self, cursor: Cursor, missing: int) -> None:
        """Begin the copy again, because the store has another log now, or no longer has what comes next."""
        if cursor.epoch != self.log.epoch:
            self._state.clear()  # their sequences are those of another log; what the store still has is read again
        self.log.begin(cursor, missing=missing)
        self._listeners(NEW_LOG)

    @abstractmethod
    async def _start(self) -> None:
        """Connect to the store, and read its log.

        Raises:
            BackendUnavailable: if that is not possible.
        """

    @abstractmethod
    async def _finish(self) -> None:
        """Store what waits, and disconnect."""

    @abstractmethod
    def _abandon(self) -> None:
        """Let go of what belongs to an event loop that has ended without `close`."""

    @abstractmethod
    def _wake(self) -> None:
        """Have what waits stored soon."""

    @abstractmethod
    async def _read_now(self) -> None:
        """Read what is new in the store."""
