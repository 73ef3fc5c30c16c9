"""The progress stream of the first API."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from ..checks import check_positive
from ..events.wire import Frame
from .endpoint import create_sse_endpoint
from .sources import INTERVAL, closing, frame, items

DONE_EVENT = "done"

ENDED_STATUSES = ("completed", "done", "failed", "error", "cancelled")


def job_ended(state: Any) -> bool:
    """Tell whether a state is the last one of a job.

    If the state has `done`, that decides. Else it is the last one if `status` is one of `ENDED_STATUSES`, or if
    `progress` has reached `total`, by default 100.
    """
    if not isinstance(state, Mapping):
        return False
    if "done" in state:
        return bool(state["done"])
    progress, total = state.get("progress"), state.get("total") or 100
    return state.get("status") in ENDED_STATUSES or (isinstance(progress, int | float) and progress >= total)


def create_progress_stream(
    job_id: str,
    progress_source: Callable[..., Any],
    interval: float = INTERVAL,
    *,
    ended: Callable[[Any], bool] = job_ended,
) -> Callable[..., Any]:
    """Create a progress streaming endpoint, for `app.route(path)`.

    Each client gets the present state at once, and then each state that differs from the previous one. The stream ends
    with an event `done`. Close the element (`sse_close="done"`) or the EventSource on it: else it connects again. Such
    a client gets 204, after which browsers do not reconnect.

    Args:
        job_id: the job's id, which the data of the `done` event has, too.
        progress_source: callable that returns progress data, sync or async; it gets `job_id` if it takes an argument.
            It returns None if the job does not exist any more. It may return a generator of states instead.
        interval: seconds between two calls.
        ended: tells whether a state is the last one of the job; by default, `job_ended`.

    Raises:
        ValueError: for an `interval` that is not above 0.

    Source: cjm-fasthtml-sse, `streaming`.
    """
    check_positive(interval=interval)
    source = partial(progress_source, job_id) if takes_argument(progress_source) else progress_source

    async def states() -> AsyncGenerator[Frame, None]:
        last = None
        async with closing(items(source, interval)) as polled:
            async for state in polled:
                if state is None:
                    break
                if (text := frame(state)) != last:
                    yield (last := text)
                if ended(state):
                    break
        yield frame({"job_id": job_id}, event=DONE_EVENT, id=DONE_EVENT)

    async def progress(last_event_id: str = "") -> Any:
        return Response(status_code=204) if last_event_id == DONE_EVENT else states()

    return create_sse_endpoint(progress)


def takes_argument(function: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True
