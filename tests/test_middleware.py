"""Streams pass every middleware and then bypass it; the manager starts and stops with the application."""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fasthtml.common import FastHTML, P
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sse_components import NotRunning, setup_sse
from sse_components.delivery import handover
from sse_components.delivery.response import StreamResponse
from tests.support.live_app import Browser, make_app
from tests.support.patience import patient
from tests.support.running import running
from tests.support.served import build
from tests.support.serving import Site, Stream, serve_in_thread, until

pytestmark = pytest.mark.anyio

STREAM = "/sse/stream"
GZIP = "accept-encoding: gzip"


class Holding:
    """ASGI middleware that holds a resource, such as a database session, until the application returns."""

    held: ClassVar[list[str]] = []

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        self.held.append(path)
        try:
            await self.app(scope, receive, send)
        finally:
            self.held.remove(path)


class Heading(BaseHTTPMiddleware):
    """Adds a header; `BaseHTTPMiddleware` runs the application in a separate task."""

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.append("x-passed", "by")
        return response


class Altering:
    """Changes the body of a stream, and buffers it until there are `enough` bytes."""

    def __init__(self, app: ASGIApp, enough: int = 0) -> None:
        self.app, self.enough = app, enough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept: list[bytes] = []

        async def alter_and_send(message: Message) -> None:
            if "body" in message:
                kept.append(message["body"].upper())
                if message["more_body"] and sum(map(len, kept)) < self.enough:
                    return
                message["body"] = b"".join(kept)
                kept.clear()
            await send(message)

        await self.app(scope, receive, alter_and_send if scope.get("path") == STREAM else send)


def steppable(app: Any) -> list[bool]:
    """Return for each stream of an application whether it was handed over to the server's own `send`."""
    feeds = list(app.state.sse.fanout.feeds.values())
    return [connection.steppable for feed in feeds for connection in list(feed.connections)]


async def check_stream(site: Site, stream: Stream) -> None:
    await site.publish(count=3)
    await stream.until("2.")
    assert stream.texts == ["0.", "1.", "2."]


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_middleware_has_returned_while_a_stream_is_open(depth: int) -> None:
    app = build(middleware=[Middleware(Holding), *[Middleware(Heading)] * depth, Middleware(Holding)])
    async with serve_in_thread(app) as site:
        stream = await site.stream()
        assert stream.headers["x-passed"] == "by"
        await until(lambda: steppable(app) == [True])
        assert STREAM not in Holding.held
        await check_stream(site, stream)


async def test_middleware_may_come_after_setup_sse() -> None:
    app = build()
    app.add_middleware(Heading)
    app.add_middleware(Holding)
    async with serve_in_thread(app) as site:
        stream = await site.stream()
        assert stream.headers["x-passed"] == "by"
        await until(lambda: steppable(app) == [True])
        assert STREAM not in Holding.held
        await check_stream(site, stream)


async def test_gzip_middleware_does_not_compress_streams_by_default() -> None:
    app = build(middleware=[Middleware(GZipMiddleware, minimum_size=1)])
    async with serve_in_thread(app) as site:
        stream = await site.stream(headers=[GZIP])
        assert "content-encoding" not in stream.headers
        await until(lambda: steppable(app) == [True])
        await check_stream(site, stream)


async def test_a_compressed_stream_is_complete() -> None:
    app = build(middleware=[Middleware(GZipMiddleware, minimum_size=1, exclude_content_types=())])
    async with serve_in_thread(app) as site:
        path = await site.get("/grant?channels=news")
        streams = [await site.open(path, headers=[GZIP]) for _ in range(3)]
        await until(lambda: steppable(app) == [False] * 3)
        for first in (0, 3):
            await site.publish(first=first, count=3)
        for stream in streams:
            assert (await read_unzipped(stream, "5."))[-6:] == [f"{number}." for number in range(6)]
            assert stream.headers["content-encoding"] == "gzip"
    for stream in streams:
        await stream.to_end()
        inflate = zlib.decompressobj(31)
        assert b"sse:shutdown" in inflate.decompress(bytes(stream.body))
        assert inflate.eof


async def read_unzipped(stream: Stream, text: str) -> list[str]:
    """Read a compressed stream until a text has arrived, and return the data of its frames."""
    async with asyncio.timeout(patient(15)):
        while True:
            body = zlib.decompressobj(31).decompress(bytes(stream.body)).decode()
            if f"data: {text}\n" in body:
                return [frame.rpartition("data: ")[2] for frame in body.split("\n\n")[:-1]]
            await stream.read()


async def test_a_compressed_stream_that_is_not_read_does_not_delay_shutdown() -> None:
    app = build(middleware=[Middleware(GZipMiddleware, compresslevel=0, exclude_content_types=())])
    async with serve_in_thread(app) as site:
        path = await site.get("/grant?channels=news")
        await site.open(path, headers=[GZIP], buffer=4096)
        await until(lambda: steppable(app) == [False])
        await site.publish(count=200, size=100_000)


@pytest.mark.parametrize("enough", [0, 1000], ids=["at once", "held back"])
async def test_middleware_that_alters_a_stream_alters_all_of_it(enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PASS_ON_SECONDS", 0.05)
    app = build(middleware=[Middleware(Altering, enough=enough)])
    async with serve_in_thread(app) as site:
        stream = await site.open(await site.get("/grant?channels=news"))
        await until(lambda: steppable(app) == [False])
        await site.publish(count=40, size=100)
        await stream.until("19.XXX")
        assert "SSE:OPEN" in stream.frames[0]
        assert all(frame == frame.upper() for frame in stream.frames)


async def test_the_session_cookie_is_sent_with_the_response_head() -> None:
    app = build()

    @app.route("/visit")
    async def visit(request: Request) -> StreamResponse:
        request.session["seen"] = True
        stream: StreamResponse = await app.state.sse.stream(["news"])
        return stream

    async with serve_in_thread(app) as site:
        stream = await (await site.open("/visit")).until("sse:open")
        assert any(cookie.startswith("session_=") for cookie in stream.set_cookies)
        await until(lambda: steppable(app) == [True])
        await check_stream(site, stream)


async def test_an_application_may_be_mounted_in_another() -> None:
    app = build()
    async with serve_in_thread(Starlette(routes=[Mount("/inner", app)])) as site:
        path = await site.get("/inner/grant?channels=news")
        assert path.startswith(f"/inner{STREAM}?")
        stream = await (await site.open(path)).until("sse:open")
        await until(lambda: len(steppable(app)) == 1)
        await site.get("/inner/publish?channel=news&count=3")
        await stream.until("2.")
        stalled = await site.open(path, buffer=4096)
        await until(lambda: len(steppable(app)) == 2)
        await site.get("/inner/publish?channel=news&count=200&size=100000")
        reading = asyncio.create_task(stream.to_end())
    # The server has ended, although its parent runs no lifespan of the kit, and a client does not read.
    await reading
    assert "sse:shutdown" in stream.frames[-1]
    with pytest.raises(ConnectionError):
        await stalled.to_end()


async def test_an_application_may_be_mounted_in_another_one_with_the_kit() -> None:
    outer, inner = build(), build()
    outer.router.routes.insert(0, Mount("/inner", inner))
    async with serve_in_thread(outer) as site:
        path = await site.get("/inner/grant?channels=news")
        stream = await (await site.open(path)).until("sse:open")
        await until(lambda: steppable(inner) == [True])
        await site.get("/inner/publish?channel=news&count=3")
        await stream.until("2.")
        assert (await site.get("/grant?channels=news")).startswith(f"{STREAM}?")


async def test_urls_include_the_root_path_of_a_proxy() -> None:
    async with serve_in_thread(build(), root_path="/proxy") as site:
        assert (await site.get("/grant?channels=news")).startswith(f"/proxy{STREAM}?")


async def test_the_manager_starts_and_stops_with_the_application() -> None:
    published: list[str] = []

    async def lifespan(app: Any) -> AsyncIterator[None]:
        published.append(await sse.publish("news", "first"))
        yield
        published.append(await sse.publish("news", "last"))

    app = FastHTML(secret_key="tests", lifespan=lifespan)
    sse = setup_sse(app)
    for end in ("start-up", "shutdown"):
        assert not sse.running, end
        with pytest.raises(NotRunning):
            await asyncio.to_thread(sse.publish, "news", "too early, and then too late")
        if end == "start-up":
            async with serve_in_thread(app):
                assert sse.running
    assert len(published) == 2
    for attempt in (lambda: sse.publish("news", "too late"), lambda: sse.broadcast("note", {})):
        with pytest.raises(NotRunning, match="does not run any more: it has ended with the application's shutdown"):
            await attempt()


async def test_a_thread_and_a_sync_handler_publish() -> None:
    app = build()

    @app.route("/sync")
    def sync() -> str:
        app.state.sse.publish("news", "from a sync handler")
        return "done"

    async with serve_in_thread(app) as site:
        stream = await site.stream()
        thread = threading.Thread(target=app.state.sse.publish, args=["news", "from a thread"])
        thread.start()
        thread.join()
        await stream.until("from a thread")
        await site.get("/sync")
        await stream.until("from a sync handler")


async def test_the_first_page_of_a_server_without_a_lifespan_begins_at_the_end_of_the_log(tmp_path: Path) -> None:
    app, sse = make_app(backend=f"sqlite:///{tmp_path}/live.db")
    async with running(app, lifespan="off") as site:
        browser = Browser(site.port)
        stream = await browser.follow(await browser.grants())
        await sse.publish("todos", P("milk"))
        await stream.until("milk")
        assert "sse:reset" not in stream.body.decode()
        await browser.close()
        await sse.stop()
