"""Work that nobody waits for: the kit's tasks, and what becomes of errors in them.

Such work calls functions of the application, such as the one that names the people on a page. An error in it is logged
with what has failed, and the kit goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any

from .forks import Guard

logger = logging.getLogger("sse_components")

# Seconds in which one kind of failure is logged once, and how many kinds are remembered.
REPEAT_SECONDS = 60.0
KINDS = 1_000

# Tasks that run. The event loop itself only has weak references to them.
_tasks: set[asyncio.Task[Any]] = set()


class FailureLog:
    """Logs failures with their tracebacks: each kind once a minute, so that a busy page does not flood the log.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._guard = clock, Guard()
        self._known: OrderedDict[tuple[str, type[BaseException]], tuple[float, int]] = OrderedDict()

    def report(self, what: str, error: BaseException) -> None:
        """Log a failure, unless its like was logged within the last minute.

        Args:
            what: a sentence that names what has failed, with its component and its channel or room.
            error: why.
        """
        if (left_out := self._is_due((what, type(error)))) is not None:
            again = f" ({left_out} more times since the last line about it)" if left_out else ""
            logger.error("%s%s", what, again, exc_info=error)

    def forget(self) -> None:
        """Log the next failure of each kind again."""
        with self._guard:
            self._known.clear()

    def _is_due(self, kind: tuple[str, type[BaseException]]) -> int | None:
        """Return how many failures of a kind were left out; None if this one is left out, too."""
        with self._guard:
            logged_at, left_out = self._known.get(kind, (-math.inf, 0))
            is_due = self._clock() - logged_at >= REPEAT_SECONDS
            self._known[kind] = (self._clock(), 0) if is_due else (logged_at, left_out + 1)
            self._known.move_to_end(kind)
            if len(self._known) > KINDS:
                self._known.popitem(last=False)
        return left_out if is_due else None


failures = FailureLog()
report = failures.report


def start_task(work: Coroutine[Any, Any, Any], what: str, *, context: Context | None = None) -> asyncio.Task[Any]:
    """Run a coroutine in a task that nobody has to wait for. An error that it raises is logged.

    Args:
        work: what to do.
        what: what it does, such as `'sending to a stream'`, for the log.
        context: in which it runs; by default a copy of the present one.

    Returns:
        The task.
    """
    task = asyncio.get_running_loop().create_task(work, context=context)
    _tasks.add(task)
    task.add_done_callback(partial(_end, what))
    return task


def _end(what: str, task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        report(f"{what} failed", error)
