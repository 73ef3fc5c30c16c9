"""Elements inside an SSE element that swap named events, or send a request when an event arrives."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fasthtml.common import I, P, Section

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    let_tests_publish(rt, setup_sse(app))
    fetches: Counter[str] = Counter()

    @rt("/{room}/named")
    def named(room: str) -> Any:
        return SSE(
            Section(P("old"), data_sse_swap="progress", id="one"),
            Section(P("old"), data_sse_swap="progress, done", hx_swap="beforeend", id="other"),
            Section(P("old", data_sse_swap="once", hx_swap="outerHTML"), id="child"),
            I("kept"),
            channels=room,
            swap="afterbegin",
            event=[],
        )

    @rt("/{room}/fetching")
    def fetching(room: str) -> Any:
        triggered = P("never", hx_get=f"/{room}/fetch", hx_trigger="sse:progress", id="fetched")
        return SSE(triggered, channels=room, swap="beforeend")

    @rt("/{room}/fetch")
    def fetch(room: str) -> str:
        fetches[room] += 1
        return f"{fetches[room]} times"

    @rt("/{room}/receivers")
    def receivers(room: str) -> Any:
        return (
            SSE(
                Section(data_sse_swap="message", id="one"),
                Section(data_sse_swap="message", id="other"),
                channels=room,
                event=[],
            ),
            Section(id="beside"),
        )

    @rt("/{room}/message")
    def message(room: str) -> Any:
        return SSE(P("old"), channels=room, id="receiver"), Section(P("old"), id="beside")

    return app
