from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

import pytest

from sse_components import Kit, NotRunning, Outcome
from sse_components.components.throttle import Throttle, start
from tests.support.serving import until

pytestmark = pytest.mark.anyio

request: ContextVar[str] = ContextVar("request", default="none")


class Sender:
    """Notes what a throttle sends, and in which context and thread."""

    def __init__(self) -> None:
        self.sent: list[frozenset[str]] = []
        self.contexts: list[str] = []
        self.threads: set[int] = set()
        self.outcome: Outcome[Any] = Outcome.of("id")

    def __call__(self, exclude: frozenset[str]) -> Outcome[Any]:
        self.sent.append(exclude)
        self.contexts.append(request.get())
        self.threads.add(threading.get_ident())
        return self.outcome


@pytest.mark.parametrize("leading", [True, False])
@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), True])
def test_an_interval_must_be_positive(interval: float, leading: bool) -> None:
    with pytest.raises(ValueError, match=r"^interval must be a number above 0, not"):
        Throttle(Kit(), Sender(), interval, leading=leading)


async def test_with_leading_the_first_change_is_sent_at_once_and_the_rest_after_the_interval(sse: Kit) -> None:
    send, loop = Sender(), asyncio.get_running_loop()
    throttle, began = Throttle(sse, send, 0.02, leading=True), loop.time()
    assert [await throttle.request() for _ in range(3)] == ["id", "", ""]
    assert len(send.sent) == 1
    await until(lambda: len(send.sent) == 2)
    throttle.request()
    await until(lambda: len(send.sent) == 3)
    assert loop.time() - began >= 0.04


async def test_without_leading_all_changes_are_sent_together(sse: Kit) -> None:
    send, loop = Sender(), asyncio.get_running_loop()
    throttle, began = Throttle(sse, send, 0.02, leading=False), loop.time()
    assert [await throttle.request() for _ in range(3)] == ["", "", ""]
    assert send.sent == []
    await until(lambda: len(send.sent) == 1)
    assert loop.time() - began >= 0.02


async def test_a_change_may_come_from_any_thread_and_is_sent_in_the_loop(sse: Kit) -> None:
    send = Sender()
    throttle = Throttle(sse, send, 0.01, leading=False)
    await asyncio.gather(*[asyncio.to_thread(throttle.request) for _ in range(50)])
    await until(lambda: bool(send.sent))
    assert send.threads == {threading.get_ident()}


async def test_a_message_excludes_only_tabs_that_every_change_excludes(sse: Kit) -> None:
    send = Sender()
    throttle = Throttle(sse, send, 0.01, leading=False)
    throttle.request(frozenset("ab"))
    throttle.request(frozenset("bc"))
    await until(lambda: len(send.sent) == 1)
    throttle.request(frozenset("a"))
    throttle.request()
    await until(lambda: len(send.sent) == 2)
    assert send.sent == [frozenset("b"), frozenset()]


async def test_a_throttle_waits_until_the_last_message_is_sent(sse: Kit) -> None:
    send, slow = Sender(), Future[str]()
    slow.set_running_or_notify_cancel()
    send.outcome = Outcome(slow)
    throttle = Throttle(sse, send, 0.001, leading=True)
    first = throttle.request()
    throttle.request()
    assert (first.done(), len(send.sent)) == (False, 1)
    slow.set_result("slow")
    assert await first == "slow"
    await until(lambda: len(send.sent) == 2)


async def test_a_delayed_message_is_sent_outside_of_the_callers_context(sse: Kit) -> None:
    send = Sender()
    throttle = Throttle(sse, send, 0.01, leading=True)
    request.set("mine")
    throttle.request()
    throttle.request()
    await until(lambda: len(send.sent) == 2)
    assert send.contexts == ["mine", "none"]


async def test_a_throttle_continues_after_an_error(sse: Kit, caplog: pytest.LogCaptureFixture) -> None:
    errors, sent = [ValueError("at once"), ValueError("later")], list[str]()

    def send(exclude: frozenset[str]) -> Outcome[str]:
        if errors:
            raise errors.pop(0)
        sent.append("sent")
        return Outcome.of("sent")

    throttle = Throttle(sse, send, 0.01, leading=True)
    with pytest.raises(ValueError, match="at once"):
        throttle.request()
    throttle.request()
    await until(lambda: "later" in caplog.text)
    assert f"called at {__file__}:" in caplog.text
    throttle.request()
    await until(lambda: bool(sent))


async def test_the_first_change_starts_a_manager_without_an_application() -> None:
    sse, send = Kit(), Sender()
    await Throttle(sse, send, 0.001, leading=False).request()
    assert sse.running
    await until(lambda: bool(send.sent))
    await sse.stop()
    with pytest.raises(NotRunning):
        Throttle(sse, send, 0.001, leading=False).request()


async def test_a_coroutine_runs_outside_of_the_request() -> None:
    seen = list[str]()

    async def look() -> None:
        await asyncio.sleep(0)
        seen.append(request.get())

    request.set("mine")
    await start(look())
    assert seen == ["none"]
