"""Each cell of the table in docs/deployment.md is true, and the table has a row for each way that is tested."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from tests.support.patience import patient
from tests.support.serving import ROOT, Stream
from tests.support.ways import ALL, LAST_FRAME, LIFESPAN, SAME_WORKER, WAYS, Running, Way, row, table

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_a_way_to_run_an_application(way: Way, tmp_path: Path) -> None:
    async with way.run(tmp_path) as running:
        stream = await open_stream(running)
        assert await reached(running, stream, way) == way.reaches
        assert running.had_lifespan() == (way.starts == LIFESPAN)
        running.stop()
        assert await last_frame(stream) == (way.ends == LAST_FRAME)


async def open_stream(running: Running) -> Stream:
    """Open a stream as a page does, which is fetched again where another worker refuses its grant."""
    while True:
        path = await running.site.get(f"{running.prefix}/grant?channels=news")
        assert path.startswith(f"{running.prefix}/sse/stream?"), path
        with suppress(ConnectionError):
            return await (await running.open(path)).until("sse:open")


async def reached(running: Running, stream: Stream, way: Way) -> str:
    """Publish in each of the processes, wait for what a stream should get of it, and return whose it has got."""
    published: defaultdict[str, set[str]] = defaultdict(set)
    for number in count():
        process = await running.site.get(f"{running.prefix}/publish?channel=news&first={number}")
        published[process].add(f"{number}.")
        if len(published) == way.processes and number >= 3:
            break
    everything = set().union(*published.values())
    awaited = [everything] if way.reaches == ALL else list(published.values())
    async with asyncio.timeout(patient(15)):
        while not any(numbers <= set(stream.texts) for numbers in awaited):
            await stream.read()
    return ALL if set(stream.texts) == everything else SAME_WORKER


async def last_frame(stream: Stream) -> bool:
    """Tell whether a stream ends with the frame that says when to come back."""
    try:
        await stream.to_end()
    except ConnectionError:
        return False
    return stream.frames[-1].startswith("event: sse:shutdown\nretry: ")


def test_the_table_says_what_is_tested() -> None:
    expected = table(map(row, WAYS))
    text = (ROOT / "docs" / "deployment.md").read_text()
    assert expected in text, f"docs/deployment.md has another table than this one:\n{expected}"
