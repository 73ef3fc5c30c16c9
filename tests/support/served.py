"""The application that the tests' servers run: `served:app`, or `python -m served PORT` for a server in a thread.

The environment variable `SERVED` has the options of `build` as JSON. `MARKS` is the file in which the lifespan writes
`started` and `stopped`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from fasthtml.common import FastHTML, JSONResponse, NotStr
from starlette.responses import PlainTextResponse

from sse_components import SSE, EventLog, Kit, Limits, MemoryBackend, create_sse_endpoint, setup_sse
from sse_components.html.page_context import this_page


def mark(text: str) -> None:
    if path := os.environ.get("MARKS"):
        with Path(path).open("a") as file:
            file.write(f"{text}\n")


async def lifespan(app: Any) -> AsyncIterator[None]:
    mark("started")
    yield
    mark("stopped")


def build(
    *,
    log: dict[str, Any] | None = None,
    heartbeat: float = 15.0,
    backend: str = "",
    grants_survive_restart: bool = False,
    strict: bool = False,
    **options: Any,
) -> FastHTML:
    """Return an app with the kit, and with routes that the tests call.

    Args:
        log: options of `EventLog`.
        backend: URL of the backend; by default one in memory.
        heartbeat: seconds.
        grants_survive_restart: as `setup_sse` has it.
        strict: as `setup_sse` has it.
        options: options of `FastHTML`.
    """
    app = FastHTML(secret_key="tests", lifespan=lifespan, **options)
    # All clients here share an address.
    limits = Limits(connections_per_client=10_000)
    kept = backend or MemoryBackend(EventLog(**log or {}))
    given: Any = {"grants_survive_restart": grants_survive_restart, "strict": strict}
    sse = setup_sse(app, backend=kept, heartbeat=heartbeat, limits=limits, **given)

    @app.route("/grant")
    def grant(channels: str) -> PlainTextResponse:
        """Return the URL of a stream. Its grants belong to no session, because these clients have no cookies."""
        page = this_page()
        page.enter({})
        return PlainTextResponse(page.stream_url(channels.split(",")))

    @app.route("/page")
    def page() -> Any:
        return SSE(channels="news")

    @app.route("/publish")
    async def publish(channel: str, count: int = 1, first: int = 0, size: int = 0, burst: int = 1) -> PlainTextResponse:
        """Publish `count` numbers from `first` on, of `size` bytes, `burst` in each tick; return the process id."""
        for number in range(first, first + count):
            await sse.publish(channel, NotStr(f"{number}.".ljust(size, "x")))
            if number % burst == burst - 1:
                await asyncio.sleep(0)
        return PlainTextResponse(str(os.getpid()))

    add_ends(app, sse)

    @app.route("/wait")
    async def wait(seconds: float) -> PlainTextResponse:
        mark("waiting")
        await asyncio.sleep(seconds)
        return PlainTextResponse("done")

    @app.route("/endless")
    @create_sse_endpoint
    async def endless() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    @app.route("/report")
    async def report() -> JSONResponse:
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        return JSONResponse(
            {
                "pid": os.getpid(),
                "connections": sse.get_connection_count(),
                "following": len(sse.fanout),
                "tasks": sorted(names),
                "handlers": [repr(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)],
            }
        )

    return app


def add_ends(app: FastHTML, sse: Kit) -> None:
    """Add routes that end the streams of a channel."""

    @app.route("/disconnect")
    async def disconnect(channel: str) -> PlainTextResponse:
        return PlainTextResponse(str(await sse.disconnect(channel=channel)))

    @app.route("/revoke")
    async def revoke(channel: str) -> PlainTextResponse:
        return PlainTextResponse(str(await sse.revoke(channel=channel)))


def run_in_thread(port: int) -> None:
    """Run the app in a background thread, and stop it when stdin has a line."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port))
    thread = threading.Thread(target=server.run)
    thread.start()
    sys.stdin.readline()
    server.should_exit = True
    thread.join()


app = build(**json.loads(os.environ.get("SERVED", "{}")))

if __name__ == "__main__":
    run_in_thread(int(sys.argv[1]))
