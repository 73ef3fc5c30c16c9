"""Streams of an application's sources: a source is read in a task, and its items become frames.

An item is read only when the client has taken the one before. Heartbeats, time-outs and `stop()` do not disturb that
task. The source is closed when the client leaves, whatever it is doing then.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..callbacks import call
from ..checks import check_positive
from ..delivery import servers
from ..events.wire import Frame, comment
from ..protocol import ERROR_EVENT
from .sources import INTERVAL, frame, items, reading

Transform = Callable[[Any], Any]
Inbox = asyncio.Queue[Frame | None]

logger = logging.getLogger("sse_components")


@dataclass
class StreamConfig:
    """Configuration for SSE streaming.

    Attributes:
        heartbeat_interval: seconds of silence before a heartbeat, which is the comment `heartbeat 30`. It tells the
            page the interval: from then on, 2.5 heartbeats of silence mean that the stream is dead. A stream that
            never says it may be silent for as long as it likes.
        timeout: seconds after which a stream ends; None or 0 for no limit.
        send_initial_message: whether to begin with `initial_message`, as a comment, which pages do not see.
        initial_message: one line of text.
        send_close_message: whether to end with `close_message`, as a comment.
        close_message: one line of text.
        debug: whether the client gets the text of an exception; if not, it gets the id of the exception in the log.

    Raises:
        ValueError: for a heartbeat that is not above 0, a timeout below 0, or a message with more than one line.

    Example:
        `SSEStream(StreamConfig(heartbeat_interval=60)).stream(answer())`

    Source: cjm-fasthtml-sse, `streaming`.
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
        check_positive(heartbeat_interval=self.heartbeat_interval)
        if self.timeout is not None:
            check_positive(zero=True, timeout=self.timeout)
        comment(self.initial_message)
        comment(self.close_message)


class SSEStream:
    """Generic SSE stream handler.

    Source: cjm-fasthtml-sse, `streaming`.
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
        `error` and `id` in JSON. The stream ends after an exception, at the end of the source, after `timeout` and
        `stop()`, and when the server begins to stop.

        Args:
            data_source: async generator or callable that produces data, or another source of `sources.items`.
            transform_fn: optional function, sync or async, to transform data before sending. None is not sent.

        Yields:
            SSE formatted strings: `sources.frame` of each item.

        Raises:
            TypeError: if `data_source` is not a source.
        """
        return self._frames(items(data_source), transform_fn, self._stops)

    def stop(self) -> None:
        """Stop the streams that this object has returned so far, from any thread. It can return new ones."""
        self._stops += 1
        for end in tuple(self._enders):
            end()

    async def _frames(
        self, source: AsyncIterator[Any], transform: Transform | None, stops: int
    ) -> AsyncGenerator[Frame, None]:
        config, inbox = self.config, Inbox()
        heartbeat = Frame(comment(f"heartbeat {config.heartbeat_interval:g}").decode())

        async def take(item: Any) -> None:
            transformed = await apply_transform(item, transform)
            if transformed is not None and (text := frame(transformed)):
                inbox.put_nowait(text)
                await inbox.join()

        def failed(error: BaseException) -> None:
            inbox.put_nowait(report_error(error, config.debug))

        with self._end_early(inbox, stops):
            async with reading(source, take, failed) as reader:
                reader.add_done_callback(lambda _: inbox.put_nowait(None))
                if config.send_initial_message:
                    yield Frame(comment(config.initial_message).decode())
                while (text := await next_frame(inbox, config.heartbeat_interval, heartbeat)) is not None:
                    yield text
                    if text is not heartbeat:
                        inbox.task_done()
                if config.send_close_message:
                    yield Frame(comment(config.close_message).decode())

    @contextmanager
    def _end_early(self, inbox: Inbox, stops: int) -> Iterator[None]:
        """End an inbox at `timeout`, `stop()` or the end of the server, while the block lasts."""
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


async def apply_transform(item: Any, transform: Transform | None) -> Any:
    """Return what `transform`, sync or async, makes of an item."""
    if transform is None or item is None:
        return item
    return await call(transform, item)


async def next_frame(inbox: Inbox, seconds: float, heartbeat: Frame) -> Frame | None:
    """Return the next frame, or `heartbeat` after so many seconds without one."""
    try:
        async with asyncio.timeout(seconds):
            return await inbox.get()
    except TimeoutError:
        return heartbeat


def report_error(error: BaseException, debug: bool) -> Frame:
    """Write an exception to the log, and return the event for the client."""
    number = secrets.token_hex(4)
    logger.error("the source of a stream failed (id %s)", number, exc_info=error)
    text = f"{type(error).__name__}: {error}" if debug else "the stream failed; the server's log has the cause"
    # JSON is ASCII here, so that any text of an exception can be sent.
    return frame(json.dumps({"error": text, "id": number}), event=ERROR_EVENT)


def sse_generator(
    data_source: Any, interval: float = INTERVAL, heartbeat: float = 30.0, transform: Transform | None = None
) -> AsyncGenerator[str, None]:
    """Create an SSE generator from various data sources.

    Args:
        data_source: async generator, list, iterator, callable or queue, as `sources.items` lists them.
        interval: seconds between items for list sources, and between two calls of a callable.
        heartbeat: seconds of silence before a heartbeat.
        transform: optional function, sync or async, to transform data before sending. None is not sent.

    Raises:
        TypeError: if `data_source` is not a source.
        ValueError: for an `interval` below 0, or a `heartbeat` that is not above 0.

    Source: cjm-fasthtml-sse, `streaming`.
    """
    check_positive(zero=True, interval=interval)
    check_positive(heartbeat=heartbeat)
    return SSEStream(StreamConfig(heartbeat_interval=heartbeat)).stream(items(data_source, interval), transform)


def stream_updates(
    source_queue: asyncio.Queue[Any], transform_fn: Transform | None = None, config: StreamConfig | None = None
) -> AsyncGenerator[str, None]:
    """Stream updates from an async queue, until it is shut down or, for a manager's queue, its connection is gone.

    Args:
        source_queue: the items to send. It is read only as fast as the client takes them.
        transform_fn: optional transformation function, sync or async. None is not sent.
        config: optional stream configuration.

    Yields:
        SSE formatted strings.

    Source: cjm-fasthtml-sse, `streaming`.
    """
    return SSEStream(config).stream(source_queue, transform_fn)
