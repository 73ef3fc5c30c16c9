"""Pages of a user's own making: htmx, its extension and one of the reference's scripts; and a page of ours with all."""

from __future__ import annotations

import asyncio
from typing import Any

from fasthtml.common import H1, Body, Div, Head, Html, JSONResponse, Output, Request, Response, Script
from fasthtml.core import htmx4src, htmxsrc
from starlette.responses import PlainTextResponse

from e2e.pages import NO_ICON, page_app
from sse_components import (
    SSE,
    cleanup_sse_on_unload,
    create_connection_manager_script,
    create_reconnection_script,
    create_sse_element,
    setup_sse,
)
from sse_components.app import EXTENSIONS


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, public_broadcast=True)
    htmx = htmx4src if htmx4 else htmxsrc
    extension = Script(src=EXTENSIONS[4 if htmx4 else 2][0])

    def alone(script: Any, *content: Any) -> Any:
        live = create_sse_element("/sse/broadcast", "live", "innerHTML")
        return Html(Head(NO_ICON, htmx, extension, script), Body(live, *content))

    @rt("/reconnect")
    def reconnect(check_interval: int, max_retries: int) -> Any:
        return alone(create_reconnection_script(check_interval=check_interval, max_retries=max_retries))

    @rt("/unload")
    def unload() -> Any:
        return alone(cleanup_sse_on_unload())

    @rt("/monitor")
    def monitor(endpoint: str = "/sse/connections", update_interval: int = 100) -> Any:
        numbers = [Output(data_sse_stats=path, id=path) for path in ("active", "by_state", "by_type.job")]
        sentence = Output(data_sse_stats=True, id="sentence")
        return alone(create_connection_manager_script(endpoint, update_interval), *numbers, sentence)

    @rt("/{room}/together")
    def together(room: str) -> Any:
        scripts = create_reconnection_script(), cleanup_sse_on_unload(), create_connection_manager_script()
        return SSE(channels=room, swap="beforeend", id="live"), Output(data_sse_stats="active", id="active"), *scripts

    @rt("/without")
    def without() -> Any:
        return Html(Head(NO_ICON), Body(H1("No stream")))

    @rt("/say", methods=["POST"])
    async def say(text: str) -> None:
        await sse.broadcast("said", {"text": text})

    @rt("/{room}/say", methods=["POST"])
    async def say_in(room: str, text: str) -> None:
        await sse.publish(room, Div(text))

    add_numbers(rt)
    return app


def add_numbers(rt: Any) -> None:
    """Add an endpoint for the monitor that answers each request otherwise, once the test lets it."""
    asked: dict[str, int] = {}
    released = asyncio.Semaphore(0)

    @rt("/{room}/numbers")
    async def numbers(request: Request, room: str) -> Response:
        asked[room] = asked.get(room, 0) + 1
        if asked[room] == 3:
            await given_up(request)
        answers = {1: PlainTextResponse("not here", 404), 2: PlainTextResponse("no JSON")}
        return answers.get(asked[room], JSONResponse({"active": asked[room], "total": 9}))

    @rt("/{room}/slow")
    async def slow(request: Request, room: str) -> Response:
        asked[room] = asked.get(room, 0) + 1
        ends = [asyncio.ensure_future(end) for end in (released.acquire(), given_up(request))]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return JSONResponse({"active": asked[room], "total": 9})

    @rt("/{room}/asked")
    def how_often(room: str) -> Response:
        return JSONResponse(asked.get(room, 0))

    @rt("/release", methods=["POST"])
    def release() -> None:
        released.release()


async def given_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
