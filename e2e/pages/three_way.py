"""Pages that say what a test has the server say, with a short log, so that they soon have to fetch themselves again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fasthtml.common import Div, P, Request, Safe, Script, Title

from e2e.pages import page_app
from sse_components import SSE, LiveRegion, setup_sse
from sse_components.backends import MemoryBackend
from sse_components.events.log import EventLog

LOG_LENGTH = 3
FOLDER = Path(os.environ["E2E_FOLDER"])
FRANKEN = "https://cdn.jsdelivr.net/npm/franken-ui@2.1.2/dist/js"


@dataclass
class Page:
    """What the server says now. In its HTML, `{n}` is the number."""

    n: str = "1"
    html: str = ""
    title: str = "before"
    lang: str = ""
    theme: str = ""
    body: str = ""
    region: str = ""
    fragment: str = ""
    asked: int = 0

    items: str = ""

    @classmethod
    def stored(cls, room: str) -> Page:
        """Return what the server said before it was started again."""
        file = FOLDER / room
        return cls(**json.loads(file.read_text())) if file.exists() else cls()

    def store(self, room: str) -> None:
        (FOLDER / room).write_text(json.dumps(asdict(self)))

    def show_items(self) -> list[Any]:
        return [P(item) for item in self.items.split()]

    def show(self, name: str) -> Any:
        return Safe(str(getattr(self, name)).replace("{n}", self.n))


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"data-root": "1"}, bodykw={"data-body": "1"})
    sse = setup_sse(app, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    pages: dict[str, Page] = {}

    def page_of(room: str) -> Page:
        return pages.get(room) or pages.setdefault(room, Page.stored(room))

    @rt("/{room}", methods=["GET", "POST"])
    def page(request: Request, room: str, franken: bool = False) -> Any:
        now = page_of(room)
        now.asked += 1
        request.htmlkw |= {"lang": now.lang, "class": now.theme}
        request.bodykw |= {"class": now.body}
        if franken:
            request.hdrs += [Script(src=f"{FRANKEN}/{name}.iife.js", type="module") for name in ("core", "icon")]
        region = LiveRegion(now.show("region"), id=f"region-{room}")
        live = (
            SSE(channels=room, swap="none", id="live"),
            SSE(*now.show_items(), channels=f"{room}/items", swap="beforeend", id="items"),
        )
        return Title(now.title), *live, Div(now.show("html"), id="app"), region

    @rt("/{room}/fragment", methods=["GET"])
    def fragment(room: str) -> Any:
        return page_of(room).show("fragment")

    @rt("/{room}/asked", methods=["GET"])
    def asked(room: str) -> str:
        return str(page_of(room).asked)

    @rt("/{room}/loaded", methods=["GET"])
    def loaded(room: str) -> Any:
        return LiveRegion(page_of(room).show("fragment"), id=f"loaded-{room}")

    add_controls(rt, sse, page_of)
    return app


def add_controls(rt: Any, sse: Any, page_of: Callable[[str], Page]) -> None:
    """Add the routes with which a test changes what the server says, and publishes."""

    @rt("/{room}/say", methods=["POST"])
    async def say(request: Request, room: str) -> None:
        """Change what the server says."""
        for name, value in (await request.form()).items():
            setattr(page_of(room), name, value)
        page_of(room).store(room)

    @rt("/{room}/miss", methods=["POST"])
    async def miss(room: str) -> None:
        """Publish more than the log keeps."""
        for _ in range(LOG_LENGTH + 1):
            await sse.publish(room, "x", event="missed")

    @rt("/{room}/publish", methods=["POST"])
    async def publish(room: str, html: str, target: str, swap: str) -> None:
        await sse.publish(room, Safe(html), target=target or None, swap=swap or None)

    @rt("/{room}/add", methods=["POST"])
    async def add(room: str, item: str) -> None:
        page_of(room).items += f" {item}"
        page_of(room).store(room)
        await sse.publish(f"{room}/items", P(item))

    @rt("/{room}/refresh", methods=["POST"])
    async def refresh(room: str) -> None:
        await sse.region(f"region-{room}")(lambda: page_of(room).show("region")).refresh()
        await sse.region(f"loaded-{room}")(lambda: page_of(room).show("fragment")).refresh()
