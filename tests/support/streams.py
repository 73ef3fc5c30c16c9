"""Sources for generated streams, helpers to read the streams, and a server for endpoints."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import httpx
import uvicorn
from fasthtml.common import FastHTML

from sse_components.delivery.connection import ConnectionQueue
from sse_components.generators.streams import StreamConfig
from tests.support.patience import patient

CONNECTED, CLOSED, HEARTBEAT = ": Connected\n\n", ": Connection closed\n\n", ": heartbeat 0.01\n\n"
QUIET = StreamConfig(send_initial_message=False, send_close_message=False)
# Seconds: a short heartbeat or time-out, and a measurable distance between items.
SWIFT, PACE = 0.01, 0.02


class Source:
    """An async generator that counts its items, may wait at its end, and sets an event when it is closed."""

    def __init__(self, *items: Any) -> None:
        self.items, self.produced = items, 0
        self.waits, self.closed = asyncio.Event(), asyncio.Event()

    async def __call__(self, *, then_wait: bool = True) -> AsyncGenerator[Any, None]:
        try:
            for item in self.items:
                self.produced += 1
                yield item
            if then_wait:
                self.waits.set()
                await asyncio.Event().wait()
        finally:
            # Clean-up may take some ticks, and must not be interrupted.
            for _ in range(3):
                await asyncio.sleep(0)
            self.closed.set()


async def numbers(count: int = 3) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


async def collect(stream: AsyncIterator[str]) -> list[str]:
    return [text async for text in stream]


async def first_data(stream: AsyncIterator[str]) -> str:
    """Return the first frame that is not a comment."""
    async for text in stream:
        if not text.startswith(":"):
            return text
    raise AssertionError("the stream has ended")


def error_of(frames: list[str]) -> dict[str, str]:
    """Return the data of the only error event."""
    [frame] = [text for text in frames if text.startswith("event: sse:error\ndata: ")]
    data: dict[str, str] = json.loads(frame.partition("data: ")[2])
    return data


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve `app` with uvicorn on a free port, and yield a client of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", **options))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=patient(60)) as client:
            yield client
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def routed(endpoint: Any, path: str = "/stream", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an endpoint in a FastHTML app."""
    app = FastHTML(secret_key="test")
    app.route(path)(endpoint)
    async with serving(app, **options) as client:
        yield client


class Countdown:
    """An async iterator that is not a generator: it has no `aclose`."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __aiter__(self) -> Countdown:
        return self

    async def __anext__(self) -> int:
        if not self.count:
            raise StopAsyncIteration
        self.count -= 1
        return self.count


def count_up(count: int) -> Callable[[], int]:
    iterator = iter(range(count))
    return lambda: next(iterator)


def count_up_async(count: int) -> Callable[[], Any]:
    iterator = iter(range(count))

    async def poll() -> int:
        for number in iterator:
            return number
        raise StopAsyncIteration

    return poll


def filled_queue(count: int) -> asyncio.Queue[Any]:
    queue = ConnectionQueue()
    for number in range(count):
        queue.put_nowait(number)
    queue.close()
    return queue


SOURCES: dict[str, Callable[[int], Any]] = {
    "async generator": numbers,
    "list": lambda count: list(range(count)),
    "callable": count_up,
    "iterator": lambda count: iter(range(count)),
    "async callable": count_up_async,
    "queue": filled_queue,
}


async def fails() -> AsyncGenerator[str, None]:
    yield "before"
    raise RuntimeError("the password is 1234")


# What reads a response: closing it, which asyncio does when nobody has it any more, would close the connection.
_readers: WeakKeyDictionary[httpx.Response, AsyncIterator[str]] = WeakKeyDictionary()


async def lines(answer: httpx.Response, last: str) -> list[str]:
    """Return the lines of a response up to `last`; the next call goes on after it."""
    received = []
    async for line in _readers.setdefault(answer, answer.aiter_lines()):
        received.append(line)
        if line == last:
            return received
    raise AssertionError(f"{last!r} has not come: {received}")
