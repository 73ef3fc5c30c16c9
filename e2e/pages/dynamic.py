"""SSE elements that are added and removed, side by side, and nested."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fasthtml.common import Button, P, Section

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    let_tests_publish(rt, setup_sse(app))
    fetches: Counter[str] = Counter()

    @rt("/{room}/page")
    def page(room: str) -> Any:
        show = Button("Show", hx_get=f"/{room}/panel", hx_target="#place", hx_swap="innerHTML")
        hide = Button("Hide", hx_get=f"/{room}/nothing", hx_target="#place", hx_swap="innerHTML")
        return show, hide, Section(id="place")

    @rt("/{room}/panel")
    def panel(room: str) -> Any:
        return SSE("waiting", channels=room, id="panel")

    @rt("/{room}/nothing")
    def nothing(room: str) -> Any:
        return P("nothing", id="nothing")

    @rt("/{room}/pair")
    def pair(room: str) -> Any:
        return [SSE(channels=f"{room}/{name}", id=name, swap="beforeend") for name in ("left", "right")]

    @rt("/{room}/twins")
    def twins(room: str) -> Any:
        return [SSE(channels=room, id=name, swap="beforeend") for name in ("left", "right")], Section(id="place")

    @rt("/{room}/nested")
    def nested(room: str) -> Any:
        inner = SSE(
            P("old", data_sse_swap="note", id="inner-note"),
            P("never", hx_get=f"/{room}/fetch", hx_trigger="sse:note", id="inner-fetched"),
            channels=f"{room}/inner",
            event=[],
        )
        outer = P("old", data_sse_swap="note", id="outer-note")
        return SSE(outer, inner, channels=f"{room}/outer", id="outer")

    @rt("/{room}/fetch")
    def fetch(room: str) -> str:
        fetches[room] += 1
        return f"{fetches[room]} times"

    return app
