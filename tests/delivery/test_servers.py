"""Servers with open streams stop by themselves, and remove disconnected clients at once."""

from __future__ import annotations

import asyncio
import functools
import re
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

import psutil
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from sse_components.delivery import servers
from tests.support.http2 import Http2Client
from tests.support.patience import patient
from tests.support.running import running
from tests.support.served import build
from tests.support.serving import (
    DAPHNE,
    GRANIAN,
    GUNICORN,
    GUNICORN_ASGI,
    HYPERCORN,
    UVICORN,
    Server,
    Stream,
    serve_in_thread,
    serving,
    until,
)

pytestmark = pytest.mark.anyio

ASYNCIO = (*UVICORN, "--loop", "asyncio")
UVLOOP = (*UVICORN, "--loop", "uvloop")
WORKERS = (*UVICORN, "--workers", "2")
THREAD = ("served", "{port}")
SHUTDOWN_FRAME = re.compile(r"event: sse:shutdown\nretry: (\d+)\ndata: \{\}")


async def exit_code(command: Iterable[str], number: signal.Signals, folder: Path) -> int | None:
    """Return how a server ends that does not know of the kit."""
    async with serving(command, folder, app="serving:minimal_app") as server:
        server.stop(number)
        await server.ended()
        return server.process.returncode


def shared(command: Iterable[str]) -> dict[str, str]:
    """Return the options with which several workers know each other's pages."""
    return {"backend": "sqlite:///live.db"} if "--workers" in command else {}


async def end(server: Server, number: signal.Signals | None, streams: list[Stream]) -> float:
    """Stop a server, read the streams to their ends, and return the seconds until the process has ended."""
    server.stop(number)
    seconds = asyncio.create_task(server.ended())
    await asyncio.gather(*[stream.to_end(10) for stream in streams])
    return await seconds


def retry_delays(streams: list[Stream]) -> list[int]:
    """Return the `retry` of each stream's shutdown frame, in milliseconds."""
    return [int(found[1]) for stream in streams if (found := SHUTDOWN_FRAME.fullmatch(stream.frames[-1]))]


@pytest.mark.parametrize(
    ("command", "number"),
    [
        pytest.param((*ASYNCIO, "--http", "httptools"), SIGTERM, id="uvicorn asyncio httptools TERM"),
        pytest.param((*ASYNCIO, "--http", "h11"), SIGINT, id="uvicorn asyncio h11 INT"),
        pytest.param((*UVLOOP, "--http", "httptools"), SIGINT, id="uvicorn uvloop httptools INT"),
        pytest.param((*UVLOOP, "--http", "h11"), SIGTERM, id="uvicorn uvloop h11 TERM"),
        pytest.param(WORKERS, SIGTERM, id="uvicorn workers TERM"),
        pytest.param(WORKERS, SIGINT, id="uvicorn workers INT"),
        pytest.param(HYPERCORN, SIGTERM, id="hypercorn TERM"),
        pytest.param(HYPERCORN, SIGINT, id="hypercorn INT"),
        pytest.param(GRANIAN, SIGTERM, id="granian TERM"),
        pytest.param(GRANIAN, SIGINT, id="granian INT"),
    ],
)
async def test_a_server_with_1000_streams_ends(
    command: tuple[str, ...], number: signal.Signals, tmp_path: Path, record_property: Any
) -> None:
    async with serving(command, tmp_path, **shared(command)) as server:
        streams = await server.streams(1000)
        seconds = await end(server, number, streams)
    record_property("seconds", seconds)
    returns = retry_delays(streams)
    assert len(returns) == 1000
    assert min(returns) >= 1000
    assert len(set(returns)) > 500, "the clients come back together"
    assert server.marks.count("stopped") == server.marks.count("started") > 0
    assert server.trouble == []
    assert server.process.returncode == await exit_code(command, number, tmp_path)


async def test_a_server_in_a_background_thread_ends(tmp_path: Path) -> None:
    async with serving(THREAD, tmp_path) as server:
        streams = await server.streams(1000)
        assert await end(server, None, streams) < 2
    assert len(retry_delays(streams)) == 1000
    assert (server.marks, server.trouble, server.process.returncode) == (["started", "stopped"], [], 0)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(UVLOOP, id="uvicorn"),
        pytest.param(THREAD, id="uvicorn in a thread"),
        pytest.param(HYPERCORN, id="hypercorn"),
        pytest.param(GRANIAN, id="granian"),
    ],
)
async def test_streams_of_create_sse_endpoint_end_too(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        streams = [await (await server.open("/endless")).until("data: 1") for _ in range(20)]
        assert await end(server, None if command is THREAD else SIGTERM, streams) < 2
    assert {stream.frames[-1] for stream in streams} == {": Connection closed"}
    assert (server.marks, server.trouble) == (["started", "stopped"], [])


async def test_a_reload_and_then_a_signal_end_the_streams(tmp_path: Path) -> None:
    async with serving((*UVICORN, "--reload"), tmp_path) as server:
        before = await server.streams(200)
        (tmp_path / "changed.py").touch()
        await asyncio.gather(*[stream.to_end(10) for stream in before])
        await until(lambda: server.marks == ["started", "stopped", "started"], 10)
        await until(server.answers, 10)
        after = await server.streams(200)
        assert await end(server, SIGTERM, after) < 2
    assert len(retry_delays(before)) == len(retry_delays(after)) == 200
    assert server.marks == ["started", "stopped"] * 2
    assert server.trouble == []


@pytest.mark.parametrize(
    ("command", "processes"),
    [
        pytest.param(UVLOOP, 1, id="uvicorn uvloop httptools"),
        pytest.param((*ASYNCIO, "--http", "h11"), 1, id="uvicorn asyncio h11"),
        pytest.param(WORKERS, 2, id="uvicorn workers"),
        pytest.param(HYPERCORN, 1, id="hypercorn"),
    ],
)
async def test_clients_that_do_not_read_do_not_delay_shutdown(
    command: tuple[str, ...], processes: int, tmp_path: Path
) -> None:
    async with serving(command, tmp_path, **shared(command)) as server:
        unread = await server.streams(20, "unread", buffer=4096)
        streams = await server.streams(100)
        publishers: set[str] = set()
        while len(publishers) < processes:
            publishers.add(await server.publish("unread", count=100, size=100_000))
        assert await end(server, SIGTERM, streams) < 2
        with pytest.raises(ConnectionError):
            await unread[0].to_end()
    assert len(retry_delays(streams)) == 100
    assert server.marks.count("stopped") == server.marks.count("started") > 0
    assert server.trouble == []


async def test_granian_needs_its_own_setting_for_clients_that_do_not_read(tmp_path: Path) -> None:
    async with serving((*GRANIAN, "--workers-kill-timeout", "1"), tmp_path) as server:
        await server.streams(20, "unread", buffer=4096)
        streams = await server.streams(100)
        await server.publish("unread", count=200, size=100_000)
        assert await end(server, SIGTERM, streams) < 2
    assert len(retry_delays(streams)) == 100


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*UVICORN, "--lifespan", "off"), id="uvicorn"),
        pytest.param([part.replace("asgi", "asginl") for part in GRANIAN], id="granian"),
    ],
)
async def test_a_server_without_lifespan_starts_with_the_first_request(command: list[str], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        streams = await server.streams(10)
        await server.publish(count=3)
        assert await end(server, SIGTERM, streams) < 2
    assert [stream.texts for stream in streams] == [["0.", "1.", "2."]] * 10
    assert len(retry_delays(streams)) == 10
    assert (server.marks, server.trouble) == ([], [])


async def test_a_server_with_limit_max_requests_ends(tmp_path: Path) -> None:
    async with serving((*UVICORN, "--limit-max-requests", "20"), tmp_path) as server:
        streams = await server.streams(5)
        await asyncio.gather(*[server.report() for _ in range(20)])
        await asyncio.gather(server.ended(), *[stream.to_end() for stream in streams])
    assert len(retry_delays(streams)) == 5
    assert (server.marks, server.trouble) == (["started", "stopped"], [])


async def test_a_second_signal_ends_uvicorn_at_once(tmp_path: Path) -> None:
    async with serving(UVICORN, tmp_path) as server:
        streams = await server.streams(5)
        await server.open("/wait?seconds=60")
        await until(lambda: "waiting" in server.marks)
        server.stop(SIGINT)
        await asyncio.gather(*[stream.to_end() for stream in streams])
        assert server.process.returncode is None, "it waits for the other response"
        server.stop(SIGINT)
        assert await server.ended() < 2
    assert len(retry_delays(streams)) == 5


@pytest.mark.parametrize(
    "command",
    [pytest.param(UVICORN, id="uvicorn"), pytest.param(HYPERCORN, id="hypercorn"), pytest.param(GRANIAN, id="granian")],
)
async def test_disconnected_clients_are_removed_at_once(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        await server.streams(1)
        before = await server.report()

        async def back() -> bool:
            return await server.report() == before

        # They close or reset idle connections.
        for stream in await server.streams(25):
            await stream.close()
        for stream in await server.streams(25):
            await stream.reset()
        await until(back, 1)

        # They leave with unread data.
        unread = await server.streams(10, "unread", buffer=4096)
        await server.publish("unread", count=100, size=100_000)
        for number, stream in enumerate(unread):
            await (stream.reset() if number % 2 else stream.close())
        await server.publish("unread", count=10, size=1_000)
        await until(back, 1)

        # They leave before the first frame.
        path = await server.get("/grant?channels=news")
        for number in range(50):
            stream = await Stream.open(server.port, path)
            await (stream.reset() if number % 2 else stream.close())
        await server.publish(count=10)
        await until(back, 1)
        assert await end(server, SIGTERM, []) < 2
    assert server.trouble == []


@pytest.mark.parametrize("command", [pytest.param(HYPERCORN, id="hypercorn"), pytest.param(GRANIAN, id="granian")])
async def test_a_stream_that_is_not_read_is_cut_alone_over_http2(command: tuple[str, ...], tmp_path: Path) -> None:
    """Other streams of the same TCP connection may be those of other people, behind a proxy."""
    async with serving(command, tmp_path) as server, Http2Client.at(server.port) as client:
        unread, path = [await server.get(f"/grant?channels={channel}") for channel in ("unread", "news")]
        slow, others = client.get(unread, read=False), [client.get(path) for _ in range(3)]
        await client.until_arrived("sse:open", [slow, *others])
        await server.publish("unread", count=100, size=100_000)
        assert await server.get("/disconnect?channel=unread") == "1"
        await until(lambda: follows(server, 3))
        await server.publish()
        await client.until_arrived("data: 0.\n", others)
        if command is HYPERCORN:  # granian tells the client as soon as it reads
            await client.until(lambda: slow in client.ended)
        assert client.ended <= {slow}
    assert server.trouble == []


async def test_a_connection_of_http2_that_takes_no_bytes_does_not_delay_shutdown(tmp_path: Path) -> None:
    command = (*HYPERCORN, "--graceful-timeout", "60")
    async with serving(command, tmp_path) as server, Http2Client.at(server.port) as client:
        stream = client.get(await server.get("/grant?channels=unread"), window=2**24)
        await client.until_arrived("sse:open", [stream])
        client.pause()
        await server.publish("unread", count=100, size=100_000)
        await end(server, SIGTERM, [])
    assert (server.marks, server.trouble) == (["started", "stopped"], [])


@pytest.mark.parametrize(
    "command", [pytest.param(GUNICORN, id="gunicorn uvicorn-worker"), pytest.param(GUNICORN_ASGI, id="gunicorn asgi")]
)
async def test_a_worker_of_gunicorn_ends_its_streams(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving((*command, "--max-requests", "20"), tmp_path) as server:
        worker = await process_id(server)
        before = await server.streams(5)
        await asyncio.gather(*[server.report() for _ in range(20)], return_exceptions=True)
        await asyncio.gather(*[stream.to_end() for stream in before])

        async def is_replaced() -> bool:
            return await server.answers() and await process_id(server) != worker

        await until(is_replaced)
        after, endless = await server.streams(5), await (await server.open("/endless")).until("data: 1")
        await server.publish()
        assert await end(server, SIGTERM, [*after, endless]) < 2
    assert [stream.texts for stream in after] == [["0."]] * 5
    assert len(retry_delays(before)) == len(retry_delays(after)) == 5
    assert (server.marks, server.trouble) == (["started", "stopped"] * 2, [])


async def process_id(server: Server) -> int:
    return int((await server.report())["pid"])


async def test_daphne_ends_its_streams_without_a_last_frame(tmp_path: Path) -> None:
    async with serving(DAPHNE, tmp_path) as server:
        streams = await server.streams(5)
        await server.publish()
        await asyncio.gather(*[stream.until("data: 0.") for stream in streams])
        await streams.pop().close()
        await until(lambda: follows(server, 4))
        server.stop(SIGTERM)
        assert await server.ended() < 2
        for stream in streams:
            with pytest.raises(ConnectionError):
                await stream.to_end()
    assert (server.marks, server.trouble) == ([], [])


async def follows(server: Server, count: int) -> bool:
    return bool((await server.report())["following"] == count)


async def test_a_server_without_asyncio_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        async with serving((*HYPERCORN, "--worker-class", "trio"), tmp_path):
            pass
    assert "SetupError: sse_components needs asyncio, and no event loop of asyncio runs here" in str(caught.value)
    assert "serve the application with asyncio, such as hypercorn without `--worker-class trio`" in str(caught.value)


class Calls:
    """A signal handler that records its calls."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int, frame: Any) -> None:
        self.numbers.append(number)


async def send(message: Any) -> None: ...


async def receive() -> Any: ...


def ignore(server: servers.Server) -> None: ...


@pytest.fixture
def handlers() -> Any:
    """Give signals back to whom they belong."""
    before = {number: signal.getsignal(number) for number in (SIGTERM, SIGINT)}
    yield before
    for number in before:
        signal.signal(number, before[number])


def handler(number: signal.Signals) -> Any:
    return signal.getsignal(number)


async def test_signals_reach_the_servers_handlers_which_are_restored(handlers: Any) -> None:
    server = Calls()
    ended: asyncio.Queue[servers.Server] = asyncio.Queue()
    signal.signal(SIGTERM, server)
    watch = servers.ExitWatch(ended.put_nowait)
    assert handler(SIGTERM) is server, "there is no stream that would need it"
    known = watch.server_of(send, receive)
    assert watch.server_of(send, receive) is known
    signal.raise_signal(SIGTERM)
    assert await asyncio.wait_for(ended.get(), patient(10)) is known
    signal.raise_signal(SIGTERM)
    assert server.numbers == [SIGTERM, SIGTERM]
    watch.stop()
    assert handler(SIGTERM) is server
    assert handler(SIGINT) is handlers[SIGINT]


async def test_default_and_ignored_signals_get_no_handler(handlers: Any) -> None:
    signal.signal(SIGTERM, signal.SIG_DFL)
    signal.signal(SIGINT, signal.SIG_IGN)
    watch = servers.ExitWatch(ignore)
    watch.server_of(send, receive)
    assert (signal.getsignal(SIGTERM), signal.getsignal(SIGINT)) == (signal.SIG_DFL, signal.SIG_IGN)
    watch.stop()


async def test_a_handler_that_was_installed_later_is_kept(handlers: Any) -> None:
    signal.signal(SIGTERM, Calls())
    watch = servers.ExitWatch(ignore)
    watch.server_of(send, receive)
    later = Calls()
    signal.signal(SIGTERM, later)
    watch.stop()
    assert handler(SIGTERM) is later


def test_no_signal_handler_is_installed_in_a_thread(handlers: Any) -> None:
    async def watch() -> None:
        watch = servers.ExitWatch(ignore)
        watch.server_of(send, receive)
        watch.stop()

    signal.signal(SIGTERM, server := Calls())
    thread = threading.Thread(target=asyncio.run, args=[watch()])
    thread.start()
    thread.join()
    assert handler(SIGTERM) is server


async def test_granians_signal_handlers_are_restored(tmp_path: Path) -> None:
    async with serving(GRANIAN, tmp_path) as server:
        before = (await server.report())["handlers"]
        await server.streams(1)
        assert (await server.report())["handlers"] != before
        worker = psutil.Process((await server.report())["pid"])
        server.stop(SIGTERM)
        await server.ended()
        assert not worker.is_running()
    assert server.marks == ["started", "stopped"]


def test_only_known_implementations_of_send_are_stepped() -> None:
    assert not servers.can_step(send)


async def test_uvicorns_send_is_stepped_and_its_connection_can_be_cut() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            watch = servers.ExitWatch(ignore)
            seen.append((servers.can_step(send), watch.server_of(send, receive)))
            watch.stop()
            servers.abort(None, send)
            while (await receive())["type"] != "http.disconnect":
                pass

    async with serve_in_thread(app) as site:
        with pytest.raises(ConnectionError):
            await site.get("/")
    [(steppable, server)] = seen
    assert steppable
    assert server.ends


class Remote:
    """A proxy of a remote object, as clients of RPC and databases have it: it has every attribute."""

    def __getattr__(self, name: str) -> Remote:
        return Remote()

    def __call__(self, *args: Any) -> Remote:
        return Remote()

    async def wait(self, over: asyncio.Event) -> None:
        self.waits = True
        await over.wait()


class Broken(Remote):
    """A proxy whose connection is broken, and which says that it is something else."""

    def __getattr__(self, name: str) -> Remote:
        raise ConnectionError(name)

    @property
    def __class__(self) -> Any:
        return uvicorn.Server

    @__class__.setter
    def __class__(self, value: Any) -> None: ...

    async def send(self, message: Any) -> None: ...


async def test_an_object_that_has_every_attribute_is_no_server() -> None:
    over = asyncio.Event()
    waiting = [asyncio.create_task(proxy.wait(over)) for proxy in (Remote(), Broken())]
    async with running(app := build()) as site:
        stream = await site.stream()
        generated = await (await site.open("/endless")).until("data: 1")
        for number in range(3):
            await asyncio.sleep(2 * servers.EXIT_POLL)
            await app.state.sse.publish("news", str(number))
            await stream.until(f"data: {number}")
        assert not generated.ended
        site.stop()
        assert (await stream.to_end()).frames[-1].startswith("event: sse:shutdown")
        assert (await generated.to_end()).frames[-1] == ": Connection closed"
    over.set()
    await asyncio.gather(*waiting)


async def test_no_object_of_an_application_disturbs_the_look_for_a_server(handlers: Any) -> None:
    """Whatever calls a server's `send`: it is not asked for attributes, and a failing one is no reason for an error."""
    for proxy in (Remote(), Broken()):
        calls: list[Any] = [proxy, proxy.send, functools.partial(proxy.wait), None]
        for call in calls:
            servers.abort(call)
            watch = servers.ExitWatch(ignore)
            assert watch.server_of(call) is not None, "signals are always known in the main thread"
            watch.stop()

    def fail() -> bool:
        raise ValueError("another version of the server")

    assert not servers.Server(fail).ends


class Passing(BaseHTTPMiddleware):
    """Middleware as many write it: the application's part runs in a task of its own, with other calls around it."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        return await call_next(request)  # type: ignore[no-any-return]


WRAPPING = [Middleware(CORSMiddleware, allow_origins=["*"]), Middleware(GZipMiddleware)]


@pytest.fixture(params=[WRAPPING, [Middleware(Passing)] * 2], ids=["wrapping", "passing"])
def outer(request: pytest.FixtureRequest) -> Starlette:
    """An application with middleware, in which that of the tests is mounted."""
    app = Starlette(routes=[Mount("/ui", build())], middleware=request.param)
    app.state.sse = app.routes[0].app.state.sse  # type: ignore[attr-defined]
    return app


async def test_a_stream_is_cut_behind_middleware_of_an_outer_application(outer: Starlette) -> None:
    """The connection of a client that does not read is found through the functions that middleware wraps around it."""
    sse = outer.state.sse
    async with running(outer) as site:
        path = await site.get("/ui/grant?channels=unread")
        stream = await (await site.open(path, buffer=4096, headers=["origin: http://x"])).until("sse:open")
        [connection] = sse.registry.get_connections()

        async def is_stuck() -> bool:
            await sse.publish("unread", "x" * 900_000)
            await asyncio.sleep(0.05)
            return bool(connection.busy)

        await until(is_stuck)
        connection.cut()
        with pytest.raises(ConnectionError):
            await stream.to_end()


async def test_the_server_of_a_stream_is_known_behind_middleware_of_an_outer_application(outer: Starlette) -> None:
    async with running(build()) as other, running(outer) as site:
        stream = await (await site.open(await site.get("/ui/grant?channels=news"))).until("sse:open")
        gone = await other.stream()
        other.stop()
        await gone.to_end()
        await outer.state.sse.publish("news", "still here")
        await stream.until("still here")
        site.stop()
        assert (await stream.to_end()).frames[-1].startswith("event: sse:shutdown")
