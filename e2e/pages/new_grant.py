"""A page that brings its content up to date by itself after a gap."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Li, Ul

from e2e.pages import page_app
from sse_components import SSE, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)

    @rt("/{room}/list", methods=["GET"])
    def page(room: str) -> Any:
        return Ul(Li("as it was"), id="list"), SSE(channels=room, swap="none", heal="event", id="live")

    @rt("/{room}/append", methods=["POST"])
    async def append(room: str, text: str) -> None:
        await sse.publish(room, Li(text), target="list", swap="beforeend")

    return app
