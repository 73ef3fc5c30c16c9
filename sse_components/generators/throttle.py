"""A source slowed down to what a client can follow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from .sources import check_seconds, items, reading

logger = logging.getLogger("sse_components")


def create_throttled_stream(
    source: Any,
    min_interval: float = 0.1,
    max_buffer: int = 10,
    *,
    on_drop: Callable[[int], object] | None = None,
) -> AsyncGenerator[Any, None]:
    """Create a throttled stream to prevent overwhelming clients.

    Items keep their order. When `max_buffer` of them wait, the oldest makes room for the latest; how many were dropped
    goes to the log at the end. What the source raises is raised after what waits has been yielded.

    Args:
        source: async generator, or another source that `sources.items` names.
        min_interval: minimum seconds between items.
        max_buffer: how many items may wait.
        on_drop: called with the number of items dropped so far, each time that it grows.

    Yields:
        The items, unchanged.

    Raises:
        TypeError: if `source` is no source.
        ValueError: for a `min_interval` below 0, or a `max_buffer` below 1.

    Source: reference, `streaming`.
    """
    check_seconds("min_interval", min_interval, zero=True)
    if max_buffer < 1:
        raise ValueError(f"max_buffer must be at least 1, not {max_buffer!r}")
    return _throttled(items(source, 0), min_interval, max_buffer, on_drop or (lambda dropped: None))


async def _throttled(
    source: AsyncIterator[Any], min_interval: float, max_buffer: int, on_drop: Callable[[int], object]
) -> AsyncGenerator[Any, None]:
    loop, news, waiting = asyncio.get_running_loop(), asyncio.Event(), deque[Any]()
    failures, dropped, due = list[BaseException](), 0, 0.0

    async def take(item: Any) -> None:
        nonlocal dropped
        waiting.append(item)
        news.set()
        if len(waiting) > max_buffer:
            waiting.popleft()
            dropped += 1
            on_drop(dropped)
        # A source that never waits would otherwise let nobody else run.
        await asyncio.sleep(0)

    try:
        async with reading(source, take, failures.append) as reader:
            reader.add_done_callback(lambda _: news.set())
            while waiting or not reader.done():
                if waiting:
                    await asyncio.sleep(due - loop.time())
                    due = loop.time() + min_interval
                    yield waiting.popleft()
                else:
                    news.clear()
                    await news.wait()
        if failures:
            raise failures.pop()
    finally:
        if dropped:
            logger.warning("a throttled stream of one item in %g s dropped %d items", min_interval, dropped)
        for error in failures:
            logger.error("the source of a throttled stream failed after its reader had left", exc_info=error)
