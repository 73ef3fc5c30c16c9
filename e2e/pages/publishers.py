"""Every place in which an application can publish, with `publish` and with a component's handle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any

from fasthtml.common import Button, Li
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse

from e2e.pages import page_app
from sse_components import Kit, LiveList, LiveText, setup_sse
from sse_components.events.log import Cursor

WAYS = ["sync", "async", "thread", "to_thread", "background"]
MESSAGES = 20
STARTED = "started"


class Room:
    """The content of a room. It changes with `publish` and with a handle, in turns.

    Args:
        sse: publishes.
        name: the id and the channel of the list.
    """

    def __init__(self, sse: Kit, name: str) -> None:
        self.sse, self.name, self.shown = sse, name, list[str]()

    def item(self, text: str) -> Any:
        return Li(text, id=f"{self.name}-{text}")

    def publish(self, way: str) -> None:
        """Publish many messages without `await`."""
        for number in range(0, MESSAGES, 2):
            first, second = f"{way}-{number}", f"{way}-{number + 1}"
            self.shown += [first, second]
            self.sse.publish(self.name, self.item(first), target=self.name, swap="beforeend")
            self.sse.list(self.name).append(self.item(second))
        self.sse.text(f"{self.name}-last").set(way)

    def page(self) -> Any:
        buttons = [Button(way, hx_post=f"/{self.name}/{way}", hx_swap="none") for way in WAYS]
        items = LiveList(*map(self.item, self.shown), id=self.sse.list(self.name))
        return items, LiveText("nobody", id=f"{self.name}-last"), *buttons


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    rooms: dict[str, Room] = {}

    def room_of(name: str) -> Room:
        return rooms.setdefault(name, Room(sse, name))

    @app.on_event("startup")
    def publish_at_startup() -> None:
        room_of(STARTED).publish("startup")

    @rt("/{room}/page")
    def page(room: str) -> Any:
        return room_of(room).page()

    @rt("/started/events")
    def events() -> Any:
        """Return what was published at start-up, before there was a page."""
        log = sse.backend.since([STARTED], Cursor(sse.backend.cursor.epoch, 0))
        return PlainTextResponse("".join(event.frame.decode() for event in log))

    add_ways(rt, room_of)
    add_failures(rt, sse)
    return app


def add_ways(rt: Any, room_of: Callable[[str], Room]) -> None:
    @rt("/{room}/sync", methods=["POST"])
    def sync(room: str) -> None:
        room_of(room).publish("sync")

    @rt("/{room}/async", methods=["POST"])
    async def asynchronous(room: str) -> None:
        room_of(room).publish("async")

    @rt("/{room}/thread", methods=["POST"])
    def thread(room: str) -> None:
        Thread(target=room_of(room).publish, args=["thread"]).start()

    @rt("/{room}/to_thread", methods=["POST"])
    async def to_thread(room: str) -> None:
        await asyncio.to_thread(room_of(room).publish, "to_thread")

    @rt("/{room}/background", methods=["POST"])
    def background(room: str) -> Any:
        return PlainTextResponse("", background=BackgroundTask(room_of(room).publish, "background"))


def add_failures(rt: Any, sse: Kit) -> None:
    """Add handlers whose calls fail later, and which ignore the result."""

    async def broken() -> str:
        await asyncio.sleep(0)
        raise ValueError("the board is broken")

    @rt("/{room}/fail/sync", methods=["POST"])
    def fail_in_a_thread(room: str) -> None:
        sse.region(f"{room}-sync")(broken).refresh()  # the failing line of a sync handler

    @rt("/{room}/fail/async", methods=["POST"])
    async def fail_in_the_loop(room: str) -> None:
        sse.region(f"{room}-async")(broken).refresh()  # the failing line of an async handler
