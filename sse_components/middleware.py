"""The outermost layer of an application: it takes the page's cursor before any query, and holds the streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from .access.grants import Grants
from .delivery.handover import SCOPE_KEY, Handover, Stream
from .html.page_context import Page, current_page
from .manager import BroadcastManager


class SSEMiddleware:
    """Pure ASGI middleware around the whole application.

    Args:
        app: the application with all its middleware.
        manager: its log gives the cursors. The first request starts it, if no lifespan has done so.
        grants: signs the grants of pages.
        prefix: path of the kit's routes.
        shared: whether a browser's pages share one connection.
    """

    def __init__(
        self, app: ASGIApp, *, manager: BroadcastManager, grants: Grants, prefix: str, shared: bool = True
    ) -> None:
        self.app, self.manager, self.grants, self.prefix, self.shared = app, manager, grants, prefix, shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; then hold the stream that it hands over, if any."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif SCOPE_KEY in scope:
            # It is mounted in another application of the kit, whose outermost layer holds the stream.
            await self._respond(scope, receive, send)
        elif (stream := await self._handed_over(scope, receive, send)) is not None:
            await stream.run(receive, send)  # type: ignore[arg-type]

    async def _handed_over(self, scope: Scope, receive: Receive, send: Send) -> Stream | None:
        given = set(scope)
        handover = scope[SCOPE_KEY] = Handover(send)  # type: ignore[arg-type]
        await self._respond(scope, receive, handover.send)
        if handover.stream is not None and handover.stream.background is None:
            # The server keeps the scope as long as the stream: free what the application has put there.
            for key in scope.keys() - given:
                del scope[key]
        return handover.stream

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not (self.manager.running or self.manager.closing):
            await self.manager.start()
        prefix, cursor = scope.get("root_path", "") + self.prefix, self.manager.backend.cursor
        page = Page(prefix, self.grants, cursor, scope, shared=self.shared, manager=self.manager)
        token = current_page.set(page)
        try:
            await self.app(scope, receive, send)
        finally:
            current_page.reset(token)


class InnermostMiddleware:
    """Pure ASGI middleware, innermost: it gives the page the session as it is before the handler runs.

    Args:
        app: the application's routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] == "http" and (page := current_page.get(None)) is not None:
            page.enter(scope)
        await self.app(scope, receive, send)


Wrap = Callable[[ASGIApp], ASGIApp]


def put_outermost(app: Any, wrap: Wrap) -> None:
    """Put `wrap` around an application's whole middleware stack, including middleware that is added later."""
    build: Callable[[], ASGIApp] = app.build_middleware_stack
    app.build_middleware_stack = lambda: wrap(build())


def put_innermost(app: Any) -> None:
    """Give the page a request's scope as all middleware has left it, including middleware that is added later."""
    app.user_middleware.append(Middleware(InnermostMiddleware))


def wrap_lifespan(app: Any, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
    """Run `start` before, and `stop` after, everything else in an application's lifespan."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(scope_app: Any) -> Any:
        await start()
        try:
            async with inner(scope_app) as state:
                yield state
        finally:
            await stop()

    app.router.lifespan_context = lifespan
