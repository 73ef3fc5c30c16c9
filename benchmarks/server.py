"""One server of the fan-out benchmark: `python server.py KIND PORT`.

Kinds: `ours` (FastHTML with setup_sse), `task` (the same in task mode, as on servers that cannot be stepped),
`sse-starlette`, `starlette` (StreamingResponse with a queue for each client).
The load generator calls `/go` to publish, and `/path` to get the URL of the stream.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn
from fastcore.xml import NotStr
from fasthtml.common import FastHTML
from sse_starlette import EventSourceResponse
from starlette.responses import PlainTextResponse, StreamingResponse

from sse_components import Limits
from sse_components.app import setup_sse
from sse_components.delivery import servers
from sse_components.html.page_context import this_page

# All clients here share an address.
ONE_ADDRESS = Limits(connections=100_000, connections_per_client=100_000)

Publish = Callable[[str], Awaitable[Any]]


def fragment(sequence: int, size: int) -> str:
    """Return an event of `size` bytes with the marker that the load generator reads."""
    mark = f"@T{time.monotonic_ns():020d}S{sequence:08d}@"
    head = f"<div id='item' hx-swap-oob='true' data-m='{mark}'>"
    return head + "x" * (size - len(head) - 6) + "</div>"


async def publish_all(publish: Publish, mode: str, start: int, m: int, rate: float, size: int) -> None:
    """Publish `m` events: `burst` yields after each, `burst10` after ten, `steady` keeps `rate` a second."""
    each = int(mode[5:] or 1) if mode.startswith("burst") else 0
    due = time.monotonic()
    for index in range(m):
        if not each:
            due += 1 / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
        await publish(fragment(start + index, size))
        if each and index % each == each - 1:
            await asyncio.sleep(0)


def stream_url(channel: str) -> str:
    """Return the URL of a stream. Its grant belongs to no session, because these clients have no cookies."""
    page = this_page()
    page.enter({})
    return page.stream_url([channel])


def fasthtml(path: str | None) -> tuple[FastHTML, Callable[[Publish], None]]:
    """Return an app with the benchmark's routes, and a function that sets how it publishes."""
    app = FastHTML(secret_key="benchmark")
    tasks: set[asyncio.Task[None]] = set()
    how: list[Publish] = []

    @app.route("/go")
    async def go(mode: str, start: int, m: int, rate: float, size: int) -> PlainTextResponse:
        task = asyncio.create_task(publish_all(how[0], mode, start, m, rate, size))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return PlainTextResponse("ok")

    @app.route("/path")
    def where() -> PlainTextResponse:
        return PlainTextResponse(path or stream_url("bench"))

    return app, how.append


def ours() -> FastHTML:
    """Return an app with `setup_sse`."""
    app, publish_by = fasthtml(None)
    sse = setup_sse(app, limits=ONE_ADDRESS)
    publish_by(lambda html: sse.publish("bench", NotStr(html)))
    return app


def task() -> FastHTML:
    """Return the same app, with streams that are never stepped."""
    servers.can_step = lambda send: False
    return ours()


def with_queues(respond: Callable[[asyncio.Queue[str]], Any]) -> FastHTML:
    """Return an app with a queue for each client."""
    app, publish_by = fasthtml("/stream")
    queues: set[asyncio.Queue[str]] = set()

    @app.route("/stream")
    async def stream() -> Any:
        queue: asyncio.Queue[str] = asyncio.Queue()
        queues.add(queue)
        return respond(queue)

    async def publish(html: str) -> None:
        for queue in queues:
            queue.put_nowait(html)

    publish_by(publish)
    return app


def sse_starlette() -> FastHTML:
    """Return sse-starlette under FastHTML."""

    async def items(queue: asyncio.Queue[str]) -> AsyncIterator[dict[str, str]]:
        while True:
            yield {"data": await queue.get()}

    return with_queues(lambda queue: EventSourceResponse(items(queue)))


def starlette() -> FastHTML:
    """Return Starlette's own StreamingResponse under FastHTML."""

    async def frames(queue: asyncio.Queue[str]) -> AsyncIterator[str]:
        yield ": open\n\n"
        while True:
            yield f"data: {await queue.get()}\n\n"

    return with_queues(lambda queue: StreamingResponse(frames(queue), media_type="text/event-stream"))


KINDS = {"ours": ours, "task": task, "sse-starlette": sse_starlette, "starlette": starlette}

if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = KINDS[sys.argv[1]]()
    uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", log_level="warning", access_log=False, backlog=4096)
