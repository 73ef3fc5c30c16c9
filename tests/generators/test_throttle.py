"""A throttled stream keeps order and distance, and drops the oldest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise

import pytest

from sse_components.generators.streams import sse_generator
from sse_components.generators.throttle import create_throttled_stream
from tests.support.streams import CLOSED, CONNECTED, PACE, Source, collect, numbers

pytestmark = pytest.mark.anyio


async def test_a_throttled_stream_keeps_order_and_distance() -> None:
    seen, times = [], []
    async for item in create_throttled_stream(numbers(5), PACE, max_buffer=5):
        seen.append(item)
        times.append(asyncio.get_running_loop().time())
    assert seen == [0, 1, 2, 3, 4]
    assert all(later - sooner > 0.99 * PACE for sooner, later in pairwise(times))


async def test_a_full_buffer_drops_the_oldest_keeps_the_latest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []
    finished = asyncio.Event()

    async def burst() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number
        finished.set()

    stream = create_throttled_stream(burst(), 0, max_buffer=3, on_drop=told.append)
    assert await anext(stream) == 0
    await finished.wait()
    assert [item async for item in stream] == [97, 98, 99]
    assert told == list(range(1, 97))
    assert "dropped 96 items" in caplog.text


async def test_a_throttled_source_that_fails_does_so_after_what_waits() -> None:
    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise RuntimeError("broken")

    stream = create_throttled_stream(breaks(), PACE)
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken"):
        await anext(stream)


async def test_leaving_a_throttled_stream_closes_its_source(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("a", "b", "c")
    async with aclosing(create_throttled_stream(source(), 60)) as stream:
        assert await anext(stream) == "a"
        await source.waits.wait()
    assert source.closed.is_set()
    assert not caplog.records


async def test_a_failure_that_nobody_waited_for_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failing = asyncio.Event()

    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        failing.set()
        raise RuntimeError("broken")

    async with aclosing(create_throttled_stream(breaks(), 60)) as stream:
        assert await anext(stream) == 1
        await failing.wait()
    assert "broken" in caplog.text


async def test_a_throttled_stream_is_a_source() -> None:
    stream = sse_generator(create_throttled_stream(numbers(3), 0))
    assert await collect(stream) == [CONNECTED, "data: 0\n\n", "data: 1\n\n", "data: 2\n\n", CLOSED]
