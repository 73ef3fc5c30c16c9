"""The outermost layer of an application: it takes the page's cursor before any query, and holds the streams."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import visitor
from .access.grants import Grants
from .delivery.handover import SCOPE_KEY, Handover, Stream
from .html.page_context import Page, current_page
from .manager import BroadcastManager

FindUser = Callable[[Request], Any | Awaitable[Any]]


class SSEMiddleware:
    """Pure ASGI middleware around the whole application.

    Args:
        app: the application with all its middleware.
        manager: its log gives the cursors. The first request starts it, if no lifespan has done so.
        grants: signs the grants of pages.
        visitors: knows the browser of each request, and gives it a cookie where that is needed.
        prefix: path of the kit's routes.
        shared: whether a browser's pages share one connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        manager: BroadcastManager,
        grants: Grants,
        visitors: visitor.Visitors,
        prefix: str,
        shared: bool = True,
    ) -> None:
        self.app, self.manager, self.grants, self.visitors = app, manager, grants, visitors
        self.prefix, self.shared = prefix, shared

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
        known = scope[visitor.SCOPE_KEY] = self.visitors.of(scope)
        prefix, cursor = scope.get("root_path", "") + self.prefix, self.manager.backend.cursor
        page = Page(prefix, self.grants, cursor, scope, shared=self.shared, manager=self.manager)
        token = current_page.set(page)
        try:
            await self.app(scope, receive, with_cookies(known, send))
        finally:
            current_page.reset(token)


def with_cookies(known: visitor.Visitor, send: Send) -> Send:
    """Return a `send` that adds the cookies of a visitor to the response."""

    async def send_with_cookies(message: Message) -> None:
        if message["type"] == "http.response.start" and (cookies := known.set_cookies):
            message = {**message, "headers": [*message.get("headers", []), *cookies]}
        await send(message)

    return send_with_cookies


class InnermostMiddleware:
    """Pure ASGI middleware, innermost: it gives the page the request's scope and user as they are before the handler.

    Args:
        app: the application's routes.
        find_user: returns the user of a request, perhaps after an await.
    """

    def __init__(self, app: ASGIApp, find_user: FindUser | None = None) -> None:
        self.app, self._find_user = app, find_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] == "http" and (page := current_page.get(None)) is not None:
            page.enter(scope)
            if self._find_user is not None and page.visitor is not None:
                found = self._find_user(Request(scope))
                page.visitor.user = await found if inspect.isawaitable(found) else found
        await self.app(scope, receive, send)


Wrap = Callable[[ASGIApp], ASGIApp]


def put_outermost(app: Any, wrap: Wrap) -> None:
    """Put `wrap` around an application's whole middleware stack, including middleware that is added later."""
    build: Callable[[], ASGIApp] = app.build_middleware_stack
    app.build_middleware_stack = lambda: wrap(build())


def put_innermost(app: Any, find_user: FindUser | None = None) -> None:
    """Give the page a request's scope as all middleware has left it, including middleware that is added later."""
    app.user_middleware.append(Middleware(InnermostMiddleware, find_user=find_user))


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
