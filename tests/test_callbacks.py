"""The application's functions, sync and async: where they run, how many at once, and what they see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from sse_components.callbacks import THREADS, TOGETHER, call, call_each, check_sync, is_async
from tests.support.patience import patient
from tests.support.serving import until

pytestmark = pytest.mark.anyio

request_id: ContextVar[str] = ContextVar("request_id")


def where() -> tuple[threading.Thread, str]:
    return threading.current_thread(), request_id.get("none")


async def where_async() -> tuple[threading.Thread, str]:
    return where()


class Callable_:
    async def __call__(self) -> tuple[threading.Thread, str]:
        return where()


@pytest.mark.parametrize("function", [where, partial(where), lambda: where()])
async def test_a_sync_function_runs_in_a_thread_with_the_context_of_its_caller(function: Callable[[], Any]) -> None:
    request_id.set("seven")
    thread, seen = await call(function)
    assert thread is not threading.current_thread()
    assert seen == "seven"


@pytest.mark.parametrize("function", [where_async, partial(where_async), Callable_()])
async def test_an_async_function_runs_in_the_event_loop(function: Callable[[], Any]) -> None:
    request_id.set("eight")
    assert is_async(function)
    assert await call(function) == (threading.current_thread(), "eight")


async def test_what_a_sync_function_returns_may_be_awaitable() -> None:
    assert await call(lambda number: asyncio.sleep(0, number), 3) == 3


@pytest.mark.parametrize("function", [int, partial(int, base=10)])
async def test_an_error_is_raised_to_the_caller(function: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await call(function, "x")


async def test_no_more_threads_run_than_there_may_be() -> None:
    running, most, guard, release = 0, 0, threading.Lock(), threading.Event()

    def work() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        release.wait(patient(15))
        with guard:
            running -= 1

    calls = [asyncio.create_task(call(work)) for _ in range(THREADS + 20)]
    await until(lambda: running == THREADS)
    for cancelled in calls[:5]:  # a thread counts until it has ended, even if nobody waits for it any more
        cancelled.cancel()
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (running, most) == (0, THREADS)


async def test_several_calls_of_a_sync_function_run_at_once_and_keep_their_order() -> None:
    together = threading.Barrier(TOGETHER)

    def work(number: int) -> int:
        together.wait(patient(15))
        return number

    assert await call_each(work, [(number,) for number in range(3 * TOGETHER)]) == list(range(3 * TOGETHER))


async def test_calls_of_an_async_function_do_not_overlap() -> None:
    running = 0

    async def work(number: int) -> int:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return number

    assert await call_each(work, [(number,) for number in range(20)]) == list(range(20))


async def test_after_an_error_no_more_calls_are_made() -> None:
    calls = list[int]()

    def work(number: int) -> None:
        calls.append(number)
        if number == 3:
            raise LookupError("no such channel")

    with pytest.raises(LookupError, match="no such channel"):
        await call_each(work, [(number,) for number in range(1_000)])
    assert len(calls) < 1_000


async def test_nothing_is_called_without_arguments() -> None:
    assert await call_each(where, []) == []


def test_where_nothing_can_be_awaited_an_async_function_is_refused() -> None:
    check_sync(where, "here.name")
    with pytest.raises(TypeError, match=r"^here\.name must be a plain function, not an async one: it is called while"):
        check_sync(where_async, "here.name")
