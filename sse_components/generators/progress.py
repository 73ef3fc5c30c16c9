"""The progress stream of the first API."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from ..callbacks import call
from ..checks import check_positive
from ..events.wire import Frame
from .endpoint import EndpointResponse
from .sources import INTERVAL, closing, frame, items
from .streams import SSEStream, StreamConfig

DONE_EVENT = "done"

ENDED_STATUSES = ("completed", "done", "failed", "error", "cancelled")
# `progress` is a percentage, whatever else the state counts.
COMPLETE = 100


def job_ended(state: Any) -> bool:
    """Tell whether a state is the last one of a job.

    If the state has `done`, that decides. Else it is the last one if `completed` is true, if `status` is one of
    `ENDED_STATUSES`, or if `progress` has reached 100: it is a percentage, also beside a `total` of something.

    Args:
        state: what the job's source has returned.

    Example:
        `job_ended({'progress': 40, 'completed': True})`
    """
    if not isinstance(state, Mapping):
        return False
    if "done" in state:
        return bool(state["done"])
    progress, status = state.get("progress"), state.get("status")
    is_complete = isinstance(progress, int | float) and progress >= COMPLETE
    return bool(state.get("completed")) or status in ENDED_STATUSES or is_complete


class ProgressStream(EndpointResponse):
    """What a progress endpoint returns: a response for a handler to return, and an async iterator of its frames."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self.frames

    async def __anext__(self) -> str:
        return await anext(self.frames)

    async def aclose(self) -> None:
        """Close the source."""
        await self.frames.aclose()


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

    The endpoint is a handler of a route. Where a source is wanted, call it: the result is an async iterator of frames,
    for `EventStream(...)`, `create_sse_endpoint` and `async for`.

    Args:
        job_id: the job's id, which the data of the `done` event has, too.
        progress_source: callable that returns progress data, sync or async; it gets `job_id` if it takes an argument.
            It returns None if the job does not exist any more. It may return a generator of states instead.
        interval: seconds between two calls; 0 to call it again at once.
        ended: tells, sync or async, whether a state is the last one of the job; by default, `job_ended`. A job that
            counts to a total needs its own: `ended=lambda state: state['progress'] >= state['total']`.

    Returns:
        The endpoint.

    Raises:
        ValueError: for an `interval` below 0.

    Example:
        `rt('/progress')(create_progress_stream('job-1', jobs.progress))`

    Source: cjm-fasthtml-sse, `streaming`.
    """
    check_positive(zero=True, interval=interval)
    source = partial(progress_source, job_id) if takes_argument(progress_source) else progress_source

    async def states() -> AsyncGenerator[Frame, None]:
        last = None
        async with closing(items(source, interval)) as polled:
            async for state in polled:
                if state is None:
                    break
                if (text := frame(state)) != last:
                    yield (last := text)
                if await call(ended, state):
                    break
        yield frame({"job_id": job_id}, event=DONE_EVENT, id=DONE_EVENT)

    def progress(last_event_id: str = "") -> Response:
        if last_event_id == DONE_EVENT:
            return Response(status_code=204)
        return ProgressStream(SSEStream().stream(states()), heartbeat=StreamConfig().heartbeat_interval)

    return progress


def takes_argument(function: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True
