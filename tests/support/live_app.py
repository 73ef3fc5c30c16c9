"""An application with users, served by uvicorn, and browsers that use it."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from fasthtml.common import Beforeware, FastHTML, P, Request
from starlette.responses import PlainTextResponse

from sse_components import SSE, Kit, setup_sse
from sse_components.delivery.feed import StreamConnection
from tests.support.running import running
from tests.support.serving import Site, Stream

FORM = ["content-type: application/x-www-form-urlencoded;charset=UTF-8"]


def set_user(request: Request) -> None:
    """Set the user in the scope, like FastHTML's own examples, but without a redirect."""
    request.scope["auth"] = request.session.get("auth")


def make_app(**options: Any) -> tuple[FastHTML, Kit]:
    """Return an app that grants the channels in the query, and has routes to log in and out."""
    app = FastHTML(secret_key="tests", before=Beforeware(set_user))
    sse = setup_sse(app, **options)

    @app.route("/page")
    def page(channels: str) -> Any:
        return P("a page"), *[SSE(channels=channel) for channel in channels.split(",")]

    @app.route("/login")
    def login(user: str, request: Request) -> PlainTextResponse:
        request.session["auth"] = user
        return PlainTextResponse(user)

    @app.route("/logout")
    async def logout(request: Request, first: str = "clear") -> PlainTextResponse:
        session = request.session
        if first == "clear":
            session.clear()
        ended = await sse.revoke(session=session)
        session.clear()
        return PlainTextResponse(str(ended))

    @app.route("/end-mine")
    async def end_mine(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(await sse.disconnect(session=request.session)))

    return app, sse


class PendingAuthorization:
    """An `authorize` callback that waits until the test sets `granted`, and then allows everyone.

    Attributes:
        called: set when the kit has called it.
        granted: set by the test.
    """

    def __init__(self) -> None:
        self.called, self.granted = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: Request, channel: str) -> bool:
        self.called.set()
        return await self.granted.wait()


class Browser(Site):
    """A browser, with its session cookie."""

    async def grants(self, channels: str = "todos") -> list[str]:
        """Return the grants of a page, one for each channel."""
        return await self.grants_of(f"/page?channels={channels}")

    async def grants_of(self, path: str) -> list[str]:
        """Return the grants of a page."""
        page = await self.get(path)
        return [html.unescape(sub) for sub in re.findall(r'data-sse-connect="[^"]*\?sub=([^"]*)"', page)]

    async def login(self, user: str) -> Browser:
        await self.get(f"/login?user={user}")
        return self

    async def post(self, grants: Iterable[str], path: str = "/sse/stream", **form: str) -> Stream:
        """Request a stream with a form, as pages do."""
        body = urlencode([*form.items(), *[("sub", grant) for grant in grants]]).encode()
        return await self.open(path, method="POST", body=body, headers=FORM)

    async def follow(self, grants: Iterable[str]) -> Stream:
        """Open a stream, and wait for its first frame."""
        return await (await self.post(grants)).until("sse:open")

    async def refusal(self, grants: Iterable[str]) -> tuple[int, Any]:
        """Return the status of a refused stream, and its list of denied grants."""
        stream = await (await self.post(grants)).to_end()
        return stream.status, json.loads(stream.body)["denied"]

    async def renew(self, grants: Iterable[str], **form: str) -> list[dict[str, Any]]:
        stream = await (await self.post(grants, "/sse/renew", **form)).to_end()
        assert stream.status == 200
        return list(json.loads(stream.body)["subs"])


class LiveApp:
    """A running application and its browsers."""

    def __init__(self, port: int, sse: Kit) -> None:
        self.port, self.sse = port, sse
        self._browsers: list[Browser] = []

    def browser(self) -> Browser:
        self._browsers.append(Browser(self.port))
        return self._browsers[-1]

    @property
    def streams(self) -> list[StreamConnection]:
        connections = self.sse.registry.get_connections()
        return [connection for connection in connections if isinstance(connection, StreamConnection)]

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()


@asynccontextmanager
async def run_live_app(*, middleware: Any = None, **options: Any) -> AsyncIterator[LiveApp]:
    """Serve an application, set up with these options of `setup_sse`, until the block ends."""
    app, sse = make_app(**options)
    if middleware is not None:
        app.add_middleware(middleware)
    async with running(app) as site:
        live_app = LiveApp(site.port, sse)
        try:
            yield live_app
        finally:
            await live_app.close()


def data_of(stream: Stream, event: str) -> Any:
    """Return the data of the only frame with this event."""
    (frame,) = [frame for frame in stream.frames if f"event: {event}\n" in f"{frame}\n"]
    return json.loads(frame.rpartition("data: ")[2])


def connection_of(stream: Stream) -> str:
    """Return the id of a stream's connection."""
    return str(data_of(stream, "sse:open")["connection"])
