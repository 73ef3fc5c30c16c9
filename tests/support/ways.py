"""The ways in which people run an application: the table of docs/deployment.md, whose cells the tests check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Any

from fasthtml.jupyter import JupyUvi

from tests.support.http2 import Http2Client, Http2Stream
from tests.support.proxies import plain_nginx
from tests.support.served import build
from tests.support.serving import (
    DAPHNE,
    GRANIAN,
    GUNICORN,
    GUNICORN_ASGI,
    HOST,
    HYPERCORN,
    UVICORN,
    Site,
    Stream,
    free_port,
    serving,
)

# What cells say, and what the tests check.
LIFESPAN, REQUEST = "with the lifespan", "with the first request"
ALL, SAME_WORKER = "every page", "pages of the same worker"
LAST_FRAME, NOTHING = "a last frame", "nothing"


@dataclass
class Running:
    """An application that runs.

    Attributes:
        site: to send requests to.
        prefix: the path under which the application is.
        had_lifespan: tells whether the application's lifespan has run.
        stop: stops the server as its operator does.
        open_stream: opens a response that is read as it arrives; by default over HTTP/1.1.
    """

    site: Site
    prefix: str
    had_lifespan: Callable[[], bool]
    stop: Callable[[], Any]
    open_stream: Callable[[str], Awaitable[Stream]] | None = None

    async def open(self, path: str) -> Stream:
        return await (self.open_stream or self.site.open)(path)


@dataclass(frozen=True)
class Way:
    """A row of the table.

    Attributes:
        name: how the application is run.
        run: runs it until the block ends, in a folder.
        starts: when the kit starts: `LIFESPAN` or `REQUEST`.
        reaches: what gets what a handler publishes: `ALL` or `SAME_WORKER`.
        ends: how streams end when the server stops: `LAST_FRAME` or `NOTHING`.
        set: what to set.
        processes: how many processes answer requests.
    """

    name: str
    run: Callable[[Path], AbstractAsyncContextManager[Running]]
    starts: str = LIFESPAN
    reaches: str = ALL
    ends: str = LAST_FRAME
    set: str = ""
    processes: int = 1


@asynccontextmanager
async def command(
    *parts: str, app: str = "served:app", prefix: str = "", folder: Path, **options: str
) -> AsyncIterator[Running]:
    """Run a command that serves an application, with options of `served.build`."""
    async with serving(parts, folder, app=app, **options) as server:
        yield Running(server, prefix, lambda: "started" in server.marks, partial(server.stop, SIGTERM))


def by(*parts: str, **options: str) -> Callable[[Path], AbstractAsyncContextManager[Running]]:
    """Return what runs a command in a folder."""
    return lambda folder: command(*parts, folder=folder, **options)


@asynccontextmanager
async def over_http2(folder: Path) -> AsyncIterator[Running]:
    """Run hypercorn, and open streams over HTTP/2."""
    async with command(*HYPERCORN, folder=folder) as running, Http2Client.at(running.site.port) as client:

        async def open_stream(path: str) -> Stream:
            return Http2Stream(client, client.get(path))

        running.open_stream = open_stream
        yield running


@asynccontextmanager
async def with_serve(folder: Path) -> AsyncIterator[Running]:
    """Run `python main.py`, which ends with `serve()`."""
    (folder / "main.py").write_text(
        "import sys\n"
        "from fasthtml.common import serve\n"
        "from served import app\n"
        f"serve(host='{HOST}', port=int(sys.argv[-1]), reload=True)\n"
    )
    async with command("main", "{port}", folder=folder) as running:
        yield running


@asynccontextmanager
async def in_a_notebook(folder: Path) -> AsyncIterator[Running]:
    """Serve with what FastHTML has for notebooks: uvicorn in a thread, beside the event loop of the notebook."""
    app, port = build(), free_port()
    # Outside of a notebook there is nothing to show the page in.
    server = JupyUvi.__new__(JupyUvi)
    server.app, server.port, server.host, server.log_level, server.daemon, server.kwargs = (
        app,
        port,
        HOST,
        "error",
        True,
        {},
    )
    await asyncio.to_thread(server.start)
    site = Site(port)
    try:
        yield Running(site, "", lambda: app.state.sse.running, server.stop)
    finally:
        await site.close()
        server.server.should_exit = True


@asynccontextmanager
async def below_a_path(folder: Path) -> AsyncIterator[Running]:
    """Run nginx, which takes a path away, in front of an application that knows it."""
    (inner := folder / "app").mkdir()
    async with (
        command(*UVICORN, "--root-path", "/app", folder=inner) as running,
        plain_nginx(folder, f"http://{HOST}:{running.site.port}/", path="/app/") as front,
    ):
        behind = Site(front.port)
        yield Running(behind, "/app", running.had_lifespan, running.stop)
        await behind.close()


WAYS = (
    Way(
        "`uvicorn main:app`",
        by(*UVICORN),
        set="`--timeout-graceful-shutdown 5`: there is none by default, and uvicorn waits for ever for a response that"
        " is not the kit's. `--limit-concurrency` counts open streams: leave it out, or set it above their number",
    ),
    Way(
        "`uvicorn main:app --workers 2`",
        by(*UVICORN, "--workers", "2"),
        processes=2,
        reaches=SAME_WORKER,
        set="one worker, or a [backend that they share](#how-many-processes)",
    ),
    Way(
        "the same with `setup_sse(app, backend='sqlite:///live.db')`",
        by(*UVICORN, "--workers", "2", backend="sqlite:///live.db"),
        processes=2,
        set="nothing: every page gets what any worker publishes",
    ),
    Way("`uvicorn main:app --lifespan off`", by(*UVICORN, "--lifespan", "off"), starts=REQUEST, set="leave it on"),
    Way(
        "`gunicorn main:app -k uvicorn_worker.UvicornWorker`",
        by(*GUNICORN),
        set="one worker, which is the default, or the SQLite backend. `--graceful-timeout`, 30 seconds by default, is"
        " for all other open requests",
    ),
    Way("the same with `--preload`", by(*GUNICORN, "--preload"), set="the same. Each worker begins a log of its own"),
    Way(
        "the same with `--workers 2` and the SQLite backend",
        by(*GUNICORN, "--preload", "--workers", "2", backend="sqlite:///live.db"),
        processes=2,
        set="nothing",
    ),
    Way(
        "`gunicorn main:app -k asgi`",
        by(*GUNICORN_ASGI),
        set="one worker, or the SQLite backend. It looks once a second whether it has to stop",
    ),
    Way(
        "`hypercorn main:app`",
        by(*HYPERCORN),
        set="`--graceful-timeout`, 3 seconds by default, is for all other open requests. `--worker-class trio` is"
        " refused: the kit needs asyncio",
    ),
    Way(
        "the same over HTTP/2",
        over_http2,
        set="`h2_max_concurrent_streams`, 100 by default, is the number of streams per connection",
    ),
    Way(
        "`granian --interface asgi main:app`",
        by(*GRANIAN),
        set="`--workers-kill-timeout 5s`: there is none by default, and granian waits for clients that do not read."
        " `1` keeps the end below two seconds even then, and its lifespan's shutdown may not run. `--backpressure`"
        " counts open streams, 1,024 by default, divided by the workers: at that number every further request waits,"
        " pages included",
    ),
    Way(
        "`daphne main:app`",
        by(*DAPHNE),
        starts=REQUEST,
        ends=NOTHING,
        set="nothing. It cuts all connections, and pages come back after a random delay",
    ),
    Way("`python main.py` with `serve()`", with_serve, set="`serve(reload=False)` in production"),
    Way(
        "mounted in FastAPI: `api.mount('/ui', app)`",
        by(*UVICORN, app="tests.support.mounted:in_fastapi", prefix="/ui"),
        starts=REQUEST,
        set="`async with sse:` in the lifespan of the outer application, if threads publish before the first request",
    ),
    Way(
        "mounted in Starlette: `Mount('/ui', app)`",
        by(*UVICORN, app="tests.support.mounted:in_starlette", prefix="/ui"),
        starts=REQUEST,
        set="the same",
    ),
    Way(
        "below a path of nginx: `location /app/ { proxy_pass http://127.0.0.1:8000/; }`",
        below_a_path,
        set="`uvicorn main:app --root-path /app`",
    ),
    Way(
        "in a notebook: `JupyUvi(app)`",
        in_a_notebook,
        set="nothing. Cells call `sse.publish(...)`; the server may be stopped and started again",
    ),
)

HEAD = ("how you run it", "the kit starts", "`publish` reaches", "at the end, streams get", "what to set")


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    head, *lines = [f"| {' | '.join(cells)} |\n" for cells in (HEAD, *rows)]
    return "".join([head, "|---" * len(HEAD), "|\n", *lines])


def row(way: Way) -> tuple[str, ...]:
    """Return the cells of a way."""
    return way.name, way.starts, way.reaches, way.ends, way.set
