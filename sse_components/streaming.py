"""Streams for handlers that bring their own data: an endpoint, a generator, a queue, a job's progress.

What feeds a stream is read in a task of its own, an item at a time and only as fast as the client takes them.
Heartbeats, time-outs and `stop()` pass that task by, so that none of them disturbs the source; and the source is closed
when the client leaves, whatever it is doing then.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from . import servers
from .oob import OOBStreamBuilder
from .protocol import ERROR_EVENT
from .response import HEADERS
from .sources import INTERVAL, as_framed, check_seconds, closing, frame, items, reading
from .throttle import create_throttled_stream
from .wire import Frame, comment

__all__ = [
    "OOBStreamBuilder",
    "SSEStream",
    "StreamConfig",
    "create_progress_stream",
    "create_sse_endpoint",
    "create_throttled_stream",
    "sse_generator",
    "stream_updates",
]

Transform = Callable[[Any], Any]
Inbox = asyncio.Queue[Frame | None]

HEARTBEAT = Frame(comment("heartbeat").decode())
DONE_EVENT = "done"
FINAL_STATUSES = ("completed", "done", "failed", "error", "cancelled")

logger = logging.getLogger("sse_components")


@dataclass
class StreamConfig:
    """Configuration for SSE streaming.

    Attributes:
        heartbeat_interval: seconds of silence before a heartbeat, which is a comment.
        timeout: seconds that a stream lives at most; None is for ever.
        send_initial_message: whether to begin with `initial_message`, as a comment, which pages don't see.
        initial_message: one line of text.
        send_close_message: whether to end with `close_message`, as a comment.
        close_message: one line of text.
        debug: whether the client is told what a source raised. If not, it gets an id under which the log has it.

    Raises:
        ValueError: for a time that is not above 0, or a message with more than one line.

    Source: reference, `streaming`.
    """

    heartbeat_interval: float = 30.0
    timeout: float | None = None
    send_initial_message: bool = True
    initial_message: str = "Connected"
    send_close_message: bool = True
    close_message: str = "Connection closed"
    debug: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        check_seconds("heartbeat_interval", self.heartbeat_interval)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout)
        comment(self.initial_message)
        comment(self.close_message)


class SSEStream:
    """Generic SSE stream handler.

    Source: reference, `streaming`.
    """

    def __init__(self, config: StreamConfig | None = None) -> None:
        """Initialize the SSE stream.

        Args:
            config: stream configuration.
        """
        self.config = config or StreamConfig()
        self._stops = 0
        self._enders: set[Callable[[], object]] = set()

    def stream(self, data_source: Any, transform_fn: Transform | None = None) -> AsyncGenerator[str, None]:
        """Stream data from a source through SSE.

        An exception of the source or of `transform_fn` goes to the log, and to the client as an `sse:error` event with
        `error` and `id` in JSON. After it the stream ends, as it does after the source, after `timeout` and `stop()`,
        and when the server begins to stop.

        Args:
            data_source: async generator or callable that produces data, or another source that `sources.items` names.
            transform_fn: optional function, sync or async, to transform data before sending. None is not sent.

        Yields:
            SSE formatted strings, as `sources.frame` makes them of what the source yields.

        Raises:
            TypeError: if `data_source` is no source.
        """
        return self._frames(items(data_source), transform_fn, self._stops)

    def stop(self) -> None:
        """Stop the streams that this object has given so far, from any thread. It can give new ones."""
        self._stops += 1
        for end in tuple(self._enders):
            end()

    async def _frames(
        self, source: AsyncIterator[Any], transform: Transform | None, stops: int
    ) -> AsyncGenerator[Frame, None]:
        config, inbox = self.config, Inbox()

        async def take(item: Any) -> None:
            news = await transformed(item, transform)
            if news is not None and (framed := frame(news)):
                inbox.put_nowait(framed)
                await inbox.join()

        def failed(error: BaseException) -> None:
            inbox.put_nowait(reported(error, config.debug))

        with self._ended_early(inbox, stops):
            async with reading(source, take, failed) as reader:
                reader.add_done_callback(lambda _: inbox.put_nowait(None))
                if config.send_initial_message:
                    yield Frame(comment(config.initial_message).decode())
                while (news := await next_frame(inbox, config.heartbeat_interval)) is not None:
                    yield news
                    if news is not HEARTBEAT:
                        inbox.task_done()
                if config.send_close_message:
                    yield Frame(comment(config.close_message).decode())

    @contextmanager
    def _ended_early(self, inbox: Inbox, stops: int) -> Iterator[None]:
        """Let `timeout`, `stop()` and the server's end end an inbox while the block lasts."""
        loop = asyncio.get_running_loop()
        end = partial(loop.call_soon_threadsafe, inbox.put_nowait, None)
        self._enders.add(end)
        timer = loop.call_later(self.config.timeout, end) if self.config.timeout else None
        if stops != self._stops:
            end()
        try:
            with servers.on_exit(end):
                yield
        finally:
            self._enders.discard(end)
            if timer:
                timer.cancel()


async def transformed(item: Any, transform: Transform | None) -> Any:
    """Return an item after `transform`, which may be async."""
    if transform is None or item is None:
        return item
    result = transform(item)
    return await result if inspect.isawaitable(result) else result


async def next_frame(inbox: Inbox, heartbeat: float) -> Frame | None:
    """Return what comes next, or `HEARTBEAT` when nothing has come for that many seconds."""
    try:
        async with asyncio.timeout(heartbeat):
            return await inbox.get()
    except TimeoutError:
        return HEARTBEAT


def reported(error: BaseException, debug: bool) -> Frame:
    """Write an exception to the log, and return the event that tells the client."""
    number = secrets.token_hex(4)
    logger.error("the source of a stream failed (id %s)", number, exc_info=error)
    text = f"{type(error).__name__}: {error}" if debug else "the stream failed; the server's log has the cause"
    # In ASCII, so that no text an exception may have can fail to be sent.
    return frame(json.dumps({"error": text, "id": number}), event=ERROR_EVENT)


def sse_generator(
    data_source: Any, interval: float = INTERVAL, heartbeat: float = 30.0, transform: Transform | None = None
) -> AsyncGenerator[str, None]:
    """Create an SSE generator from various data sources.

    Args:
        data_source: async generator, list, iterator, callable or queue, as `sources.items` says.
        interval: seconds between items for list sources, and between two calls of a callable.
        heartbeat: seconds of silence before a heartbeat.
        transform: optional function, sync or async, to transform data before sending. None is not sent.

    Raises:
        TypeError: if `data_source` is no source.
        ValueError: for an `interval` below 0, or a `heartbeat` that is not above 0.

    Source: reference, `streaming`.
    """
    check_seconds("interval", interval, zero=True)
    check_seconds("heartbeat", heartbeat)
    return SSEStream(StreamConfig(heartbeat_interval=heartbeat)).stream(items(data_source, interval), transform)


def stream_updates(
    source_queue: asyncio.Queue[Any], transform_fn: Transform | None = None, config: StreamConfig | None = None
) -> AsyncGenerator[str, None]:
    """Stream updates from an async queue, until it is shut down or, for a manager's queue, its connection is gone.

    Args:
        source_queue: what is put here is sent. It is read only as fast as the client takes it.
        transform_fn: optional transformation function, sync or async. None is not sent.
        config: optional stream configuration.

    Source: reference, `streaming`.
    """
    return SSEStream(config).stream(source_queue, transform_fn)


class _StreamResponse(StreamingResponse):
    """Closes its stream however it ends; Starlette leaves that to the garbage collector."""

    def __init__(self, frames: AsyncGenerator[str, None], content_type: str) -> None:
        super().__init__(frames, headers={**HEADERS, "content-type": content_type})
        self.frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.frames):
            if scope["method"] == "HEAD":
                await Response(headers=dict(self.headers))(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)


def create_sse_endpoint(stream_fn: Callable[..., Any], content_type: str = "text/event-stream") -> Callable[..., Any]:
    """Create an SSE endpoint from a streaming function, for `app.route(path)`.

    The endpoint has the parameters of `stream_fn`, which FastHTML fills from the request. What `stream_fn` raises
    before it returns a source, such as an `HTTPException`, is answered as in any handler.

    Text that is made of whole frames, such as FastHTML's `sse_message` returns, is sent as it is. So text from outside
    belongs in FT, in a dict or in `sources.frame`, lest it be taken for a frame.

    Args:
        stream_fn: async generator function, or any function, sync or async, that returns a source as `sources.items`
            names them, a stream of this module, or a response instead. It is called in the event loop.
        content_type: the response's content type.

    Source: reference, `streaming`.
    """

    @wraps(stream_fn)
    async def endpoint(*args: Any, **kwargs: Any) -> Response:
        source = stream_fn(*args, **kwargs)
        if inspect.isawaitable(source):
            source = await source
        if isinstance(source, Response):
            return source
        ours = getattr(source, "ag_code", None) is SSEStream._frames.__code__
        return _StreamResponse(source if ours else SSEStream().stream(source, as_framed), content_type)

    return endpoint


def job_ended(state: Any) -> bool:
    """Tell whether a job's state is its last.

    `done`, if the state has it, decides. Else it is the last if `status` is one of `FINAL_STATUSES`, or if `progress`
    has reached `total`, by default 100.
    """
    if not isinstance(state, Mapping):
        return False
    if "done" in state:
        return bool(state["done"])
    progress, total = state.get("progress"), state.get("total") or 100
    return state.get("status") in FINAL_STATUSES or (isinstance(progress, int | float) and progress >= total)


def create_progress_stream(
    job_id: str,
    progress_source: Callable[..., Any],
    interval: float = INTERVAL,
    *,
    ended: Callable[[Any], bool] = job_ended,
) -> Callable[..., Any]:
    """Create a progress streaming endpoint, for `app.route(path)`.

    Each client gets the present state at once, and then each state that differs from the one before. The stream ends
    with an event `done`. Let the element close on it (`sse_close="done"`), or an EventSource, lest it connect again;
    one that does gets 204, after which browsers stay away.

    Args:
        job_id: the job; the `done` event's data has it.
        progress_source: callable that returns progress data, sync or async; it gets `job_id` if it takes an argument.
            None says that there is no such job, or no longer. It may return a generator of states instead.
        interval: seconds between two calls.
        ended: tells whether a state is the job's last; by default, `job_ended`.

    Raises:
        ValueError: for an `interval` that is not above 0.

    Source: reference, `streaming`.
    """
    check_seconds("interval", interval)
    source = partial(progress_source, job_id) if takes_argument(progress_source) else progress_source

    async def states() -> AsyncGenerator[Frame, None]:
        last = None
        async with closing(items(source, interval)) as polled:
            async for state in polled:
                if state is None:
                    break
                if (news := frame(state)) != last:
                    yield (last := news)
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
