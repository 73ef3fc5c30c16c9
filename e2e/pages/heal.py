"""Pages whose log is so short that it is soon past what a tab has seen; the test says what their address answers."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from fasthtml.common import (
    Button,
    Details,
    Div,
    Form,
    Input,
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
from sse_components import SSE, setup_sse
from sse_components.backends import MemoryBackend
from sse_components.log import EventLog

LOG_LENGTH = 3


@dataclass
class Room:
    """What a page shows, and how its address behaves."""

    numbers: list[int] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)  # when the page was asked for, in seconds
    answers: list[Response] = field(default_factory=list)  # in the page's place, one after the other
    before_query: list[int] = field(default_factory=list)  # what is published while the page is made
    after_query: list[int] = field(default_factory=list)
    live: bool = True


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    rooms: defaultdict[str, Room] = defaultdict(Room)

    async def add(room: str, *numbers: int) -> None:
        for number in numbers:
            rooms[room].numbers.append(number)
            await sse.publish(room, item(number), target="items", swap="beforeend")

    async def items(room: str) -> Any:
        state = rooms[room]
        await add(room, *state.before_query)
        shown = list(state.numbers)
        await add(room, *state.after_query)
        state.before_query, state.after_query = [], []
        return Ol(*map(item, shown), id="items")

    @rt("/{room}")
    async def page(room: str, heal: str = "page") -> Any:
        state = rooms[room]
        state.asked.append(time.monotonic())
        if len(state.asked) > 1 and state.answers:
            return state.answers.pop(0)
        shown = await items(room)
        follow = [SSE(channels=room, swap="none", heal=heal, id=id) for id in ("live", "also-live")]
        ...

    return app


def item(number: int) -> Any:
    return Li(number, id=f"item-{number}")
