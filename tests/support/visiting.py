"""An application with users, and browsers that visit it."""

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


def sign_in(request: Request) -> None:
    """Let the scope know the user, as FastHTML's own examples do, but without a redirection."""
    request.scope["auth"] = request.session.get("auth")


def make_app(**options: Any) -> tuple[FastHTML, Kit]:
    """Return an app that grants the channels of the query, and logs in and out whoever likes."""
    app = FastHTML(secret_key="tests", before=Beforeware(sign_in))
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


class Decision:
    """What `authorize` of an application may be: it lets everyone in, but only when a test has it made."""

    def __init__(self) -> None:
        self.asked, self.made = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: Request, channel: str) -> bool:
        self.asked.set()
        return await self.made.wait()


class Browser(Site):
    """A browser with a session of its own."""

    async def grants(self, channels: str = "todos") -> list[str]:
        """Return the grants of a page, one for each channel."""
        page = await self.get(f"/page?channels={channels}")
        return [html.unescape(one) for one in re.findall(r'data-sse-connect="[^"]*\?sub=([^"]*)"', page)]

    async def login(self, user: str) -> Browser:
        await self.get(f"/login?user={user}")
        return self

    async def post(self, grants: Iterable[str], path: str = "/sse/stream", **form: str) -> Stream:
        """Ask for a stream as pages do."""
        body = urlencode([*form.items(), *[("sub", grant) for grant in grants]]).encode()
        return await self.open(path, method="POST", body=body, headers=FORM)

    async def follow(self, grants: Iterable[str]) -> Stream:
        """Open a stream, and wait for its first frame."""
        return await (await self.post(grants)).until("sse:open")

    async def refused(self, grants: Iterable[str]) -> tuple[int, Any]:
        """Return the status and the refusals of a stream that does not open."""
        stream = await (await self.post(grants)).to_end()
        return stream.status, json.loads(stream.body)["denied"]

    async def renew(self, grants: Iterable[str], **form: str) -> list[dict[str, Any]]:
        stream = await (await self.post(grants, "/sse/renew", **form)).to_end()
        assert stream.status == 200
        return list(json.loads(stream.body)["subs"])


class House:
    """The running application, and who visits it."""

    def __init__(self, port: int, sse: Kit) -> None:
        self.port, self.sse = port, sse
        self._browsers: list[Browser] = []

    def browser(self) -> Browser:
        self._browsers.append(Browser(self.port))
        return self._browsers[-1]

    @property
    def streams(self) -> list[StreamConnection]:
        return [one for one in self.sse.registry.get_connections() if isinstance(one, StreamConnection)]

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()


@asynccontextmanager
async def visited(**options: Any) -> AsyncIterator[House]:
    """Serve an application with options of `setup_sse` until the block ends."""
    app, sse = make_app(**options)
    async with running(app) as site:
        house = House(site.port, sse)
        try:
            yield house
        finally:
            await house.close()


def data_of(stream: Stream, event: str) -> Any:
    """Return the data of the one frame of a stream that has this event."""
    (frame,) = [one for one in stream.frames if f"event: {event}\n" in f"{one}\n"]
    return json.loads(frame.rpartition("data: ")[2])


def connection_of(stream: Stream) -> str:
    """Return the id of a stream's connection."""
    return str(data_of(stream, "sse:open")["connection"])
