"""Endpoints that stream a source, over HTTP."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fasthtml.common import EventStream, P, sse_message
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from sse_components.events.wire import encode
from sse_components.generators.endpoint import create_sse_endpoint
from sse_components.generators.progress import create_progress_stream
from sse_components.generators.streams import SSEStream, sse_generator, stream_updates
from sse_components.generators.throttle import create_throttled_stream
from sse_components.html.oob import OOBStreamBuilder
from tests.support.streams import (
    CLOSED,
    CONNECTED,
    SOURCES,
    Source,
    count_up_async,
    fails,
    filled_queue,
    lines,
    numbers,
    routed,
)

pytestmark = pytest.mark.anyio


async def test_an_endpoint_gets_its_parameters_and_sets_its_headers() -> None:
    async def stream(request, room: str, limit: int = 2) -> AsyncGenerator[Any, None]:  # type: ignore[no-untyped-def]
        yield {"path": request.url.path, "room": room, "limit": limit}

    async with routed(create_sse_endpoint(stream), "/rooms/{room}") as client:
        answer = await client.get("/rooms/blue?limit=5")
    assert answer.text == CONNECTED + 'data: {"path": "/rooms/blue", "room": "blue", "limit": 5}\n\n' + CLOSED
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_an_endpoint_can_be_called_and_keeps_its_name() -> None:
    async def ticks(count: int) -> AsyncGenerator[int, None]:
        yield count

    endpoint = create_sse_endpoint(ticks, "text/event-stream; charset=utf-8")
    assert endpoint.__name__ == "ticks"
    response = await endpoint(count=3)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


async def coroutine() -> Any:
    return numbers(2)


@pytest.mark.parametrize(
    "stream_fn",
    [
        lambda: numbers(2),
        coroutine,
        lambda: range(2),
        lambda: count_up_async(2),
        lambda: (number for number in range(2)),
        lambda: sse_generator(numbers(2)),
        lambda: SSEStream().stream(numbers(2)),
        lambda: stream_updates(filled_queue(2)),
    ],
)
async def test_a_stream_function_returns_any_source_or_stream(stream_fn: Any) -> None:
    async with routed(create_sse_endpoint(stream_fn)) as client:
        assert (await client.get("/stream")).text == f"{CONNECTED}data: 0\n\ndata: 1\n\n{CLOSED}"


async def test_an_endpoint_sends_frames_as_they_are_and_frames_what_is_none() -> None:
    async def stream() -> AsyncGenerator[Any, None]:
        yield sse_message(P("a"), event="news")
        yield ": a comment\n\n"
        yield b"retry: 10\r\ndata: b\r\n\r\nid: 1\ndata: c\n\n"
        yield encode("d", event="e")
        yield "event: pieces\n"
        yield "data: one\n\n"
        yield "data: "
        yield "two\nid: 7"
        yield "\n\n"
        yield "data: almost\n"
        yield OOBStreamBuilder().add_element(P("f")).build()
        yield P("g")

    async with routed(create_sse_endpoint(stream)) as client:
        text = (await client.get("/stream")).text
    assert text.removeprefix(CONNECTED).removesuffix(CLOSED) == (
        "event: news\ndata: <p>a</p>\n\n"
        ": a comment\n\n"
        "retry: 10\r\ndata: b\r\n\r\nid: 1\ndata: c\n\n"
        "event: e\ndata: d\n\n"
        "event: pieces\ndata: one\n\n"
        "data: two\nid: 7\n\n"
        "data: data: almost\ndata: \n\n"
        "data: <p>f</p>\n\n"
        "data: <p>g</p>\n\n"
    )


async def test_a_stream_function_may_refuse() -> None:
    def stream(mood: str) -> Any:
        if mood == "bad":
            raise HTTPException(403, "not you")
        return PlainTextResponse("later", 503)

    async with routed(create_sse_endpoint(stream)) as client:
        assert (await client.get("/stream?mood=bad")).status_code == 403
        assert (await client.get("/stream?mood=good")).status_code == 503


async def test_head_has_the_headers_and_no_stream() -> None:
    async with routed(create_sse_endpoint(lambda: Source()())) as client:
        assert (await client.head("/stream")).headers["content-type"] == "text/event-stream"


async def test_an_error_ends_the_response_cleanly(caplog: pytest.LogCaptureFixture) -> None:
    async with routed(create_sse_endpoint(fails)) as client:
        text = (await client.get("/stream")).text
    assert text.startswith(CONNECTED + "data: before\n\nevent: sse:error\n")
    assert text.endswith(CLOSED)
    assert "1234" not in text
    assert "1234" in caplog.text


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize(
    "endpoint",
    [
        lambda source: create_sse_endpoint(lambda: source()),
        lambda source: create_sse_endpoint(lambda: sse_generator(source())),
        lambda source: create_sse_endpoint(lambda: create_throttled_stream(source())),
        lambda source: create_progress_stream("job", source),
        # As programs for the reference have it.
        lambda source: lambda: EventStream(sse_generator(source())),
    ],
)
async def test_a_client_that_goes_away_closes_the_source(http: str, endpoint: Any) -> None:
    source = Source("a")
    async with routed(endpoint(source), http=http) as client:
        async with client.stream("GET", "/stream") as answer:
            await lines(answer, "data: a")
            await source.waits.wait()
        await source.closed.wait()


async def test_a_client_that_goes_away_in_mid_flow_closes_the_source() -> None:
    closed = asyncio.Event()

    async def flood() -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "x" * 10_000
        finally:
            await asyncio.sleep(0)
            closed.set()

    async with routed(create_sse_endpoint(flood)) as client:
        async with client.stream("GET", "/stream") as answer:
            await anext(answer.aiter_raw())
        await closed.wait()


async def test_a_response_that_is_cut_off_has_closed_its_source_when_it_returns() -> None:
    source, full = Source("a"), asyncio.Event()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            full.set()
            await asyncio.Event().wait()

    response = await create_sse_endpoint(source)()
    sending = asyncio.create_task(response({"type": "http", "method": "GET"}, receive, send))
    await full.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert source.closed.is_set()


@pytest.mark.parametrize("kind", SOURCES)
async def test_ten_thousand_items_arrive_in_order_and_memory_stays_flat(kind: str) -> None:
    count, size = 10_000, 1_000

    async def pad(number: int) -> str:
        return f"{number} {'x' * size}"

    def stream() -> AsyncGenerator[str, None]:
        return sse_generator(SOURCES[kind](count), interval=0, transform=pad)

    async with routed(create_sse_endpoint(stream)) as client, client.stream("GET", "/stream") as answer:
        expected = 0
        tracemalloc.start()
        try:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    assert line.startswith(f"data: {expected} ")
                    expected += 1
                if expected == count // 10:
                    gc.collect()
                    tracemalloc.reset_peak()
                    settled, _ = tracemalloc.get_traced_memory()
            grown = tracemalloc.get_traced_memory()[1] - settled
        finally:
            tracemalloc.stop()
    assert expected == count
    # Nine million bytes have gone through meanwhile.
    assert grown < 600_000
