"""What several processes that share a log may rely on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from itertools import pairwise

import pytest

from sse_components import BackendUnavailable, BroadcastMessage, HistoryGap
from sse_components.backends import RedisBackend, SqliteBackend, sqlite
from sse_components.backends.base import NEW_LOG, STATE_CHANNEL, Item
from sse_components.backends.shared import MAX_WAITING_BYTES, SharedBackend
from sse_components.events.log import Cursor, Event
from sse_components.events.message import MessageJSON
from tests.support.serving import until
from tests.support.stores import STORES, MakeOne, Publisher, Store, append, opened

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STORES.values(), ids=list(STORES))
async def make(request: pytest.FixtureRequest) -> AsyncIterator[MakeOne]:
    store: Store = request.param
    async with store() as make_one:
        yield make_one


def texts(events: Iterable[Event]) -> list[str]:
    return [event.frame.decode().partition("data: ")[2].strip() for event in events]


def url_of(backend: SharedBackend) -> str:
    return f"sqlite:///{backend.path}" if isinstance(backend, SqliteBackend) else backend.url  # type: ignore[attr-defined]


async def test_every_process_hears_all_in_the_same_order(make: MakeOne) -> None:
    backends = [make(1_000) for _ in range(3)]
    async with opened(backends) as heard:
        begin = backends[0].cursor
        await asyncio.gather(*[append(backends[n % 2], "ab"[n % 2], f"{n % 2}-{n}") for n in range(200)])
        await until(lambda: all(len(events) == 200 for events in heard))
        assert ids(heard[0]) == ids(heard[1]) == ids(heard[2])
        assert [event.sequence for event in heard[2]] == [begin.sequence + n for n in range(1, 201)]
        for name in "01":
            own = [text for text in texts(heard[2]) if text[0] == name]
            assert own == [f"{name}-{n}" for n in range(200) if n % 2 == int(name)]
        assert ids(backends[2].since(["a", "b"], begin)) == ids(heard[0])


def ids(events: Iterable[Event]) -> list[tuple[str, bytes]]:
    return [(event.id, event.frame) for event in events]


async def test_another_process_gets_the_event_as_it_is_but_json_in_place_of_the_message_s_objects(
    make: MakeOne,
) -> None:
    one, other = make(1_000), make(1_000)
    async with opened([one, other]) as (here, there):
        message = BroadcastMessage("note", {"n": 1, "text": "Ä\x00€"}).to_json()
        options = {"event": "note", "exclude_tabs": ["tab-1"], "exclude_connections": frozenset({"me"})}
        await append(one, "a", "x\ny\x00", message=message, **options)
        await until(lambda: bool(there))
        [mine], [theirs] = here, there
        assert (mine.id, mine.frame, mine.exclude_connections, mine.message) == (
            theirs.id,
            theirs.frame,
            theirs.exclude_connections,
            theirs.message,
        )
        assert isinstance(mine.message, MessageJSON)
        assert not isinstance(theirs.message, MessageJSON)
        assert abs(mine.at - theirs.at) < 1


async def test_a_process_that_comes_later_has_the_log(make: MakeOne) -> None:
    one, other = make(1_000), make(1_000)
    async with opened([one]) as (heard,):
        begin = one.cursor
        for number in range(20):
            await append(one, "ab"[number % 2], str(number))
        async with opened([other]) as (heard_by_other,):
            assert other.cursor == one.cursor
            assert ids(other.since(["a", "b"], begin)) == ids(heard)
            assert ids(other.since(["a"], Cursor.parse(heard[9].id))) == ids(heard[10::2])
            assert heard_by_other == []


async def test_a_restart_of_all_processes_continues_the_log(make: MakeOne) -> None:
    async with opened([make(1_000)]) as (before,):
        pass
    one = make(1_000)
    async with opened([one]) as (before,):
        begin = one.cursor
        await append(one, "a", "before")
    again = make(1_000)
    async with opened([again]):
        assert ids(again.since(["a"], begin)) == ids(before)
        after = await append(again, "a", "after")
        assert after.id == f"{begin.epoch}-{begin.sequence + 2}"


async def test_the_bounds_hold_for_what_is_read_from_the_store(make: MakeOne) -> None:
    one, other = make(1_000), make(5)
    async with opened([one]) as (heard,):
        begin = one.cursor
        await asyncio.gather(*[append(one, "a", str(number)) for number in range(9)])
        async with opened([other]):
            with pytest.raises(HistoryGap):
                other.since(["a"], begin)
            assert ids(other.since(["a"], Cursor.parse(heard[3].id))) == ids(heard[4:])


async def test_a_cursor_that_another_process_knew_first_is_reached(make: MakeOne) -> None:
    one, other = make(1_000), make(1_000)
    async with opened([one, other]):
        cut_off(other)
        event = await append(one, "a", "x")
        cursor = Cursor.parse(event.id)
        assert cursor is not None
        assert other.cursor.sequence == cursor.sequence - 1
        await other.reach(cursor)
        assert other.since(["a"], cursor) == []
        assert other.cursor == cursor
        # Nobody can make it wait for what does not exist.
        await other.reach(Cursor(cursor.epoch, 10**9))
        await other.reach(Cursor("another", 10**9))


def cut_off(backend: SharedBackend) -> None:
    """Let nobody wake a process, as if datagrams and messages were lost."""
    if isinstance(backend, RedisBackend):
        assert backend._reader is not None
        backend._reader.cancel()
        return
    assert isinstance(backend, SqliteBackend)
    for socket in backend.path.parent.glob("*.sock"):
        socket.unlink()


async def test_what_waits_for_the_store_is_bounded(make: MakeOne) -> None:
    backend = make(1_000)
    async with opened([backend]) as (heard,):
        large = "x" * (MAX_WAITING_BYTES // 4)
        futures: list[Future[Event]] = []
        with pytest.raises(BackendUnavailable, match=r"^\d events wait for the store already$"):
            futures.extend(backend.append("a", large) for _ in range(9))
        await asyncio.gather(*map(asyncio.wrap_future, futures))
        await append(backend, "a", "y")
        assert len(heard) == len(futures) + 1


async def test_a_closed_backend_says_so(make: MakeOne) -> None:
    with pytest.raises(BackendUnavailable, match=r"Backend is closed$"):
        make(1_000).append("a", "x")


async def test_what_was_appended_before_the_close_is_stored(make: MakeOne) -> None:
    one, other = make(1_000), make(1_000)
    async with opened([one]):
        begin = one.cursor
        futures = [one.append("a", str(number)) for number in range(100)]
    assert all(future.done() for future in futures)
    async with opened([other]):
        assert texts(other.since(["a"], begin)) == [str(number) for number in range(100)]


async def test_killed_processes_leave_a_log_that_is_complete_and_in_order(make: MakeOne) -> None:
    reader = make(100_000)
    async with opened([reader]) as (heard,):
        begin = reader.cursor
        url = url_of(reader)
        publishers = list(await asyncio.gather(*[Publisher.start(url, f"first{n}") for n in range(2)]))
        running = list(publishers)
        for turn in range(2):
            await asyncio.gather(*[publisher.confirm(50) for publisher in running])
            await running.pop(0).kill()
            running.append(await Publisher.start(url, f"later{turn}"))
            publishers.append(running[-1])
        for publisher in running:
            await publisher.kill()
        last = await append(reader, "numbers", "end-0")

        assert NEW_LOG not in heard
        assert heard[-1] == last
        assert [event.sequence - begin.sequence for event in heard] == list(range(1, len(heard) + 1))
        by_id = dict(zip([event.id for event in heard], texts(heard), strict=True))
        confirmed = [publisher.confirmed for publisher in publishers]
        for known in confirmed:
            assert known.items() <= by_id.items()
        by_publisher: defaultdict[str, list[int]] = defaultdict(list)
        for text in texts(heard):
            name, _, number = text.partition("-")
            by_publisher[name].append(int(number))
        for numbers in by_publisher.values():
            assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
        assert len(by_publisher) == 5

    again = make(100_000)
    async with opened([again]):
        assert ids(again.since(["numbers"], begin)) == ids(heard)


def values(events: Iterable[Event]) -> dict[str, str]:
    """Return the values that events tell of by their keys."""
    items = [Item.of(event) for event in events if event.channel == STATE_CHANNEL]
    return {item.key: item.value for item in items}


async def put(backend: SharedBackend, key: str, value: str, keep: float = 60) -> Event:
    return await asyncio.wrap_future(backend.put(key, value, keep=keep))


async def test_values_are_told_to_every_process_and_to_those_that_come_later(make: MakeOne) -> None:
    one, other = make(10), make(10)
    async with opened([one, other]) as (here, there):
        await put(one, "color", "red")
        await put(other, "size", "Ä\n€")
        told = await put(one, "color", "blue")
        await put(one, "gone", "soon")
        await put(other, "gone", "", keep=0)
        for number in range(30):  # more than a process keeps of what has told of values
            await put(one, f"told {number}", "", keep=0)
        await until(lambda: ids(here) == ids(there))
        assert values(here).items() >= {"color": "blue", "size": "Ä\n€", "gone": ""}.items()
        async with opened([make(10)]) as (later,):
            assert values(later) == {"color": "blue", "size": "Ä\n€"}
            assert told.id in [event.id for event in later]
    async with opened([make(10)]) as (after_restart,):
        assert values(after_restart) == {"color": "blue", "size": "Ä\n€"}


async def test_a_value_is_kept_until_its_time_is_over(make: MakeOne) -> None:
    async with opened([backend := make(10)]):
        await put(backend, "short", "x", keep=0.05)
        await until(lambda: not backend._state or not Item.of(backend._state["short"]).is_kept)
        await put(backend, "long", "y")
        assert set(backend._state) == {"long"}
        async with opened([make(10)]) as (later,):
            assert values(later) == {"long": "y"}


async def test_a_process_that_has_a_gap_learns_the_values_that_were_put_meanwhile(
    make: MakeOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOOK_SECONDS", 3_600)
    one, stalled = make(10), make(10)
    one.log.max_total_bytes = 10_000  # bounds what the store keeps
    async with opened([one, stalled]) as (_, heard):
        cut_off(stalled)
        await put(one, "color", "red")
        for _ in range(20):
            await append(one, "a", "x" * 2_000)
        await put(one, "size", "1")
        last = Cursor.parse((await put(one, "size", "2")).id)
        assert last is not None
        await stalled.reach(last)
        assert NEW_LOG in heard
        items = [Item.of(event) for event in heard if event.channel == STATE_CHANNEL]
        assert [(key, value) for key, value, _ in items] == [("color", "red"), ("size", "2")]
