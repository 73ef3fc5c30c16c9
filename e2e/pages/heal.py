"""Pages whose log is soon past what a tab has seen. The test says what their address answers then."""

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
    """What a page shows, and how its address behaves."""

    name: str
    sse: Kit
    numbers: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)  # when the page was asked for, in seconds
    answers: list[Response] = field(default_factory=list)  # in the page's place, one after the other
    meanwhile: bool = False  # whether something is published while the page is made
    over: bool = False  # whether there is nothing to follow any more

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
        ours = [SSE(channels=one, swap="none", heal=heal, id=f"live-{index}") for index, one in enumerate(channels)]
        return *ours, create_sse_element("/sse/broadcast", "reference", "beforeend")


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    rooms: dict[str, Room] = {}

    def known(room: str) -> Room:
        return rooms.setdefault(room, Room(room, sse))

    @rt("/{room}", methods=["GET"])
    async def page(room: str, heal: str = "page") -> Any:
        state = known(room)
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
        state = known(room)
        state.asked.append(time.monotonic())
        return state.follow("page"), filled_in(len(state.asked)), *long_parts(state.numbers)

    add_controls(rt, known)
    return app


def add_controls(rt: Any, known: Callable[[str], Room]) -> None:
    """Add what the test says and asks beside the page."""

    @rt("/{room}/publish", methods=["POST"])
    async def publish(room: str, numbers: int = 0, notes: int = 0) -> None:
        for _ in range(numbers):
            await known(room).add_number()
        for _ in range(notes):
            await known(room).add_note(f"note {len(known(room).notes)}")

    @rt("/{room}/fill", methods=["POST"])
    async def fill(room: str) -> None:
        await known(room).sse.publish(f"{room}/notes", P("new", id="filling"), target="filled", swap="innerHTML")

    @rt("/{room}/broadcast", methods=["POST"])
    async def broadcast(room: str) -> None:
        await known(room).sse.broadcast("said", {"text": room})

    @rt("/{room}/answer", methods=["POST"])
    def answer(room: str, status: int, header: str = "", value: str = "") -> None:
        known(room).answers.append(Response("not now", status, {header: value} if header else None))

    @rt("/{room}/will", methods=["POST"])
    def will(room: str, meanwhile: bool = False, over: bool = False) -> None:
        known(room).meanwhile, known(room).over = meanwhile, over

    @rt("/{room}/asked", methods=["GET"])
    def asked(room: str) -> Any:
        return JSONResponse(known(room).asked)


def item(number: int) -> Any:
    return Li(number, id=f"item-{number}")


def filled_in(version: int) -> Any:
    """Return a form with one of each field, which the server would fill in anew each time."""
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
    """Return two parts that scroll: one by itself, and one with the window."""
    inner = Div(*[P(number) for number in range(50)], style="height: 100px; overflow: auto", id="scroller")
    return Ol(*map(item, numbers), id="items"), inner, Div(style="height: 5000px", id="below")
