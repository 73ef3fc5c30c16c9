"""The kit starts with what comes first: a lifespan, a request, or a call. It runs in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fasthtml.common import FastHTML
from hypercorn import config as hypercorn_config
from hypercorn.asyncio import serve as hypercorn_serve
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from sse_components import (
    BroadcastManager,
    Kit,
    MemoryBackend,
    NotRunning,
    SetupError,
    create_sse_endpoint,
    home_loop,
    setup_sse,
)
from sse_components.backends.base import Listener
from tests.support.live_app import Browser, make_app
from tests.support.running import running
from tests.support.served import build
from tests.support.serving import HOST, UVICORN, Site, Stream, free_port, serve_in_thread, serving, until

pytestmark = pytest.mark.anyio


async def publish_for_ever(sse: Kit) -> None:
    while True:
        await sse.publish("news", "tick")
        await asyncio.sleep(0.01)


def mounted_in_fastapi(ui: Any, lifespan: Any) -> Any:
    outer = FastAPI(lifespan=lifespan)
    outer.mount("/ui", ui)
    return outer


def mounted_in_starlette(ui: Any, lifespan: Any) -> Any:
    return Starlette(routes=[Mount("/ui", ui)], lifespan=lifespan)


@pytest.mark.parametrize("mount", [mounted_in_fastapi, mounted_in_starlette])
async def test_a_task_of_an_outer_application_publishes_before_anybody_has_asked_for_a_page(
    mount: Callable[[Any, Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    ui = build()
    sse: Kit = ui.state.sse
    publishing: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        publishing.append(asyncio.create_task(publish_for_ever(sse)))
        yield
        publishing[0].cancel()

    async with running(mount(ui, lifespan)) as site:
        await until(lambda: sse.backend.cursor.sequence > 3)
        stream = await (await site.open(await site.get("/ui/grant?channels=news"))).until("data: tick")
        assert stream.status == 200
    assert publishing[0].cancelled()
    assert caplog.messages == []


async def test_an_outer_lifespan_may_run_the_kit_and_then_threads_publish_from_the_start() -> None:
    ui = build()
    sse: Kit = ui.state.sse

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with sse:
            yield

    async with running(mounted_in_starlette(ui, lifespan)):
        assert await asyncio.to_thread(lambda: sse.publish("news", "x").result(10))
    assert not sse.running


async def test_requests_without_a_lifespan_start_it() -> None:
    """As httpx's ASGITransport makes them, and a TestClient that is no context manager: each in a loop of its own."""
    app, sse = make_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await asyncio.gather(*[client.get("/page?channels=news") for _ in range(3)])
        before = await sse.publish("news", "x")

    def ask() -> str:
        # The loop above is not closed, and nobody is connected there.
        client = TestClient(app)
        return "".join(client.get("/page?channels=news").text for _ in range(2))

    page = await asyncio.to_thread(ask)
    # The log goes on, so that a page of one request may follow with the next.
    assert page.count(f'data-sse-cursor="{before}"') == 2


def test_the_locks_for_an_application_may_be_waited_for_in_each_event_loop_in_turn() -> None:
    sse = BroadcastManager()

    async def contend() -> None:
        async with sse:
            for lock in (sse.lock, sse.registry.lock):
                async with lock:
                    other = asyncio.create_task(lock.acquire())
                    await asyncio.sleep(0)
                await other

    for _ in range(2):
        asyncio.run(contend())


class SlowBackend(MemoryBackend):
    """A backend that takes a moment to open, such as a remote one, and may fail."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.opened, self.failures = 0, failures

    async def open(self, listener: Listener) -> None:
        self.opened += 1
        await asyncio.sleep(0.02)
        if self.opened <= self.failures:
            raise ConnectionRefusedError("nobody there")
        await super().open(listener)


async def test_whoever_comes_during_a_start_waits_for_it() -> None:
    app, sse = make_app(backend=(backend := SlowBackend()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        thread = asyncio.create_task(asyncio.to_thread(lambda: sse.publish("news", "x").result(10)))
        pages = [client.get("/page?channels=news") for _ in range(3)]
        await asyncio.gather(sse.start(), sse.publish("news", "x"), *pages)
        with contextlib.suppress(NotRunning):  # the thread may have come before anybody
            await thread
    assert backend.opened == 1
    await sse.stop()


def test_a_start_whose_event_loop_has_ended_before_it_holds_up_nobody() -> None:
    _, sse = make_app(backend=SlowBackend())
    # Nobody waits for it.
    asyncio.run(ignore(sse))
    with pytest.raises(NotRunning, match=r"^the manager does not run yet"):
        sse.publish("news", "x").result(10)
    assert asyncio.run(publish(sse))


async def ignore(sse: Kit) -> None:
    sse.publish("news", "x")


async def publish(sse: Kit) -> str:
    return await sse.publish("news", "x")


async def test_a_start_that_fails_is_tried_again_by_the_next_call() -> None:
    sse = BroadcastManager(backend=SlowBackend(failures=1))
    results = await asyncio.gather(*[sse.publish("news", "x") for _ in range(3)], return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionRefusedError] * 3
    assert await sse.publish("news", "x")
    await sse.stop()


async def test_a_backend_that_does_not_open_fails_the_start_up_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(
        "from fasthtml.common import FastHTML\n"
        "from sse_components import MemoryBackend, setup_sse\n"
        "class Failing(MemoryBackend):\n"
        "    async def open(self, listener):\n"
        "        raise ConnectionRefusedError('nobody there')\n"
        "app = FastHTML(secret_key='tests')\n"
        "setup_sse(app, backend=Failing())\n"
    )
    with pytest.raises(RuntimeError, match=r"ConnectionRefusedError: nobody there[\s\S]*Application startup failed"):
        async with serving(UVICORN, tmp_path, app="failing:app"):
            pass


# ---------------------------------------------------------------------- lifespans


@pytest.mark.parametrize("replace", ["set_lifespan", "lifespan_context"])
async def test_a_lifespan_that_is_set_later_does_not_replace_the_kits(replace: str) -> None:
    app, sse = make_app()
    seen: list[Any] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        seen.append(sse.running)
        yield {"name": "state"}
        seen.append(sse.running)

    if replace == "set_lifespan":
        app.set_lifespan(lifespan)
    else:
        app.router.lifespan_context = lifespan
    app.route("/state")(lambda request: request.state.name)
    async with running(app) as site:
        await asyncio.to_thread(sse.publish, "news", "x")
        assert await site.get("/state") == "state"
    assert (seen, sse.running) == ([True, True], False)


async def test_a_start_up_that_fails_ends_the_kit() -> None:
    app, sse = make_app()

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    app.set_lifespan(lifespan)
    with pytest.raises(ValueError, match="no database"), TestClient(app):
        pass
    assert not sse.running


# ---------------------------------------------------------------------- several servers


async def get_on(stream: Stream, sse: Kit, text: str) -> None:
    await sse.publish("news", text)
    await stream.until(text)


def the_same_application(app: FastHTML) -> FastHTML:
    return app


def another_application_with_its_manager(app: FastHTML) -> FastHTML:
    other = FastHTML(secret_key="tests")
    setup_sse(other, manager=app.state.sse)
    return other


@pytest.mark.parametrize("second", [the_same_application, another_application_with_its_manager])
async def test_the_end_of_one_server_leaves_the_streams_of_another(second: Callable[[FastHTML], FastHTML]) -> None:
    app = build()
    sse: Kit = app.state.sse
    async with running(second(app)) as staying:
        async with running(app) as leaving:
            path = await leaving.get("/grant?channels=news")
            ends, stays = await leaving.stream(), await (await staying.open(path)).until("sse:open")
            for stream in (ends, stays):
                await get_on(stream, sse, "to both")
            closing = asyncio.create_task(ends.to_end())
            leaving.stop()
            assert (await closing).frames[-1].startswith("event: sse:shutdown")
        await get_on(stays, sse, "after the end of one")
        again = await (await staying.open(path)).until("sse:open")
        await get_on(again, sse, "to a new one")
        assert not stays.ended
    assert not sse.running


@contextlib.asynccontextmanager
async def hypercorn(app: FastHTML) -> AsyncIterator[tuple[Site, asyncio.Event]]:
    """Serve an application with hypercorn in this event loop; yield the event that stops it, too."""
    config, stop = hypercorn_config.Config(), asyncio.Event()
    config.bind, config.errorlog = [f"{HOST}:{(port := free_port())}"], None
    task = asyncio.create_task(hypercorn_serve(app, config, shutdown_trigger=stop.wait))
    site = Site(port)
    await until(lambda: answers(site))
    yield site, stop
    await site.close()
    stop.set()
    await task


async def answers(site: Site) -> bool:
    try:
        await site.get("/report")
    except ConnectionError:
        return False
    return True


async def test_the_end_of_one_hypercorn_leaves_the_streams_of_another() -> None:
    app = build()
    async with hypercorn(app) as (staying, _), hypercorn(app) as (leaving, stop):
        ends, stays = await leaving.stream(), await staying.stream()
        stop.set()
        assert (await ends.to_end()).frames[-1].startswith("event: sse:shutdown")
        await get_on(stays, app.state.sse, "after the end of one")


async def test_the_end_of_one_server_leaves_generated_streams_of_another() -> None:
    app = build()
    items: asyncio.Queue[str] = asyncio.Queue()

    @app.route("/items")
    @create_sse_endpoint
    async def generate() -> AsyncIterator[str]:
        while True:
            yield await items.get()

    async with running(app) as staying, running(app) as leaving:
        stays = await staying.open("/items")
        items.put_nowait("first")
        await stays.until("data: first")
        ends = await (await leaving.open("/endless")).until("data: 1")
        leaving.stop()
        assert (await ends.to_end()).frames[-1] == ": Connection closed"
        items.put_nowait("second")
        await stays.until("data: second")


@pytest.mark.parametrize("mounted", [False, True], ids=["alone", "mounted"])
async def test_servers_in_turn_run_one_application(mounted: bool) -> None:
    """As a notebook does that stops its server and starts another one: in a thread, and so in another event loop."""
    app = build()
    sse: Kit = app.state.sse
    served, prefix = (Starlette(routes=[Mount("/ui", app)]), "/ui") if mounted else (app, "")
    await sse.publish("news", "in the loop of the notebook")
    for _ in range(2):
        async with serve_in_thread(served) as site:
            stream = await (await site.open(await site.get(f"{prefix}/grant?channels=news"))).until("sse:open")
            await get_on(stream, sse, "from the notebook")


async def test_an_application_is_served_in_one_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_loop, "MOVE_SECONDS", 0.1)
    app = build()
    async with running(app) as site:
        stream = await site.stream()
        with pytest.raises(SetupError, match=r"^the application is served in another event loop already"):
            await asyncio.to_thread(asyncio.run, app.state.sse.start())
        await get_on(stream, app.state.sse, "still here")


async def test_two_applications_share_a_backend() -> None:
    backend = MemoryBackend()
    apps = [make_app(backend=backend) for _ in range(2)]
    async with running(apps[0][0]) as one, running(apps[1][0]) as other:
        browsers = [Browser(site.port) for site in (one, other)]
        streams = [await browser.follow(await browser.grants("news")) for browser in browsers]
        for number, (_, sse) in enumerate(apps):
            await sse.publish("news", f"from {number}")
        for stream in streams:
            await stream.until("from 1")
            assert stream.texts == ["from 0", "from 1"]
        for browser in browsers:
            await browser.close()


def test_publishing_where_no_server_runs_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As a script does that imports the application."""
    _, sse = make_app()
    with pytest.raises(NotRunning, match=r"^the manager does not run yet, and no event loop in this thread can start"):
        sse.publish("news", "x")
    assert asyncio.run(publish(sse))
    (message,) = caplog.messages
    assert message.startswith("something is published in a process in which no server is known to run")
