"""Several workers of uvicorn share a log: what one publishes, the streams of all get."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.serving import UVICORN, Server, Site, Stream, serving, until
from tests.support.stores import RedisServer

pytestmark = pytest.mark.anyio

WORKERS = 2
COMMAND = (*UVICORN, "--workers", str(WORKERS), "--timeout-graceful-shutdown", "5")


@pytest.fixture(params=["sqlite", "redis"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of an empty store."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/live.db"
    else:
        async with RedisServer(tmp_path) as server:
            yield server.url


def serve(folder: Path, url: str) -> AbstractAsyncContextManager[Server]:
    return serving(COMMAND, folder, backend=url)


async def pids(site: Site, count: int = WORKERS) -> set[int]:
    """Ask until `count` different workers have answered; return their process ids."""
    found: set[int] = set()

    async def ask() -> bool:
        found.add((await site.report())["pid"])
        return len(found) >= count

    await until(ask, 30)
    return found


async def publish_by_all(site: Site, workers: set[int]) -> int:
    """Publish numbers until each worker has published some; return how many there are."""
    published, number = set[str](), 0
    while published != {str(worker) for worker in workers}:
        published.add(await site.publish(first=number, count=3))
        number += 3
    return number


def numbers(stream: Stream) -> list[str]:
    return [text.rstrip(".x") for text in stream.texts]


@asynccontextmanager
async def spread_streams(server: Server) -> AsyncIterator[list[Stream]]:
    """Open streams until both workers have some."""
    workers = await pids(server)
    streams = await server.streams(8)
    holding: dict[int, int] = {}

    async def are_spread() -> bool:
        report = await server.report()
        holding[report["pid"]] = report["following"]
        if len(holding) == len(workers) and 0 in holding.values():
            streams.extend(await server.streams(4))
            holding.clear()
        return len(holding) == len(workers) and 0 not in holding.values()

    await until(are_spread, 30)
    yield streams


async def test_workers_share_the_log_and_lose_nothing_when_one_is_killed(tmp_path: Path, url: str) -> None:
    async with serve(tmp_path, url) as server, spread_streams(server) as streams:
        workers = await pids(server)
        path = await server.get("/grant?channels=news")
        count = await publish_by_all(server, workers)
        last = f"data: {count - 1}."
        for stream in streams:
            await stream.until(last)
            assert numbers(stream) == [str(number) for number in range(count)]
        assert len({tuple(stream.frames[-count:]) for stream in streams}) == 1

        # One worker is killed, and uvicorn starts another one. Its streams come back where they were.
        victim = workers.pop()
        psutil.Process(victim).kill()
        await until(lambda: not psutil.pid_exists(victim) or psutil.Process(victim).status() == "zombie")
        first_id = streams[0].frames[-count].partition("\n")[0].removeprefix("id: ")
        await server.publish(first=count)
        assert victim not in await pids(server)
        for _ in range(4):
            back = await server.open(path, headers=[f"last-event-id: {first_id}"])
            await back.until(f"data: {count}.")
            assert numbers(back) == [str(number) for number in range(1, count + 1)]
            assert "sse:reset" not in back.body.decode()
        assert server.trouble == []


async def test_a_revocation_holds_in_all_workers_and_after_a_restart(tmp_path: Path, url: str) -> None:
    async with serve(tmp_path, url) as server, spread_streams(server) as streams:
        path, other = [await server.get(f"/grant?channels={name}") for name in ("news", "weather")]
        await server.get("/revoke?channel=news")
        for stream in streams:
            await stream.until('"reason": "revoked"')
            await stream.to_end()
        for _ in range(4):
            assert (await (await server.open(path)).to_end()).status == 403
        assert server.trouble == []
    async with serve(tmp_path, url) as server:
        await pids(server)
        for _ in range(4):
            assert (await (await server.open(path)).to_end()).status == 403
        await (await server.open(other)).until("sse:open")
        assert server.trouble == []


async def test_a_restart_of_the_application_replays(tmp_path: Path, url: str) -> None:
    async with serve(tmp_path, url) as server:
        stream = await server.stream()
        await server.publish(count=2)
        await stream.until("data: 1.")
        path = await server.get("/grant?channels=news")
        last_id = stream.frames[-1].partition("\n")[0].removeprefix("id: ")
        await server.publish(first=2)
        server.stop(signal.SIGTERM)
        await stream.until("sse:shutdown")
        await server.ended()
        assert server.trouble == []
    async with serve(tmp_path, url) as server:
        await server.publish(first=3)
        for given in (last_id, None):
            again = await server.open(path, headers=[f"last-event-id: {given}"] if given else [])
            await again.until("data: 3.")
            assert numbers(again) == ["2", "3"]
            assert "sse:reset" not in again.body.decode()
        greeting = json.loads(again.frames[0].rpartition("data: ")[2])
        assert [sub["channels"] for sub in greeting["subs"]] == [["news"]]
