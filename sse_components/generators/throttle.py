"""A source that yields no faster than a client can follow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from ..background import report
from ..callbacks import call
from ..checks import check_positive, check_whole
from .sources import items, reading

logger = logging.getLogger("sse_components")


def create_throttled_stream(
    source: Any,
    min_interval: float = 0.1,
    max_buffer: int = 10,
    *,
    on_drop: Callable[[int], object] | None = None,
) -> AsyncGenerator[Any, None]:
    """Create a throttled stream to prevent overwhelming clients.

    Items keep their order. When `max_buffer` items wait, the oldest is dropped for the latest; the number of dropped
    items goes to the log at the end. An exception of the source is raised after the waiting items.

    Args:
        source: async generator, or another source as `sources.items` lists them.
        min_interval: minimum seconds between items.
        max_buffer: the number of items that may wait.
        on_drop: called, sync or async, with the number of items dropped so far, each time that it increases. An
            exception goes to the log, and the stream goes on.

    Yields:
        The items, unchanged.

    Raises:
        TypeError: if `source` is not a source.
        ValueError: for a `min_interval` below 0, or a `max_buffer` below 1.

    Source: cjm-fasthtml-sse, `streaming`.
    """
    check_positive(zero=True, min_interval=min_interval)
    if max_buffer == 0:
        raise ValueError("max_buffer=0 would drop every item; write max_buffer=1 to keep the latest one only")
    check_whole(max_buffer=max_buffer)
    return _throttle(items(source, 0), min_interval, max_buffer, on_drop)


async def _throttle(
    source: AsyncIterator[Any], min_interval: float, max_buffer: int, on_drop: Callable[[int], object] | None
) -> AsyncGenerator[Any, None]:
    loop, arrived, waiting = asyncio.get_running_loop(), asyncio.Event(), deque[Any]()
    failures, dropped, due = list[BaseException](), 0, 0.0

    async def take(item: Any) -> None:
        nonlocal dropped
        waiting.append(item)
        arrived.set()
        if len(waiting) > max_buffer:
            waiting.popleft()
            dropped += 1
            if on_drop is not None:
                await drop(on_drop, dropped)
        # A source that never waits would otherwise block the event loop.
        await asyncio.sleep(0)

    try:
        async with reading(source, take, failures.append) as reader:
            reader.add_done_callback(lambda _: arrived.set())
            while waiting or not reader.done():
                if waiting:
                    await asyncio.sleep(due - loop.time())
                    due = loop.time() + min_interval
                    yield waiting.popleft()
                else:
                    arrived.clear()
                    await arrived.wait()
        if failures:
            raise failures.pop()
    finally:
        if dropped:
            logger.warning("a throttled stream of one item in %g s dropped %d items", min_interval, dropped)
        for error in failures:
            logger.error("the source of a throttled stream failed after its reader had left", exc_info=error)


async def drop(on_drop: Callable[[int], object], dropped: int) -> None:
    """Tell an application that an item was dropped."""
    try:
        await call(on_drop, dropped)
    except Exception as error:
        report("on_drop= of a throttled stream failed", error)
