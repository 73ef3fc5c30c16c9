"""gunicorn imports the application once and forks its workers: a worker that replaces another is not taken for it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.serving import GUNICORN, Server, serving, until

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")]


async def process_id(server: Server) -> int:
    return int((await server.report())["pid"])


@pytest.mark.parametrize("survive", [False, True], ids=["by default", "grants survive"])
async def test_what_a_killed_worker_had_published_is_a_gap_for_its_successor(survive: bool, tmp_path: Path) -> None:
    """The page is told to fetch itself again: its grant has expired or, where that stays valid, there is a gap."""
    async with serving((*GUNICORN, "--preload"), tmp_path, grants_survive_restart=survive) as server:
        killed = await process_id(server)
        stream = await server.stream()
        await server.publish(count=3)
        last = (await stream.until("data: 2.")).frames[-1].partition("\n")[0].removeprefix("id: ")
        path = await server.get("/grant?channels=news")
        os.kill(killed, signal.SIGKILL)

        async def is_replaced() -> bool:
            return await server.answers() and await process_id(server) != killed

        await until(is_replaced)
        # The position is one that the new log has, too.
        await server.publish(count=10)
        for headers in ([f"Last-Event-ID: {last}"], []):
            again = await server.open(path, headers=headers)
            if not survive:
                await again.to_end()
                assert (again.status, b'"reason":"expired"' in again.body) == (403, True)
                continue
            await again.until("event: sse:reset")
            assert again.texts == []
            await server.publish(first=10)
            assert (await again.until("data: 10.")).texts == ["10."]
        server.stop(signal.SIGTERM)
        await server.ended()
    assert server.process.returncode == 0
