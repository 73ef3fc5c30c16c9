"""A page behind middleware: a session, compression, and `BaseHTTPMiddleware`."""

from __future__ import annotations

from typing import Any

from fasthtml.common import P
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, setup_sse

# Seconds: so long that no heartbeat flushes what a middleware buffers.
SILENCE = 3600


class Stamp(BaseHTTPMiddleware):
    """A typical middleware: `BaseHTTPMiddleware` reads the response in a separate task."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = "stamped"
        return response


def make_app(*, htmx4: bool) -> Any:
    layers = [Middleware(GZipMiddleware, minimum_size=1), Middleware(Stamp), Middleware(GZipMiddleware)]
    app, rt = page_app(htmx4=htmx4, middleware=layers)
    let_tests_publish(rt, setup_sse(app, heartbeat=SILENCE))

    @rt("/{room}/page")
    def page(room: str, request: Request) -> Any:
        visits = request.session["visits"] = request.session.get("visits", 0) + 1
        return P(visits, id="visits"), SSE(channels=room, id="receiver", shared=False)

    return app
