"""Endpoints that stream an application's sources."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..access.limits import Refusal
from ..delivery.admission import SCOPE_KEY, Admission
from ..delivery.response import HEADERS
from ..events.wire import Frame, as_framed
from ..protocol import HEARTBEAT_HEADER
from .sources import frame
from .streams import SSEStream
from .visit import Visit

EVENT_STREAM = "text/event-stream"

# Fields, one per line, or the beginning of one; and the empty line that ends a frame.
_FIELD = r"(?:data|event|id|retry):"
_BEGINNING = re.compile(rf"(?:{_FIELD}[^\r\n]*\r?\n)+|(?:{_FIELD}[^\r\n]*\r?\n)*{_FIELD} ?")
_ENDED = re.compile(r"(?:\r?\n){2}$")


class EndpointResponse(StreamingResponse):
    """A response that streams frames, and closes their source in every case.

    Starlette leaves the closing to the garbage collector.

    Args:
        frames: the frames.
        content_type: of the response.
        heartbeat: seconds of silence after which `frames` has a comment; None if it is unknown. The header
            `SSE-Heartbeat` has it for the page, which reconnects after 2.5 heartbeats of silence.
    """

    def __init__(
        self, frames: AsyncGenerator[str, None], content_type: str = EVENT_STREAM, heartbeat: float | None = None
    ) -> None:
        heartbeat_header = {} if heartbeat is None else {HEARTBEAT_HEADER: f"{heartbeat:g}"}
        super().__init__(frames, headers={**HEADERS, **heartbeat_header, "content-type": content_type})
        self.frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send headers and frames; or a refusal, where an application of the kit has too many streams."""
        admission: Admission | None = scope.get(SCOPE_KEY)
        async with aclosing(self.frames):
            if scope["method"] == "HEAD":
                await Response(headers=dict(self.headers))(scope, receive, send)
            elif admission is None:
                await super().__call__(scope, receive, send)
            else:
                try:
                    await Visit(super().__call__).run(admission, scope, receive, send)
                except Refusal as refused:
                    await refused.response(scope, receive, send)


class HandWrittenFrames:
    r"""Joins the pieces of frames that a source writes by hand, such as `'event: a\n'` and then `'data: 1\n\n'`.

    Text that consists of whole fields, or is the name of a field with its colon, begins a frame. What follows belongs
    to it, until an empty line ends it.
    """

    def __init__(self) -> None:
        self._begun = ""

    def join(self, item: Any) -> Any:
        """Return a frame that is complete now, None while pieces are missing, or an item that is no piece as it is.

        Text that began like a frame, but is followed by an element, was text.

        Args:
            item: the next item of the source.
        """
        text = item.decode(errors="replace") if isinstance(item, bytes) else item
        if not isinstance(text, str) or isinstance(text, Frame):
            begun, self._begun = self._begun, ""
            return Frame(frame(begun) + frame(item)) if begun else item
        whole = self._begun + text
        if not self._begun and not _BEGINNING.fullmatch(text):
            return as_framed(item)
        self._begun = "" if _ENDED.search(whole) else whole
        return None if self._begun else Frame(whole)


def create_sse_endpoint(stream_fn: Callable[..., Any], content_type: str = "text/event-stream") -> Callable[..., Any]:
    r"""Create an SSE endpoint from a streaming function, for `app.route(path)`.

    The endpoint has the parameters of `stream_fn`, which FastHTML fills from the request. An exception that `stream_fn`
    raises before it returns a source, such as an `HTTPException`, is answered as in any handler.

    Text that consists of frames, such as the result of FastHTML's `sse_message`, is sent as it is, and so are frames in
    several pieces (`'event: a\n'`, then `'data: 1\n\n'`). So put text from outside into FT, a dict or
    `sources.frame`, so that it cannot be mistaken for a frame.

    A browser connects again when a stream ends, and so calls `stream_fn` again. For one stream for each answer, send a
    last event, with a `data` line, and name it in the element: `create_sse_element('/answer', sse_close='done')`.

    Args:
        stream_fn: async generator function, or any function, sync or async, that returns a source as `sources.items`
            lists them, a stream of this package, or a response. It is called in the event loop.
        content_type: the response's content type.

    Returns:
        The endpoint.

    Example:
        `rt('/answer')(create_sse_endpoint(tokens))`, where `tokens` ends with `yield 'event: done\ndata:\n\n'`

    Source: cjm-fasthtml-sse, `streaming`.
    """

    @wraps(stream_fn)
    async def endpoint(*args: Any, **kwargs: Any) -> Response:
        source = stream_fn(*args, **kwargs)
        if inspect.isawaitable(source):
            source = await source
        if isinstance(source, Response):
            return source
        if getattr(source, "ag_code", None) is SSEStream._frames.__code__:
            return EndpointResponse(source, content_type)
        stream = SSEStream()
        frames = stream.stream(source, HandWrittenFrames().join)
        return EndpointResponse(frames, content_type, stream.config.heartbeat_interval)

    return endpoint
