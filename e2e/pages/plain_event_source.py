"""A page without a script, and a route that returns the URL of its stream."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Safe
from starlette.responses import HTMLResponse

from e2e.pages import page_app
from sse_components import SSE, setup_sse

# Texts that line-oriented protocols often break.
TEXTS = [
    "a\nb",
    "a\r\nb\rc",
    "\n",
    "",
    " leading",
    "data: x",
    ": no comment",
    "\u2028\u2029\x85\v\f",
    "🥚 ägg",
    "\x00",
    "<b>&</b>",
]


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)

    @rt("/{room}/bare")
    def bare(room: str) -> Any:
        stream = SSE(channels=room).attrs["data-sse-connect"]
        return HTMLResponse(f'<!doctype html><link rel="icon" href="data:,"><body data-stream="{stream}">')

    @rt("/{room}/numbers", methods=["POST"])
    async def numbers(room: str, count: int) -> None:
        for number in range(count):
            await sse.publish(room, str(number), event="odd" if number % 2 else None)

    @rt("/{room}/texts", methods=["POST"])
    async def texts(room: str) -> None:
        for text in TEXTS:
            await sse.publish(room, Safe(text), event="späť/1.0:ok")

    return app
