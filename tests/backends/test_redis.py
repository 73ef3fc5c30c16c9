"""What can happen to a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sse_components import BackendUnavailable, EventLog, HistoryGap, SetupError
from sse_components.backends import RedisBackend, backend_of
from sse_components.backends import redis as redis_backend
from sse_components.backends.base import NEW_LOG
from sse_components.backends.shared import Draft, written
from sse_components.events.log import Cursor, Event
from tests.support.serving import free_port, until
from tests.support.stores import Publisher, RedisServer, append, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path) as server:
        yield server


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


def texts(events: list[Event]) -> list[str]:
    return [event.frame.decode().partition("data: ")[2].strip() for event in events]


async def command(server: RedisServer, *words: Any) -> Any:
    client = RedisBackend(server.url)._redis.from_url(server.url, decode_responses=True)
    try:
        return await client.execute_command(*words)
    finally:
        await client.aclose()


@pytest.mark.parametrize("forget", [False, True], ids=["with its data", "without its data"])
async def test_a_restart_begins_a_new_epoch_and_streams_go_on(server: RedisServer, forget: bool) -> None:
    one, other = RedisBackend(server.url), RedisBackend(server.url)
    async with opened([one, other]) as (heard, heard_by_other):
        before = [await append(one, "a", f"before {number}") for number in range(5)]
        await server.kill(forget=forget)
        waiting = one.append("a", "while it was away")
        await until(lambda: not one._hears)
        assert not waiting.done()
        await server.start()
        meanwhile = await asyncio.wrap_future(waiting)
        after = await append(other, "a", "after")
        await until(lambda: heard[-1:] == [after] or ids(heard)[-1] == ids(heard_by_other)[-1] == after.id)
        for events in (heard, heard_by_other):
            assert NEW_LOG in events
            assert ids(events)[-2:] == [meanwhile.id, after.id]
        assert meanwhile.id.partition("-")[0] != before[0].id.partition("-")[0]
        with pytest.raises(HistoryGap):
            other.since(["a"], Cursor.parse(before[-1].id))
        assert ids(other.since(["a"], Cursor.parse(meanwhile.id))) == [after.id]


async def test_publishing_fails_if_the_server_is_away_for_too_long(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = RedisBackend(server.url, publish_timeout=0.3)
    async with opened([one]) as (heard,):
        await append(one, "a", "before")
        await server.kill()
        with pytest.raises(BackendUnavailable, match=r"^redis://127.0.0.1:\d+: .*"):
            await append(one, "a", "lost")
        assert one.cursor.sequence == 1
        await server.start()
        await append(one, "a", "after")
        await until(lambda: texts(heard)[-1] == "after")
        assert "lost" not in texts(heard)
    assert caplog.text.count("streams stay open meanwhile") == 1


async def test_nothing_is_lost_or_doubled_while_connections_are_cut(server: RedisServer) -> None:
    reader = RedisBackend(server.url, EventLog(max_events=100_000))
    async with opened([reader]) as (heard,):
        publishers = [await Publisher.start(server.url, name) for name in ("one", "two")]
        for kind in ("normal", "pubsub", "normal", "pubsub", "normal"):
            await asyncio.gather(*[publisher.confirm(30) for publisher in publishers])
            await command(server, "CLIENT", "KILL", "TYPE", kind)
        await asyncio.gather(*[publisher.confirm(30) for publisher in publishers])
        for publisher in publishers:
            await publisher.kill()
        last = await append(reader, "numbers", "end-0")
        await until(lambda: ids(heard)[-1] == last.id)
        assert NEW_LOG not in heard
        assert [event.sequence for event in heard] == list(range(1, len(heard) + 1))
        assert len(set(texts(heard))) == len(heard)
        by_id = dict(zip(ids(heard), texts(heard), strict=True))
        for publisher in publishers:
            assert publisher.confirmed.items() <= by_id.items()


async def test_a_message_that_is_lost_is_read_from_the_log(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "LOOK_SECONDS", 1_000)
    async with opened([one := RedisBackend(server.url), other := RedisBackend(server.url)]) as (heard, _):
        # The second one comes when both of its subscriptions are there, for each of which it reads the log.
        for _ in range(2):
            await append(one, "a", "before")
        other._channel = "nobody listens here"
        lost = other.append("a", "stored, and told nobody")
        await until(lambda: stored(server, 3))
        assert len(heard) == 2
        await append(one, "a", "told")
        assert texts(heard)[2:] == ["stored, and told nobody", "told"]
        await other.reach(one.cursor)
        assert (await asyncio.wrap_future(lost)).id == heard[2].id


async def stored(server: RedisServer, count: int) -> bool:
    return bool(await command(server, "XLEN", "{sse}:log") == count)


async def test_a_call_whose_answer_was_lost_is_repeated_without_storing_twice(server: RedisServer) -> None:
    async with opened([one := RedisBackend(server.url)]) as (heard,):
        draft = Draft("a", b"data: x\n\n")
        first = await one._call("token", [draft], written([draft]))
        again = await one._call("token", [draft], written([draft]), repeated=True)
        other = await one._call("another", [draft], written([draft]), repeated=True)
        await until(lambda: len(heard) == 2)
        assert (first[1], again[1], other[1]) == (1, 1, 2)


async def test_a_server_that_is_full_refuses_all_of_it(server: RedisServer) -> None:
    async with opened([one := RedisBackend(server.url)]) as (heard,):
        await append(one, "a", "before")
        await command(server, "CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(BackendUnavailable, match="maxmemory"):
            await append(one, "a", "lost")
        await command(server, "CONFIG", "SET", "maxmemory", "0")
        await append(one, "a", "after")
        assert texts(heard) == ["before", "after"]
        assert [event.sequence for event in heard] == [1, 2]


async def test_the_log_is_trimmed_by_size_and_by_age(server: RedisServer) -> None:
    one = RedisBackend(server.url, EventLog(max_total_bytes=20_000, max_age=0.5))
    async with opened([one]):
        begin = one.cursor
        for _ in range(60):
            last = await append(one, "a", "x" * 1_000)
        assert 15 <= await command(server, "XLEN", "{sse}:log") <= 20
        async with opened([other := RedisBackend(server.url)]):
            with pytest.raises(HistoryGap):
                other.since(["b"], begin)
            assert other.since(["a"], Cursor.parse(last.id)) == []
        await until(lambda: one.log.clock() > last.at + 0.5)
        await append(one, "a", "new")
        assert await command(server, "XLEN", "{sse}:log") == 1


async def test_logs_have_names(server: RedisServer) -> None:
    backends = [RedisBackend(server.url), RedisBackend(server.url, name="shop"), RedisBackend(server.url[:-1] + "1")]
    async with opened(backends) as heard:
        for number, backend in enumerate(backends):
            await append(backend, "a", str(number))
        assert [texts(events) for events in heard] == [["0"], ["1"], ["2"]]
        assert len({backend.cursor.epoch for backend in backends}) == 3


async def test_a_server_that_is_not_there() -> None:
    backend = RedisBackend(f"redis://:secret@127.0.0.1:{free_port()}/0")
    with pytest.raises(BackendUnavailable, match=r"^redis://127.0.0.1:\d+: .*(refused|connect)") as caught:
        await backend.open(print)
    assert "secret" not in str(caught.value)


async def test_a_server_that_wants_a_password(server: RedisServer) -> None:
    await command(server, "CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(BackendUnavailable, match=r"(?i)^redis://127.0.0.1:\d+: .*auth"):
        await RedisBackend(server.url).open(print)
    async with opened([RedisBackend(server.url.replace("//", "//:secret@"))]):
        pass


def test_urls_of_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("redis://host", "rediss://user:word@host:6380/2"):
        backend = backend_of(url)
        assert isinstance(backend, RedisBackend)
        assert backend.url == url
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SetupError, match=r"needs redis-py: pip install 'sse-components\[redis\]'"):
        backend_of("redis://host")
