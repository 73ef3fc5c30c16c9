"""The outermost layer of an application: it runs the manager, takes cursors before any query, and holds the streams."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import visitor
from .access.bodies import Bodies, read_before
from .access.grants import Grants
from .access.headers import check_headers
from .access.limits import Refusal
from .access.same_origin import SameOrigin
from .callbacks import call
from .delivery import admission
from .delivery.handover import SCOPE_KEY, Handover, Stream
from .errors import SetupError
from .html.granted import Site
from .html.page_context import Page, current_page
from .manager import BroadcastManager
from .protocol import BROADCAST_PATH, CONNECTIONS_PATH, PRESENCE_PATH, RENEW_PATH, STATUS_PATH, STREAM_PATH

FindUser = Callable[[Request], Any | Awaitable[Any]]
# The routes of the kit that a body is read for.
PATHS = (BROADCAST_PATH, CONNECTIONS_PATH, PRESENCE_PATH, RENEW_PATH, STATUS_PATH, STREAM_PATH)
SAFE_METHODS = ("GET", "HEAD")
LIFESPAN_ENDS = ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed")


class SSEMiddleware:
    """Pure ASGI middleware around the whole application.

    Args:
        app: the application with all its middleware.
        manager: its log gives the cursors. The lifespan runs it; without one, the first request starts it.
        grants: signs the grants of pages.
        visitors: knows the browser of each request, and gives it a cookie where that is needed.
        prefix: path of the kit's routes.
        shared: whether a browser's pages share one connection.
        same_origin: checks requests that change something.
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
        same_origin: SameOrigin | None = None,
    ) -> None:
        self.app, self.manager, self.grants, self.visitors = app, manager, grants, visitors
        self.prefix, self.shared = prefix, shared
        self._same_origin = same_origin or SameOrigin()
        self._bodies, self._paths = Bodies(manager.limits), {f"{prefix}{path}" for path in PATHS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; then hold the stream that it hands over, if any."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif SCOPE_KEY in scope:
            # It is mounted in another application of the kit, whose outermost layer holds the stream.
            await self._respond(scope, receive, send)
        elif (stream := await self._handed_over(scope, receive, send)) is not None:
            await stream.run(receive, send)  # type: ignore[arg-type]

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the manager from before the application's start-up until after its shutdown.

        Here, because the application may replace what its router does in a lifespan at any time.
        """
        first: list[Message] = [await receive()]

        async def receive_all() -> Message:
            return first.pop() if first else await receive()

        async with AsyncExitStack() as running:

            async def send_after_end(message: Message) -> None:
                if message["type"] in LIFESPAN_ENDS:
                    await running.aclose()
                await send(message)

            if (failure := await self._begin_lifespan()) is not None:
                await send({"type": "lifespan.startup.failed", "message": message_of(failure)})
                raise failure
            running.push_async_callback(self.manager.home.end_lifespan)
            await self.app(scope, receive_all, send_after_end)

    async def _begin_lifespan(self) -> Exception | None:
        try:
            await self.manager.home.begin_lifespan()
        except Exception as error:
            return error
        return None

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
        if not (self.manager.running or self.manager.home.ended):
            await self.manager.start()
        try:
            receive = await self._body_first(scope, receive)
        except ClientDisconnect:
            return
        except Refusal as refused:
            await refused.response(scope, receive, send)
            return
        known = scope[visitor.SCOPE_KEY] = self.visitors.of(scope)
        scope[admission.SCOPE_KEY] = self.manager.admission
        prefix, cursor = scope.get("root_path", "") + self.prefix, self.manager.backend.cursor
        page = Page(prefix, self.grants, cursor, scope, shared=self.shared, manager=self.manager)
        if self.manager.site is None or self.manager.site.prefix != prefix:
            self.manager.site = Site(prefix, self.grants)
        token = current_page.set(page)
        try:
            await self.app(scope, receive, with_cookies(known, send))
        finally:
            page.is_over = True
            current_page.reset(token)

    async def _body_first(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body of a request to a route of the kit, and return what is to be received after it.

        Raises:
            Refusal: 400 for malformed headers, 403 for another origin, and as `Bodies.read`.
            ClientDisconnect: if the client leaves before the end.
        """
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path not in self._paths:
            return receive
        headers = Headers(scope=scope)
        check_headers(headers)
        if scope["method"] not in SAFE_METHODS:
            self._same_origin.check(headers)
        return read_before(await self._bodies.read(scope, receive), scope, receive)


def with_cookies(known: visitor.Visitor, send: Send) -> Send:
    """Return a `send` that adds the cookies of a visitor to the response."""

    async def send_with_cookies(message: Message) -> None:
        if message["type"] == "http.response.start" and (cookies := known.set_cookies):
            message = {**message, "headers": [*message.get("headers", []), *cookies]}
        await send(message)

    return send_with_cookies


def message_of(failure: Exception) -> str:
    """Return what the server logs about a start-up that has failed: a reason that says enough needs no traceback."""
    says_enough = isinstance(failure, SetupError)
    return f"SetupError: {failure}" if says_enough else "".join(traceback.format_exception(failure))


class InnermostMiddleware:
    """Pure ASGI middleware, innermost: it gives the page the request's scope and user as they are before the handler.

    Args:
        app: the application's routes.
        find_user: returns, sync or async, the user of a request.
    """

    def __init__(self, app: ASGIApp, find_user: FindUser | None = None) -> None:
        self.app, self._find_user = app, find_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] == "http" and (page := current_page.get(None)) is not None:
            page.enter(scope)
            if self._find_user is not None and page.visitor is not None:
                page.visitor.user = await call(self._find_user, Request(scope))
        await self.app(scope, receive, send)


Wrap = Callable[[ASGIApp], ASGIApp]


def put_outermost(app: Any, wrap: Wrap) -> None:
    """Put `wrap` around an application's whole middleware stack, including middleware that is added later."""
    build: Callable[[], ASGIApp] = app.build_middleware_stack
    app.build_middleware_stack = lambda: wrap(build())


def put_innermost(app: Any, find_user: FindUser | None = None) -> None:
    """Give the page a request's scope as all middleware has left it, including middleware that is added later."""
    app.user_middleware.append(Middleware(InnermostMiddleware, find_user=find_user))
