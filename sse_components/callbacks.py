"""Calls of the application's functions, sync or async alike.

An async function is awaited in the event loop. Any other runs in a worker thread, where it may query a database, or
sleep, without holding up the streams of everybody else. It sees the context variables of its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")

# Threads for the application's functions in each event loop, beside those that run its sync handlers.
THREADS = 32
# How many of them one request can use, so that it does not keep others waiting.
TOGETHER = 8

# A limiter belongs to the event loop that waits for it.
_limiter: RunVar[CapacityLimiter] = RunVar("sse_components.callbacks")


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether a function, an object's `__call__` or what a `partial` calls is async."""
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def check_sync(function: Callable[..., Any], what: str) -> None:
    """Check that a function is not async, where nothing can await it.

    Args:
        function: the application's.
        what: what it is for, such as `'here.name'`.

    Raises:
        TypeError: if it is async.
    """
    if is_async(function):
        raise TypeError(f"{what} must be a plain function, not an async one: it is called while a page is rendered")


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the application: an async one here, any other in a worker thread.

    Args:
        function: the application's; what it returns may be awaitable.
        args: its arguments.

    Returns:
        Its result.

    Raises:
        Exception: what it raises.
    """
    result = await (function(*args) if is_async(function) else in_thread(partial(function, *args), _threads()))
    return await result if isawaitable(result) else result


async def call_each(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], *, keep_errors: bool = False
) -> list[Any]:
    """Call a function of the application several times: in worker threads, several at once.

    An async function is called again when it has returned, because its calls may share what two cannot use at once,
    such as a database session.

    Args:
        function: the application's.
        arguments: those of each call.
        keep_errors: whether what a call raises is its result.

    Returns:
        The results, in the order of the arguments.

    Raises:
        Exception: the first that a call raises. Calls that have begun are finished, and no more are made.
    """
    results: dict[int, Any] = {}
    waiting = enumerate(arguments)

    async def work() -> None:
        for number, args in waiting:
            try:
                results[number] = await call(function, *args)
            except Exception as error:
                if not keep_errors:
                    raise
                results[number] = error

    workers = [asyncio.ensure_future(work()) for _ in range(1 if is_async(function) else TOGETHER)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[number] for number in sorted(results)]


async def in_thread(function: Callable[[], T], limiter: CapacityLimiter) -> T:
    """Return the result of a function that runs in a worker thread.

    A cancellation is raised when the thread is done, so that nothing is closed while the thread uses it, and no more
    threads run than the limiter allows.

    Args:
        function: must not raise `StopIteration`.
        limiter: how many threads may run at once.

    Raises:
        Exception: what the function raises.
    """
    thread = asyncio.ensure_future(to_thread.run_sync(function, limiter=limiter))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait({thread})
        thread.result()
        raise


def _threads() -> CapacityLimiter:
    """Return the limiter of the running event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
        return limiter
