"""Endpoints that stream an application's sources."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..delivery.response import HEADERS
from .sources import as_framed
from .streams import SSEStream


class _StreamResponse(StreamingResponse):
    """Closes its stream in every case; Starlette leaves that to the garbage collector."""

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

    The endpoint has the parameters of `stream_fn`, which FastHTML fills from the request. An exception that `stream_fn`
    raises before it returns a source, such as an `HTTPException`, is answered as in any handler.

    Text that consists of frames, such as the result of FastHTML's `sse_message`, is sent as it is. So put text from
    outside into FT, a dict or `sources.frame`, so that it cannot be mistaken for a frame.

    Args:
        stream_fn: async generator function, or any function, sync or async, that returns a source as `sources.items`
            lists them, a stream of this package, or a response. It is called in the event loop.
        content_type: the response's content type.

    Source: cjm-fasthtml-sse, `streaming`.
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
