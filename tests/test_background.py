"""What fails where nobody waits for it is logged, with its name, and once."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

import sse_components
from sse_components.background import KINDS, REPEAT_SECONDS, FailureLog, start_task
from tests.support.clock import Clock
from tests.support.serving import until

pytestmark = pytest.mark.anyio

PACKAGE = Path(sse_components.__file__).parent
# Where tasks are made besides: there, the maker waits for them.
WAITED_FOR = {"background.py", "callbacks.py", "delivery/feed.py", "generators/sources.py", "gallery/app.py"}


async def test_the_error_of_a_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise OSError("the disk is full")

    task = start_task(fail(), "cleaning up")
    await until(task.done)
    await until(lambda: len(caplog.records) == 1)
    [record] = caplog.records
    assert record.getMessage() == "cleaning up failed"
    assert "OSError: the disk is full" in caplog.text


async def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = start_task(asyncio.sleep(60), "waiting")
    task.cancel()
    await asyncio.wait([task])
    assert caplog.records == []


def test_a_kind_of_failure_is_logged_once_a_minute_and_counted(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(clock)
    for _ in range(5):
        failures.report("here.name failed in room 'a'", ValueError("one"))
    assert caplog.messages == ["here.name failed in room 'a'"]
    failures.report("here.name failed in room 'b'", ValueError("one"))
    failures.report("here.name failed in room 'a'", KeyError("another"))
    assert len(caplog.messages) == 3
    clock.now += REPEAT_SECONDS
    failures.report("here.name failed in room 'a'", ValueError("two"))
    assert caplog.messages[3] == "here.name failed in room 'a' (4 more times since the last line about it)"


def test_it_remembers_a_bounded_number_of_kinds(clock: Clock) -> None:
    failures = FailureLog(clock)
    for number in range(KINDS + 50):
        failures.report(f"room {number} failed", ValueError())
    assert len(failures._known) == KINDS


def test_every_other_task_of_the_kit_is_waited_for() -> None:
    makers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("create_task", "ensure_future")
    }
    assert makers == WAITED_FOR
