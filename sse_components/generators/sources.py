"""The sources of a stream: any source as an async iterator, which is read in a task; any item as a frame."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

from anyio import CancelScope, CapacityLimiter
from fastcore.basics import NotStr

from ..callbacks import in_thread, is_async
from ..errors import ConnectionClosed
from ..events.json_text import to_json_text
from ..events.wire import Frame, encode
from ..html.oob import render

# Seconds between the items of a list, and between two calls of a callable.
INTERVAL = 0.5

logger = logging.getLogger("sse_components")

_END = object()
_QUEUE_ENDED = (ConnectionClosed, getattr(asyncio, "QueueShutDown", ConnectionClosed))


# ---------------------------------------------------------------------- items


def frame(item: Any, *, event: str | None = None, id: str | None = None) -> Frame:
    """Return an item of a source as a frame.

    FT, `oob(...)`, objects with `__ft__` or `__html__`, and tuples or lists with one of them become HTML. A `str`, and
    `bytes` as UTF-8, are data, whatever they look like. A `Frame`, and the result of an object's `to_sse()`, stay as
    they are. Everything else becomes JSON, as `to_json_text` makes it: numbers, dicts, lists, dates, sets, dataclasses.

    Args:
        item: anything of these.
        event: the event's name, by default `message`. Frames keep their own.
        id: what becomes the client's last event id. Frames keep their own.

    Raises:
        TypeError: if JSON cannot represent the item.
        ValueError: if it has a number that JSON cannot represent, such as `nan`.
        WireError: for an event's name or id with control characters.
    """
    if isinstance(item, Frame):
        return item
    if not is_markup(item) and callable(to_sse := getattr(item, "to_sse", None)):
        return Frame(to_sse())
    return Frame(encode(_data(item), event=event, id=id).decode())


def is_markup(item: Any) -> bool:
    """Tell whether an item is HTML: FT and the like, or a tuple or list with one of them."""
    if isinstance(item, tuple | list):
        return any(map(is_markup, item))
    return isinstance(item, NotStr) or hasattr(item, "__ft__") or hasattr(item, "__html__")


def _data(item: Any) -> str:
    if isinstance(item, bytes):
        return item.decode()
    if isinstance(item, str):
        return item
    if is_markup(item):
        return render(item)
    try:
        return to_json_text(item)
    except TypeError as error:
        raise TypeError(f"cannot send an item: {error}, text, and objects with to_sse()") from error


# ---------------------------------------------------------------------- sources


def items(source: Any, interval: float = INTERVAL) -> AsyncIterator[Any]:
    """Return any source as an async iterator.

    - An async generator or async iterable is read as it is.
    - An `asyncio.Queue` is read until it is shut down, or its connection closed.
    - A list, or another collection, gives an item every `interval`.
    - A generator or other iterator is stepped in a worker thread, so that it may block.
    - A callable is called once if it returns a generator or iterator, which is then the source. Else it is called again
      every `interval`, until it raises `StopIteration` or, if it is async, `StopAsyncIteration`. A callable that is not
      async is called in a worker thread.

    Each source has at most one worker thread at a time, and takes none from the application's handlers. A thread cannot
    be interrupted: a blocking source ends after its present step.

    Args:
        source: a source of one of these kinds.
        interval: seconds between two items of a collection, and between two calls.

    Raises:
        TypeError: if `source` is none of these. Text, mappings and FT are items, not sources.
    """
    if isinstance(source, AsyncIterable):
        return aiter(source)
    if isinstance(source, asyncio.Queue):
        return _read_queue(source)
    if not isinstance(source, str | bytes | Mapping) and (isinstance(source, list | tuple) or not is_markup(source)):
        if isinstance(source, Collection):
            return _read_collection(source, interval)
        if isinstance(source, Iterable):
            return _read_iterator(iter(source))
        if callable(source):
            return _call_repeatedly(source, interval)
    raise TypeError(
        f"a source is an async generator, a queue, a list, an iterator or a callable, not {type(source).__name__}"
    )


@asynccontextmanager
async def closing(source: AsyncIterator[Any]) -> AsyncGenerator[AsyncIterator[Any], None]:
    """Close `source` when the block is left, if it can be closed."""
    try:
        yield source
    finally:
        if callable(aclose := getattr(source, "aclose", None)):
            try:
                await aclose()
            except* GeneratorExit:
                # A task group that is open at a `yield` raises this when its generator is closed.
                pass


async def _read_queue(queue: asyncio.Queue[Any]) -> AsyncGenerator[Any, None]:
    while True:
        try:
            item = await queue.get()
        except _QUEUE_ENDED:
            return
        yield item


async def _read_collection(collection: Collection[Any], interval: float) -> AsyncGenerator[Any, None]:
    for number, item in enumerate(collection):
        if number:
            await asyncio.sleep(interval)
        yield item


async def _read_iterator(iterator: Iterator[Any]) -> AsyncGenerator[Any, None]:
    limiter = CapacityLimiter(1)
    try:
        while (item := await _step(iterator.__next__, limiter)) is not _END:
            yield item
    finally:
        if isinstance(iterator, Generator):
            await _step(iterator.close, limiter)


async def _call_repeatedly(function: Callable[[], Any], interval: float) -> AsyncGenerator[Any, None]:
    limiter = CapacityLimiter(1)
    while (result := await _call(function, limiter)) is not _END:
        if isinstance(result, AsyncIterable | Iterator):
            async with closing(items(result, interval)) as produced:
                async for item in produced:
                    yield item
            return
        yield result
        await asyncio.sleep(interval)


async def _call(function: Callable[[], Any], limiter: CapacityLimiter) -> Any:
    """Return the result of `function`, sync or async; `_END` if it raises `StopIteration` or `StopAsyncIteration`."""
    try:
        result = function() if is_async(function) else await _step(function, limiter)
        return await result if isawaitable(result) else result
    except StopAsyncIteration:
        return _END


async def _step(function: Callable[[], Any], limiter: CapacityLimiter) -> Any:
    """Return the result of `function` in a worker thread; `_END` if it raises `StopIteration`."""

    def step() -> Any:
        try:
            return function()
        except StopIteration:
            return _END

    return await in_thread(step, limiter)


# ---------------------------------------------------------------------- reading


@asynccontextmanager
async def reading(
    source: AsyncIterator[Any], take: Callable[[Any], Awaitable[None]], failed: Callable[[BaseException], None]
) -> AsyncGenerator[asyncio.Task[None], None]:
    """Read `source` in a task until the block is left. Then the source is closed, whatever it is doing.

    One task reads and closes the source, because a source may use what belongs to its task: a time-out, a task group,
    a context variable.

    Args:
        source: the source to read and to close.
        take: awaited with each item before the next one is read.
        failed: called with the exception of the source or of `take`. An exception of the closing goes to the log.

    Yields:
        The task. It is done when the source has ended or failed, and raises nothing.
    """
    reader = asyncio.create_task(_read(source, take, failed))
    try:
        # Cancelled before its first step, the task would not close the source.
        await asyncio.sleep(0)
        yield reader
    finally:
        reader.cancel()
        with CancelScope(shield=True):
            await asyncio.wait({reader})


async def _read(
    source: AsyncIterator[Any], take: Callable[[Any], Awaitable[None]], failed: Callable[[BaseException], None]
) -> None:
    try:
        async with closing(source):
            async for item in source:
                # A source may catch its cancellation, and go on.
                if _cancelled():
                    break
                await take(item)
    except (Exception, asyncio.CancelledError) as error:
        if not _cancelled():
            failed(error)
        elif isinstance(error, asyncio.CancelledError):
            raise
        else:
            logger.error("the source of a stream failed while it was closed", exc_info=error)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
