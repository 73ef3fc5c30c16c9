"""Two pages on the same channels: a list with its count, and a board that shows neither."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fasthtml.common import H1, Button, Div, Form, Input, Li, Span, Ul

from e2e.pages import page_app
from sse_components import SSE, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    rooms: defaultdict[str, list[str]] = defaultdict(list)

    def follow(room: str) -> Any:
        return SSE(channels=[f"{room}/items", f"{room}/counts"], swap="none", id="live")

    def form(room: str) -> Any:
        return Form(Input(name="title"), Button("Add"), hx_post=f"/{room}/add", hx_swap="none")

    @rt("/{room}/list")
    def items(room: str) -> Any:
        titles = rooms[room]
        return H1("List"), follow(room), Ul(*map(Li, titles), id="items"), Span(len(titles), id="count"), form(room)

    @rt("/{room}/board")
    def board(room: str) -> Any:
        latest = rooms[room][-1] if rooms[room] else "nothing"
        return H1("Board"), follow(room), Div(latest, id="latest"), form(room)

    @rt("/{room}/add", methods=["POST"])
    async def add(room: str, title: str) -> None:
        rooms[room].append(title)
        await sse.publish(f"{room}/items", Li(title), target="items", swap="beforeend")
        await sse.publish(f"{room}/counts", Span(len(rooms[room]), id="count"), Div(title, id="latest"), swap=True)

    return app
