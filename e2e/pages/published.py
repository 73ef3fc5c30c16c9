"""Live components inside of what is published, and a region that each tab fetches for its own user."""

from __future__ import annotations

from threading import Thread
from typing import Any

from fasthtml.common import Div, Input, Li, P, Request, Titled

from e2e.pages import page_app
from sse_components import SSE, LiveList, LiveRegion, LiveText, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    rows: dict[str, list[str]] = {}
    shown: dict[str, int] = {}

    def row(name: str) -> Any:
        return Li(name, " ", LiveText("new", id=f"cell-{name}"), id=name)

    @rt("/{room}/list", methods=["GET"])
    def page(room: str) -> Any:
        shown[room] = shown.get(room, 0) + 1
        return Titled("List", LiveList(*map(row, rows.get(room, [])), id=room))

    @rt("/{room}/apart", methods=["GET"])
    def apart(room: str) -> Any:
        shown[room] = shown.get(room, 0) + 1
        return Titled("Apart", SSE(channels=room, shared=False, swap="beforeend", id="apart"))

    @rt("/{room}/nest", methods=["POST"])
    async def nest(room: str, name: str) -> None:
        await sse.publish(room, row(name))

    @rt("/{room}/append", methods=["POST"])
    async def append(room: str, name: str, how: str) -> None:
        rows.setdefault(room, []).append(name)
        if how == "thread":
            # A job knows no request. It must see the event loop of the server run meanwhile.
            Thread(target=lambda: sse.list(room).append(row(name)).result(20)).start()
        else:
            await sse.list(room).append(row(name))

    @rt("/{room}/cell", methods=["POST"])
    async def cell(room: str, name: str, text: str) -> None:
        await sse.text(f"cell-{name}").set(text)

    @rt("/{room}/shown", methods=["GET"])
    def times(room: str) -> str:
        return str(shown.get(room, 0))

    add_region(rt, sse, shown)
    add_fetched(rt, sse, shown)
    return app


def add_region(rt: Any, sse: Any, shown: dict[str, int]) -> None:
    """Add a page with a region that is rendered for everybody."""
    regions: dict[str, Any] = {}

    def board(room: str) -> Any:
        def render() -> Any:
            number = shown[room] = shown.get(room, 0) + 1
            return P(number, id="number"), Input(id="note"), LiveText("new", id=f"cell-{room}")

        return regions.setdefault(room, sse.region(room)(render))

    @rt("/{room}/region", methods=["GET"])
    def region(room: str) -> Any:
        return Titled("Region", board(room)())

    @rt("/{room}/refresh", methods=["POST"])
    async def refresh(room: str) -> None:
        await board(room).refresh()


def add_fetched(rt: Any, sse: Any, shown: dict[str, int]) -> None:
    """Add a page with a region that each tab fetches."""

    def content(room: str, session: Any) -> Any:
        number = shown.get(room, 0)
        note = Input(id="note"), LiveText("new", id=f"cell-{room}")
        return Div(f"{session.get('name')} {number}", id="mine"), *note

    @rt("/{room}/mine", methods=["GET"])
    def mine(room: str, request: Request) -> Any:
        return content(room, request.session)

    @rt("/{room}/fetched", methods=["GET"])
    def page(room: str, name: str, request: Request) -> Any:
        request.session["name"] = name
        return Titled("Mine", LiveRegion(*content(room, request.session), id=room, fetch=f"/{room}/mine"))

    @rt("/{room}/change", methods=["POST"])
    async def change(room: str) -> None:
        shown[room] = shown.get(room, 0) + 1
        await sse.refresh(room)
