"""Pages with a hundred live elements, each of a channel of its own, or of a separate one for each page."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Main

from e2e.pages import page_app
from sse_components import SSE, Limits, setup_sse

MOST = 1_150


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, limits=Limits(channels_per_connection=MOST))

    @rt("/{room}/{page}", methods=["GET"])
    def page(room: str, page: str, count: int = 100) -> Any:
        return Main(*[SSE(channels=f"{room}/{page}/{number}", id=f"live-{number}") for number in range(count)])

    @rt("/{room}/{page}/say", methods=["POST"])
    def say(room: str, page: str, number: int, text: str) -> None:
        sse.publish(f"{room}/{page}/{number}", text)

    return app
