"""Pages with a short log, so that a tab soon has a gap. The test sets how the page's URL answers then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fasthtml.common import (
    H1,
    Button,
    Details,
    Div,
    Form,
    Input,
    JSONResponse,
    Li,
    Ol,
    Option,
    P,
    Response,
    Section,
    Select,
    Span,
    Summary,
    Textarea,
)

from e2e.pages import page_app
from sse_components import SSE, Kit, create_sse_element, setup_sse
from sse_components.backends import MemoryBackend
from sse_components.events.log import EventLog

LOG_LENGTH = 3


@dataclass
class Room:
    """The content of a page, and how its URL answers."""

    name: str
    sse: Kit
    numbers: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)  # times of the requests for the page, in seconds
    answers: list[Response] = field(default_factory=list)  # responses to send instead of the page, in order
    meanwhile: bool = False  # whether the page publishes while it is rendered
    over: bool = False  # whether the page has no more channels

    async def add_number(self) -> None:
        number = len(self.numbers)
        self.numbers.append(number)
        await self.sse.publish(self.name, item(number), target="items", swap="beforeend")

    async def add_note(self, text: str) -> None:
        self.notes.append(text)
        await self.sse.publish(f"{self.name}/notes", Li(text), target="notes", swap="beforeend")

    async def content(self) -> Any:
        if self.meanwhile:
            await self.add_number()
        content = Ol(*map(item, self.numbers), id="items"), Ol(*map(Li, self.notes), id="notes")
        if self.meanwhile:
            await self.add_number()
            await self.add_note("meanwhile")
        return Section(*content, id="region")

    def follow(self, heal: str) -> Any:
        channels = [] if self.over else [self.name, f"{self.name}/notes"]
        live = [
            SSE(channels=channel, swap="none", heal=heal, id=f"live-{index}") for index, channel in enumerate(channels)
        ]
        return *live, create_sse_element("/sse/broadcast", "reference", "beforeend")


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, public_broadcast=True, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    rooms: dict[str, Room] = {}

    def find_room(room: str) -> Room:
        return rooms.setdefault(room, Room(room, sse))

    @rt("/{room}", methods=["GET"])
    async def page(room: str, heal: str = "page") -> Any:
        state = find_room(room)
        state.asked.append(time.monotonic())
        if state.answers:
            return state.answers.pop(0)
        content = await state.content()
        leave = Button("Leave", hx_get=f"/{room}/elsewhere", hx_target="#app", hx_swap="outerHTML")
        beside = Span(len(state.asked), id="rendered"), Div(P("old", id="filling"), id="filled"), leave
        return Div(*state.follow(heal), content, *beside, id="app")

    @rt("/{room}/elsewhere", methods=["GET"])
    def elsewhere(room: str) -> Any:
        return H1("Elsewhere")

    @rt("/{room}/form", methods=["GET"])
    def form(room: str) -> Any:
        state = find_room(room)
        state.asked.append(time.monotonic())
        return state.follow("page"), filled_in(len(state.asked)), *long_parts(state.numbers)

    add_controls(rt, find_room)
    return app


def add_controls(rt: Any, find_room: Callable[[str], Room]) -> None:
    """Add the routes with which the test controls the page."""

    @rt("/{room}/publish", methods=["POST"])
    async def publish(room: str, numbers: int = 0, notes: int = 0) -> None:
        for _ in range(numbers):
            await find_room(room).add_number()
        for _ in range(notes):
            await find_room(room).add_note(f"note {len(find_room(room).notes)}")

    @rt("/{room}/fill", methods=["POST"])
    async def fill(room: str) -> None:
        await find_room(room).sse.publish(f"{room}/notes", P("new", id="filling"), target="filled", swap="innerHTML")

    @rt("/{room}/broadcast", methods=["POST"])
    async def broadcast(room: str) -> None:
        await find_room(room).sse.broadcast("said", {"text": room})

    @rt("/{room}/answer", methods=["POST"])
    def answer(room: str, status: int, header: str = "", value: str = "") -> None:
        find_room(room).answers.append(Response("not now", status, {header: value} if header else None))

    @rt("/{room}/will", methods=["POST"])
    def will(room: str, meanwhile: bool = False, over: bool = False) -> None:
        find_room(room).meanwhile, find_room(room).over = meanwhile, over

    @rt("/{room}/asked", methods=["GET"])
    def asked(room: str) -> Any:
        return JSONResponse(find_room(room).asked)


def item(number: int) -> Any:
    return Li(number, id=f"item-{number}")


def filled_in(version: int) -> Any:
    """Return a form with each kind of field. The server fills it in differently each time."""
    return Form(
        P(f"version {version}", id="version"),
        Input(id="focused", value=f"old {version}"),
        Input(id="typed"),
        Input(id="untouched", value=f"version {version}", title=f"version {version}"),
        Textarea(f"version {version}", id="text"),
        Input(id="box", type="checkbox"),
        *[Input(id=f"radio-{name}", type="radio", name="radio", checked=name == "a") for name in "ab"],
        Select(*[Option(f"{name} {version}", value=name) for name in "abc"], id="chosen"),
        Select(*[Option(f"{name} {version}", value=name, selected=name == "b") for name in "abc"], id="unchosen"),
        Details(Summary("More"), P(f"version {version}"), id="details"),
        P(f"version {version}", id="preserved", hx_preserve=True),
    )


def long_parts(numbers: list[int]) -> Any:
    """Return two long parts: one with its own scroll bar, and one that scrolls with the window."""
    inner = Div(*[P(number) for number in range(50)], style="height: 100px; overflow: auto", id="scroller")
    return Ol(*map(item, numbers), id="items"), inner, Div(style="height: 5000px", id="below")
