from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components import EventLog, HistoryGap, WireError
from sse_components.events.log import MAX_AGE, MAX_TOTAL_BYTES, Cursor, Event
from sse_components.events.wire import encode
from tests.support.clock import Clock


def filled(*channels: str, **bounds: Any) -> EventLog:
    """Return a log with an event for each name, whose data is its sequence."""
    log = EventLog(**bounds)
    for sequence, channel in enumerate(channels, 1):
        log.append(channel, str(sequence))
    return log


def sequences(events: list[Event]) -> list[int]:
    return [event.sequence for event in events]


# ---------------------------------------------------------------------- cursors


@given(st.text(st.characters(categories=["Ll", "Nd"]), min_size=1), st.integers(0, 10**18))
def test_a_cursor_is_read_as_it_was_written(epoch: str, sequence: int) -> None:
    assert Cursor.parse(str(Cursor(epoch, sequence))) == Cursor(epoch, sequence)


@pytest.mark.parametrize(
    "text", ["", "-", "7", "-7", "ab-", "ab-x", "ab--", "ab-7 ", "ab-\u0667", "ab-\u00b2", "ab-+7", "ab-" + 20 * "1"]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.parse(text) is None


@given(st.text())
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    cursor = Cursor.parse(text)
    assert cursor is None or cursor.sequence >= 0


# ---------------------------------------------------------------------- appending


def test_an_event_has_its_place_in_the_log_and_its_frame() -> None:
    log = EventLog()
    event = log.append("todos", "a\nb", event="added", exclude_connections=frozenset({"me"}), message="{}")
    assert event.id == f"{log.epoch}-1" == str(log.cursor)
    assert (event.sequence, event.channel) == (1, "todos")
    assert (event.exclude_connections, event.message) == (frozenset({"me"}), "{}")
    assert event.frame == encode("a\nb", event="added", id=event.id, channel="todos")


def test_tabs_stand_in_the_frame_and_connections_do_not() -> None:
    connections = frozenset({"conn_12345678"})
    event = EventLog().append(
        "todos", "x", exclude_tabs=["tab_12345678"], exclude_connections=connections, only_tabs=["tab_abcdefgh"]
    )
    assert b"\nexclude: tab_12345678\nonly: tab_abcdefgh\ndata: x\n" in event.frame
    assert event.exclude_connections == connections


def test_one_sequence_runs_over_all_channels() -> None:
    log = filled("a", "b", "a", "c")
    assert sequences(log.since("abc", Cursor(log.epoch, 0))) == [1, 2, 3, 4]
    assert log.cursor == Cursor(log.epoch, 4)


def test_each_log_has_an_epoch_of_its_own() -> None:
    assert len({EventLog().epoch for _ in range(100)}) == 100


@pytest.mark.parametrize("fault", [{"event": "a\nb"}, {"channel": "a\nb"}, {"data": "\ud800"}])
def test_what_cannot_be_carried_leaves_the_log_as_it_was(fault: dict[str, str]) -> None:
    log = filled("a")
    with pytest.raises(WireError):
        log.append(**{"channel": "a", "data": "x", **fault})  # type: ignore[arg-type]
    assert sequences(log.latest("a")) == [1]
    assert log.append("a", "y").sequence == 2


# ---------------------------------------------------------------------- reading


def test_since_gives_what_came_after_the_cursor_on_those_channels() -> None:
    log = filled("a", "b", "a", "c", "b")
    assert sequences(log.since(["a", "b"], Cursor(log.epoch, 2))) == [3, 5]
    assert sequences(log.since(["b", "a"], Cursor(log.epoch, 0))) == [1, 2, 3, 5]
    assert log.since(["a"], log.cursor) == log.since(["none"], Cursor(log.epoch, 0)) == log.since([], log.cursor) == []


def test_a_channel_that_is_named_twice_is_read_once() -> None:
    log = filled("a", "b")
    assert sequences(log.since(["a", "a", "b"], Cursor(log.epoch, 0))) == [1, 2]


def test_channels_may_come_from_any_iterable() -> None:
    log = filled("a", "b")
    assert sequences(log.since(iter(["a", "b"]), Cursor(log.epoch, 0))) == [1, 2]
    with pytest.raises(HistoryGap) as caught:
        log.since(iter(["b", "a", "b"]), None)
    assert caught.value.channels == ["a", "b"]


@pytest.mark.parametrize("place", ["no cursor", "another epoch", "the future"])
def test_a_cursor_of_elsewhere_is_a_gap_in_every_channel(place: str) -> None:
    log = filled("a", "b")
    cursors = {"another epoch": Cursor("other", 1), "the future": Cursor(log.epoch, 3)}
    with pytest.raises(HistoryGap, match=r"^the log no longer reaches back for: a, b, new$"):
        log.since(["b", "a", "new"], cursors.get(place))


def test_a_gap_names_only_the_channels_that_have_one() -> None:
    log = filled("a", "a", "b", max_events=1)
    with pytest.raises(HistoryGap) as caught:
        log.since(["b", "a"], Cursor(log.epoch, 0))
    assert caught.value.channels == ["a"]
    assert sequences(log.since(["b", "a"], Cursor(log.epoch, 1))) == [2, 3]


def test_latest_gives_the_end_of_a_channel_oldest_first() -> None:
    log = filled("a", "b", "a", "a")
    assert [sequences(log.latest("a", limit)) for limit in (None, 0, 1, 2, 9)] == [
        [1, 3, 4],
        [],
        [4],
        [3, 4],
        [1, 3, 4],
    ]
    assert log.latest("none") == []


# ---------------------------------------------------------------------- bounds


@pytest.mark.parametrize("room", [0, 1])
def test_as_many_events_are_kept_as_there_are_bytes_for(room: int) -> None:
    size = len(EventLog().append("a", "x").frame)
    log = filled("a", "a", "a", "a", max_bytes=3 * size - 1 + room)
    assert sequences(log.latest("a")) == [2, 3, 4][1 - room :]


def test_as_many_events_are_kept_as_are_allowed() -> None:
    log = filled("a", "b", "a", "a", "a", max_events=3)
    assert [sequences(log.latest(channel)) for channel in "ab"] == [[3, 4, 5], [2]]


def test_the_latest_event_is_kept_whatever_its_size() -> None:
    log = filled("a", "a", max_bytes=1)
    assert sequences(log.latest("a")) == [2]


def test_an_old_event_is_dropped_when_someone_looks(clock: Clock) -> None:
    log = EventLog(max_age=10, clock=clock)
    log.append("a", "x")
    clock.now += 10
    assert sequences(log.since(["a"], Cursor(log.epoch, 0))) == [1]
    clock.now += 0.1
    with pytest.raises(HistoryGap):
        log.since(["a"], Cursor(log.epoch, 0))
    assert log.since(["a"], log.cursor) == log.latest("a") == []


def test_the_channel_that_was_published_on_least_recently_goes_first() -> None:
    log = filled("a", "b", "a", "c", max_channels=2)
    assert sequences(log.since(["a", "c"], Cursor(log.epoch, 0))) == [1, 3, 4]
    with pytest.raises(HistoryGap, match=r"b$"):
        log.since(["a", "b", "c"], Cursor(log.epoch, 1))


def test_a_channel_that_comes_back_still_has_its_gap() -> None:
    log = filled("a", "b", "a", max_channels=1)
    with pytest.raises(HistoryGap):
        log.since(["a"], Cursor(log.epoch, 0))
    assert sequences(log.since(["a"], Cursor(log.epoch, 2))) == [3]


def test_a_channel_that_had_aged_away_is_still_missed(clock: Clock) -> None:
    log = EventLog(max_age=10, max_channels=1, clock=clock)
    log.append("a", "x")
    clock.now += 11
    assert log.latest("a") == []
    log.append("b", "y")
    with pytest.raises(HistoryGap):
        log.since(["a"], Cursor(log.epoch, 0))


def test_the_whole_log_is_bounded_and_its_oldest_events_go_first() -> None:
    size = EventLog().append("a", "x").memory
    log = filled("a", "b", "c", "b", "a", max_total_bytes=3 * size)
    assert [sequences(log.latest(channel)) for channel in "abc"] == [[5], [4], [3]]
    assert log.size == 3 * size
    with pytest.raises(HistoryGap, match=r"for: a, b$"):
        log.since(["a", "b", "c"], Cursor(log.epoch, 0))
    assert sequences(log.since(["a", "b", "c"], Cursor(log.epoch, 2))) == [3, 4, 5]


def test_the_latest_event_of_a_log_is_kept_whatever_its_size() -> None:
    log = filled("a", "b", max_total_bytes=1)
    assert [sequences(log.latest(channel)) for channel in "ab"] == [[], [2]]


def test_the_json_of_a_broadcast_counts_as_well() -> None:
    small, large = (EventLog().append("a", "x", message=message).memory for message in (None, "m" * 5_000))
    assert large == small + 5_000


def test_by_default_a_log_has_256_megabytes_and_an_hour(clock: Clock) -> None:
    log = EventLog(clock=clock)
    for number in range(300):
        log.append(f"channel-{number}", "x" * 1_000_000)
    assert 255_000_000 < log.size <= MAX_TOTAL_BYTES == 256_000_000
    clock.now += MAX_AGE - 1
    log.append("a", "x")
    assert log.size > 255_000_000
    clock.now += 2
    log.append("a", "y")
    assert sequences(log.latest("a")) == [301, 302]
    assert log.size < 1_000


def test_an_old_event_of_a_silent_channel_is_dropped_by_what_others_publish(clock: Clock) -> None:
    log = EventLog(max_age=10, clock=clock)
    old = log.append("silent", "x")
    clock.now += 11
    assert log.append("lively", "y").memory == log.size
    with pytest.raises(HistoryGap, match=r"for: silent$"):
        log.since(["silent", "lively"], Cursor(log.epoch, old.sequence - 1))


def test_a_busy_channel_does_not_make_a_log_remember_what_it_has_dropped() -> None:
    log = filled("silent", *["busy"] * 20_000, max_events=10)
    assert len(log._order) < 2_100
    assert sequences(log.latest("silent")) == [1]


@pytest.mark.parametrize("name", ["max_events", "max_bytes", "max_total_bytes", "max_channels"])
@pytest.mark.parametrize("bound", [0, -1])
def test_a_bound_must_leave_room(name: str, bound: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 1, not {bound}$"):
        EventLog(**{name: bound})  # type: ignore[arg-type]


@pytest.mark.parametrize("age", [0, -1, float("nan")])
def test_an_age_must_leave_time(age: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"max_age must be a number above 0, not {age!r}")):
        EventLog(max_age=age)


# ---------------------------------------------------------------------- against a list

Step = tuple[str, int] | float
CHANNELS = ["a", "b", "c"]
STEPS = st.lists(st.tuples(st.sampled_from(CHANNELS), st.integers(0, 60)) | st.floats(0.1, 6), min_size=1, max_size=60)


@dataclass
class ListOfEvents:
    """All events that were ever appended, and which of them a log with these bounds still has to have."""

    max_events: int
    max_bytes: int
    max_total_bytes: int
    max_age: float | None
    events: list[Event] = field(default_factory=list)
    first: int = 0

    def append(self, event: Event, now: float) -> None:
        """Append an event, and find the first one of those that the bound of the whole log leaves."""
        self.events.append(event)
        kept = [event for event in self.events if event.sequence >= self.first and not self.lost(event, now)]
        while len(kept) > 1 and sum(event.memory for event in kept) > self.max_total_bytes:
            self.first = kept.pop(0).sequence + 1

    def lost(self, event: Event, now: float) -> bool:
        later = [other for other in self.events if other.channel == event.channel and other.sequence > event.sequence]
        size = sum(len(other.frame) for other in [event, *later])
        too_old = self.max_age is not None and event.at < now - self.max_age
        gone = event.sequence < self.first
        return gone or too_old or len(later) >= self.max_events or bool(later and size > self.max_bytes)

    def since(self, channels: list[str], sequence: int, now: float) -> list[int] | set[str]:
        """Return the events after a sequence, or the channels that have a gap."""
        asked = [event for event in self.events if event.channel in channels and event.sequence > sequence]
        return {event.channel for event in asked if self.lost(event, now)} or sequences(asked)


def run(log: EventLog, clock: Clock, steps: list[Step]) -> list[Event]:
    """Append what the steps say, and let their time pass; return what was appended."""
    appended = []
    for step in steps:
        if isinstance(step, float):
            clock.now += step
        else:
            appended.append(log.append(step[0], step[1] * "x"))
    return appended


def read(log: EventLog, channels: list[str], sequence: int) -> list[int] | set[str]:
    try:
        return sequences(log.since(channels, Cursor(log.epoch, sequence)))
    except HistoryGap as gap:
        return set(gap.channels)


@given(STEPS, st.data(), st.integers(1, 6), st.integers(1, 400), st.integers(1, 5_000), st.none() | st.floats(0.5, 20))
def test_a_log_is_a_list_that_has_forgotten_its_beginning(
    steps: list[Step], data: st.DataObject, max_events: int, max_bytes: int, total: int, max_age: float | None
) -> None:
    clock = Clock()
    bounds = {"max_events": max_events, "max_bytes": max_bytes, "max_total_bytes": total}
    log = EventLog(**bounds, max_age=max_age, clock=clock)
    model = ListOfEvents(max_events, max_bytes, total, max_age)
    for step in steps:
        for event in run(log, clock, [step]):
            model.append(event, clock.now)
        channels = data.draw(st.lists(st.sampled_from([*CHANNELS, "silent"]), unique=True))
        sequence = data.draw(st.integers(0, len(model.events)))
        assert read(log, channels, sequence) == model.since(channels, sequence, clock.now)
        assert log.cursor == Cursor(log.epoch, len(model.events))


@given(STEPS, st.integers(1, 3), st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True), st.integers(0, 60))
def test_nothing_is_missing_in_silence_when_channels_are_dropped(
    steps: list[Step], max_channels: int, channels: list[str], back: int
) -> None:
    log = EventLog(max_channels=max_channels)
    appended = run(log, Clock(), steps)
    sequence = max(0, len(appended) - back)
    found = read(log, channels, sequence)
    if isinstance(found, list):
        assert found == [
            event.sequence for event in appended if event.channel in channels and event.sequence > sequence
        ]
    else:
        # Careful rather than exact: only what came after the cursor, on some channel, can have been dropped.
        assert len({event.channel for event in appended}) > max_channels
        assert found <= set(channels)
