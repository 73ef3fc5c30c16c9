"""The event log: bounded per channel and as a whole, one sequence over all channels.

An id is `<epoch>-<sequence>`. Each log has its own epoch, so that ids of different logs cannot be confused. A process
makes the epoch when it first uses the log, and another one after a fork: it never takes another's ids for its own.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..checks import check_positive, check_whole
from ..errors import HistoryGap
from ..forks import tell_after_fork
from .wire import browsers_of, encode

# The bounds of a log, where the application gives no others: for each channel, and for all of them.
MAX_EVENTS, MAX_BYTES = 1_000, 4_000_000
MAX_TOTAL_BYTES, MAX_CHANNELS, MAX_AGE = 256_000_000, 10_000, 3_600.0
# Bytes that Python needs for an event beside its frame: measured, and rounded up.
EVENT_BYTES = 400


class Cursor(NamedTuple):
    """A position in a log: everything up to `sequence` has been seen."""

    epoch: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Return the cursor of an event id; None if the text is not an id of a log."""
        epoch, dash, sequence = text.rpartition("-")
        if not (dash and epoch and sequence.isascii() and sequence.isdigit() and len(sequence) < 20):
            return None
        return cls(epoch, int(sequence))


@dataclass(slots=True, frozen=True)
class Event:
    """One published message: its place in the log, and its frame.

    Attributes:
        id: `<epoch>-<sequence>`.
        sequence: its number in the log.
        channel: the channel that it was published on.
        frame: its bytes on the wire, with the names of tabs that only their own browsers get.
        exclude_connections: ids of connections that do not get it.
        message: the JSON of the broadcast that it was made from, for streams that render broadcasts themselves.
        at: when it was appended, in seconds of the monotonic clock.
        browsers: those whose tabs the frame names.
    """

    id: str
    sequence: int
    channel: str
    frame: bytes
    exclude_connections: frozenset[str] = frozenset()
    message: str | None = None
    at: float = 0.0
    browsers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "browsers", browsers_of(self.frame))

    @property
    def memory(self) -> int:
        """The bytes that it takes up, about."""
        return len(self.frame) + EVENT_BYTES + (0 if self.message is None else len(self.message))


class ChannelLog:
    """The latest events of one channel.

    Attributes:
        events: the events, oldest first.
        size: bytes of their frames.
        missing: the sequence of the latest event that is no longer here.
        stale: how many of the dropped events the whole log still has in its order.
    """

    __slots__ = ("events", "missing", "size", "stale")

    def __init__(self, missing: int) -> None:
        self.events: deque[Event] = deque()
        self.size = self.stale = 0
        self.missing = missing

    def append(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        self.size += len(event.frame)

    def drop_first(self) -> Event:
        """Drop the oldest event, remember its sequence, and return it."""
        event = self.events.popleft()
        self.size -= len(event.frame)
        self.missing = event.sequence
        self.stale += 1
        return event


class EventLog:
    """A bounded log of events over any number of channels.

    Whichever bound is reached first drops the oldest events. A page that has not seen them is told that it has a gap.

    Args:
        max_events: events kept for each channel.
        max_bytes: bytes of frames kept for each channel; the latest event is kept whatever its size.
        max_total_bytes: bytes kept for all channels together, counted with what Python needs for each event; the
            oldest events of all channels go first, and the latest is kept whatever its size.
        max_age: seconds that an event is kept; None keeps it until another bound drops it.
        max_channels: channels kept; the one that was published on least recently goes first.
        clock: seconds, monotonic.

    Attributes:
        size: the bytes that the events take up, as `max_total_bytes` counts them.
    """

    def __init__(
        self,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        max_age: float | None = MAX_AGE,
        max_channels: int = MAX_CHANNELS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_whole(max_events=max_events, max_bytes=max_bytes, max_channels=max_channels)
        check_whole(max_total_bytes=max_total_bytes)
        if max_age is not None:
            check_positive(max_age=max_age)
        self.max_events, self.max_bytes, self.max_age, self.max_channels = max_events, max_bytes, max_age, max_channels
        self.max_total_bytes = max_total_bytes
        self.clock = clock
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Begin another log, which is empty."""
        self.__dict__.pop("epoch", None)
        self.sequence = self.size = 0
        self._channels: OrderedDict[str, ChannelLog] = OrderedDict()
        self._missing = 0  # of channels that are no longer kept
        # The channel of each event, oldest first, and of some that their channels have dropped already.
        self._order: deque[ChannelLog] = deque()
        self._kept_events = 0

    @cached_property
    def epoch(self) -> str:
        """What distinguishes the ids of this log from those of others."""
        return secrets.token_hex(4)

    @property
    def cursor(self) -> Cursor:
        """The position after the latest event."""
        return Cursor(self.epoch, self.sequence)

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
    ) -> Event:
        """Append an event and return it, with its id and its encoded frame.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude_tabs: tabs that leave it out, as `this_tab()` names them.
            exclude_connections: connections that do not get it.
            only_tabs: the only tabs that show it, as `this_tab()` names them; by default all tabs do.
            message: the JSON of the broadcast that it was made from.

        Returns:
            The event, with its id and its frame.

        Raises:
            WireError: if a field cannot be carried; the log is then as it was.
        """
        sequence = self.sequence + 1
        id = f"{self.epoch}-{sequence}"
        frame = encode(data, event=event, id=id, channel=channel, exclude=exclude_tabs, only=only_tabs)
        appended = Event(id, sequence, channel, frame, exclude_connections, message, self.clock())
        self.keep(appended)
        return appended

    def begin(self, cursor: Cursor, *, missing: int) -> None:
        """Begin again, as a copy of a log that is kept elsewhere.

        Args:
            cursor: the position after which events will be kept here.
            missing: the sequence of the latest event that is no longer there.
        """
        self.after_fork()
        self.epoch, self.sequence, self._missing = cursor.epoch, cursor.sequence, missing

    def keep(self, event: Event) -> None:
        """Keep an event that has its id, and drop what is then beyond the bounds.

        Args:
            event: of this log, and later than all that are kept.
        """
        self.sequence = event.sequence
        kept = self._channel(event.channel)
        kept.append(event)
        self._order.append(kept)
        self._kept_events += 1
        self.size += event.memory
        if len(kept.events) > self.max_events or kept.size > self.max_bytes:
            self._trim(kept)
        self._trim_all(event.at)

    def since(self, channels: Iterable[str], cursor: Cursor | None) -> list[Event]:
        """Return the events of `channels` after `cursor`, in the order of their publication.

        Args:
            channels: their names.
            cursor: the position that has been seen; None, and the cursor of another log, is a gap.

        Raises:
            HistoryGap: if events after the cursor are no longer here, or the cursor is of another log.
        """
        if cursor is None or cursor.epoch != self.epoch or cursor.sequence > self.sequence:
            raise HistoryGap(sorted(set(channels)))
        after = cursor.sequence
        kept = [(name, self._kept(name)) for name in dict.fromkeys(channels)]
        if gaps := sorted(name for name, log in kept if (log.missing if log else self._missing) > after):
            raise HistoryGap(gaps)
        found = [event for _, log in kept if log for event in _after(log.events, after)]
        found.sort(key=lambda event: event.sequence)
        return found

    def latest(self, channel: str, limit: int | None = None) -> list[Event]:
        """Return the last events of a channel that are still kept, oldest first.

        Args:
            channel: its name.
            limit: the number of events; by default all.
        """
        log = self._kept(channel)
        events = list(log.events) if log else []
        return events if limit is None else events[max(0, len(events) - limit) :]

    def _channel(self, name: str) -> ChannelLog:
        log = self._channels.get(name)
        if log is None:
            log = self._channels[name] = ChannelLog(self._missing)
            if len(self._channels) > self.max_channels:
                _, dropped = self._channels.popitem(last=False)
                while dropped.events:
                    self._drop_first(dropped)
                self._missing = max(self._missing, dropped.missing)
        else:
            self._channels.move_to_end(name)
        return log

    def _kept(self, name: str) -> ChannelLog | None:
        log = self._channels.get(name)
        if log is not None and self.max_age is not None:
            oldest = self.clock() - self.max_age
            while log.events and log.events[0].at < oldest:
                self._drop_first(log)
        return log

    def _trim(self, log: ChannelLog) -> None:
        """Drop what is beyond the bounds of a channel."""
        while len(log.events) > self.max_events or (log.size > self.max_bytes and len(log.events) > 1):
            self._drop_first(log)

    def _trim_all(self, now: float) -> None:
        """Drop what is beyond the bounds of the whole log: by size, and by age, which no reader has to wait for."""
        order, oldest = self._order, -math.inf if self.max_age is None else now - self.max_age
        while order:
            if (first := order[0]).stale:
                order.popleft().stale -= 1
            elif (self.size > self.max_total_bytes and self._kept_events > 1) or first.events[0].at < oldest:
                self._drop_first(first)
            else:
                break
        if len(order) > 2 * self._kept_events + 1_000:
            self._forget_stale()

    def _forget_stale(self) -> None:
        """Let the order have only events that are kept. A channel drops its oldest first, so they stand first there."""
        order, self._order = self._order, deque()
        for log in order:
            if log.stale:
                log.stale -= 1
            else:
                self._order.append(log)

    def _drop_first(self, log: ChannelLog) -> None:
        self._kept_events -= 1
        self.size -= log.drop_first().memory


def _after(events: deque[Event], sequence: int) -> Iterable[Event]:
    # From the end, because readers have usually seen nearly everything.
    found = []
    for event in reversed(events):
        if event.sequence <= sequence:
            break
        found.append(event)
    return reversed(found)
