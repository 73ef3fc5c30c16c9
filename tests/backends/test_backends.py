"""The contract of a backend. To test another backend, add a line to `STORES` in `tests/support/stores.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise

import pytest

from sse_components import (
    Backend,
    BroadcastMessage,
    EventLog,
    HistoryGap,
    MemoryBackend,
    SetupError,
    WireError,
)
from sse_components.events.log import Cursor, Event
from sse_components.events.wire import encode
from tests.support.stores import STORES, Store, append

pytestmark = pytest.mark.anyio

# Returns a closed backend with a separate log, which keeps this many events per channel.
Make = Callable[[int], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def memory(max_events: int) -> AsyncIterator[Backend]:
    yield MemoryBackend(EventLog(max_events=max_events))


def shared(store: Store) -> Make:
    @asynccontextmanager
    async def make(max_events: int) -> AsyncIterator[Backend]:
        async with store() as make_one:
            yield make_one(max_events)

    return make


BACKENDS: dict[str, Make] = {"memory": memory} | {name: shared(store) for name, store in STORES.items()}


@pytest.fixture(params=BACKENDS.values(), ids=list(BACKENDS))
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@asynccontextmanager
async def open_backend(make: Make, max_events: int = 1_000) -> AsyncIterator[tuple[Backend, list[Event]]]:
    """Yield an open backend, and the list of events that its listener received."""
    heard: list[Event] = []
    async with make(max_events) as backend:
        await backend.open(heard.append)
        yield backend, heard
        await backend.close(heard.append)


def cursors(events: list[Event]) -> list[Cursor | None]:
    return [Cursor.parse(event.id) for event in events]


def texts(events: list[Event]) -> list[bytes]:
    return [event.frame.rpartition(b"data: ")[2].strip() for event in events]


async def test_ids_grow_over_all_channels(make: Make) -> None:
    async with open_backend(make) as (backend, _):
        begin = backend.cursor
        appended = [await append(backend, channel, "x") for channel in ("a", "b", "a", "c")]
        assert [event.sequence for event in appended] == [cursor.sequence for cursor in cursors(appended) if cursor]
        places = [begin.sequence, *[event.sequence for event in appended]]
        assert all(earlier < later for earlier, later in pairwise(places))
        assert {cursor.epoch for cursor in cursors(appended) if cursor} == {begin.epoch}


async def test_the_cursor_is_at_the_latest_event(make: Make) -> None:
    async with open_backend(make) as (backend, _):
        for channel in ("a", "b"):
            event = await append(backend, channel, "x")
            assert str(backend.cursor) == event.id


async def test_an_event_has_its_frame(make: Make) -> None:
    async with open_backend(make) as (backend, _):
        event = await append(backend, "todos", "a\nb", event="added")
        assert event.frame == encode("a\nb", event="added", id=event.id, channel="todos")
        assert event.channel == "todos"


async def test_the_listener_gets_each_event_in_order_before_append_returns(make: Make) -> None:
    async with open_backend(make) as (backend, heard):
        for number in range(5):
            event = await append(backend, "ab"[number % 2], str(number))
            assert heard[-1] == event
        assert texts(heard) == [b"0", b"1", b"2", b"3", b"4"]


async def test_concurrent_appends_have_the_same_order_everywhere(make: Make) -> None:
    async with open_backend(make) as (backend, heard):
        begin = backend.cursor
        appended = await asyncio.gather(*[append(backend, "ab"[number % 2], str(number)) for number in range(50)])
        assert heard == sorted(appended, key=lambda event: event.sequence)
        assert len({event.id for event in appended}) == 50
        assert backend.since(["a", "b"], begin) == heard


async def test_since_returns_the_events_of_the_channels_after_the_cursor(make: Make) -> None:
    async with open_backend(make) as (backend, heard):
        begin = backend.cursor
        for number, channel in enumerate("abacb"):
            await append(backend, channel, str(number))
        after_two = Cursor.parse(heard[1].id)
        assert texts(backend.since(["a", "b"], begin)) == [b"0", b"1", b"2", b"4"]
        assert texts(backend.since(["b", "a"], after_two)) == [b"2", b"4"]
        assert texts(backend.since(["c"], begin)) == [b"3"]
        assert backend.since(["a", "b", "c"], backend.cursor) == backend.since(["silent"], begin) == []


async def test_an_appended_event_is_read_back_complete(make: Make) -> None:
    async with open_backend(make) as (backend, heard):
        begin, message = backend.cursor, BroadcastMessage("note", {"n": 1}).to_json()
        await append(backend, "a", "x", event="note", exclude_connections=frozenset({"me", "you"}), message=message)
        assert backend.since(["a"], begin) == heard
        assert heard[0].exclude_connections == {"me", "you"}
        assert heard[0].message == message


async def test_a_cursor_of_another_epoch_raises_a_gap(make: Make) -> None:
    async with open_backend(make) as (backend, _):
        await append(backend, "a", "x")
        here = backend.cursor
        for cursor in (None, Cursor(f"{here.epoch}0", here.sequence), Cursor(here.epoch, here.sequence + 1)):
            with pytest.raises(HistoryGap) as caught:
                backend.since(["b", "a"], cursor)
            assert caught.value.channels == ["a", "b"]


async def test_another_log_has_another_epoch(make: Make) -> None:
    async with open_backend(make) as (one, _), open_backend(make) as (other, _):
        assert one.cursor.epoch != other.cursor.epoch


async def test_a_cursor_older_than_the_log_raises_a_gap_for_channels_with_lost_events(make: Make) -> None:
    async with open_backend(make, max_events=2) as (backend, heard):
        begin = backend.cursor
        for channel in "abaa":
            await append(backend, channel, "x")
        with pytest.raises(HistoryGap) as caught:
            backend.since(["a", "b"], begin)
        assert caught.value.channels == ["a"]
        assert backend.since(["b"], begin) == [heard[1]]
        assert backend.since(["a", "b"], Cursor.parse(heard[0].id)) == heard[1:]


@pytest.mark.parametrize("fault", [{"event": "a\nb"}, {"channel": "a\nb"}, {"data": "\ud800"}])
async def test_an_event_that_the_wire_cannot_carry_is_not_appended(make: Make, fault: dict[str, str]) -> None:
    async with open_backend(make) as (backend, heard):
        begin = backend.cursor
        with pytest.raises(WireError):
            await append(backend, **{"channel": "a", "data": "x", **fault})
        assert (backend.cursor, heard) == (begin, [])


async def test_a_closed_backend_can_be_closed_and_opened_again(make: Make) -> None:
    async with open_backend(make) as (backend, heard):
        before = await append(backend, "a", "before")
        await backend.close(heard.append)
        await backend.close(heard.append)
        again: list[Event] = []
        await backend.open(again.append)
        after = await append(backend, "a", "after")
        assert (heard, again) == ([before], [after])
        assert backend.since(["a"], Cursor.parse(before.id)) == [after]
        await backend.close(again.append)


async def test_a_backend_that_is_opened_twice_delivers_each_event_once(make: Make) -> None:
    async with open_backend(make) as (backend, _):
        heard: list[Event] = []
        await backend.open(heard.append)
        await append(backend, "a", "x")
        await backend.open(heard.append)
        await append(backend, "a", "y")
        await backend.close(heard.append)
        assert texts(heard) == [b"x", b"y"]


async def test_each_manager_that_opens_a_backend_hears_all_until_it_closes_it(make: Make) -> None:
    async with open_backend(make) as (backend, first):
        second: list[Event] = []
        await backend.open(second.append)
        await append(backend, "a", "x")
        await backend.close(second.append)
        await append(backend, "a", "y")
        assert (texts(first), texts(second)) == ([b"x", b"y"], [b"x"])


async def test_the_memory_backend_serves_one_event_loop() -> None:
    backend = MemoryBackend()
    heard: list[Event] = []
    others: list[Event] = []
    # A loop that has ended without closing it, as `TestClient` leaves it behind, is no obstacle.
    await asyncio.to_thread(asyncio.run, backend.open(heard.append))
    await backend.open(heard.append)
    await append(backend, "a", "x")
    with pytest.raises(SetupError, match=r"^a MemoryBackend is used in two event loops: give each application"):
        await asyncio.to_thread(asyncio.run, backend.open(others.append))
    assert texts(heard) == [b"x"]


async def test_the_memory_backend_keeps_events_appended_while_it_is_closed() -> None:
    backend = MemoryBackend()
    event = backend.append("a", "x")
    assert backend.since(["a"], Cursor(backend.log.epoch, 0)) == [event]


async def test_the_memory_backend_uses_the_given_log() -> None:
    log = EventLog()
    assert MemoryBackend(log).log is log
