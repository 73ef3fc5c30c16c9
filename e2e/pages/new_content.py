"""Content that comes by each of the ways by which the kit changes a page, and libraries that initialize new content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fasthtml.common import Div, Li, Safe, Script, Titled

from e2e.pages import page_app
from sse_components import SSE, LiveList, LiveRegion, setup_sse
from sse_components.backends import MemoryBackend
from sse_components.events.log import EventLog

LOG_LENGTH = 3
CDN = "https://cdn.jsdelivr.net/npm"
# What FastHTML's `SortableJS` and `MarkdownJS` do.
ON_LOAD = """
    window.made = { sortable: 0, marked: 0 };
    const all = (element) => [element, ...element.querySelectorAll("*")];
    const within = (element, selector) => all(element).filter((found) => found.matches(selector));
    htmx.onLoad((element) => within(element, ".sortable").forEach((list) => (made.sortable++, Sortable.create(list))));
    htmx.onLoad((element) => within(element, ".marked").forEach((text) => {
      made.marked++;
      text.innerHTML = text.textContent.replace(/[*](.*)[*]/, "<em>$1</em>");
    }));
"""
LIBRARIES = (
    Script(src=f"{CDN}/sortablejs@1.15.7/Sortable.min.js"),
    Script(src=f"{CDN}/hyperscript.org@0.9.93/dist/_hyperscript.min.js"),
    Script(src=f"{CDN}/alpinejs@3.17.5/dist/cdn.min.js", defer=True),
    Script(ON_LOAD, type="module"),
)
NEW = """<div class="new">
  <script>window.ran = (window.ran ?? 0) + 1; window.place = document.currentScript.parentNode.classList[0];</script>
  <button class="hyper" _="on click add .clicked">hyperscript</button>
  <p class="alpine" x-data="{ count: 1 }" x-text="count + 1"></p>
  <ul class="sortable"><li>a</li><li>b</li></ul>
  <div class="marked">some *marked* text</div>
  <button class="loads" hx-get="/loaded" hx-target="next .target">htmx</button><span class="target"></span>
</div>"""


@dataclass
class Room:
    """What the page shows, by the way by which it comes."""

    heal: str = ""
    refresh: str = ""
    update: str = "first"
    publish: str = ""


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    app.hdrs += LIBRARIES
    sse = setup_sse(app, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    rooms: dict[str, Room] = {}

    @rt("/loaded", methods=["GET"])
    def loaded() -> str:
        return "loaded"

    @rt("/{room}", methods=["GET"])
    def page(room: str) -> Any:
        now = rooms.setdefault(room, Room())
        region = LiveRegion(Safe(now.refresh), id=f"region-{room}")
        items = LiveList(Li(Safe(now.update), id=f"item-{room}"), id=f"list-{room}")
        live = SSE(channels=room, swap="none", id="live"), Div(Safe(now.publish), id="published")
        return Titled("New content", *live, Div(Safe(now.heal), id="app"), region, items)

    @rt("/{room}/bring", methods=["POST"])
    async def bring(room: str, way: str, text: str = "") -> None:
        setattr(rooms[room], way, NEW + text)
        if way == "refresh":
            await sse.region(f"region-{room}")(lambda: Safe(rooms[room].refresh)).refresh()
        elif way == "update":
            await sse.list(f"list-{room}").update(Li(Safe(rooms[room].update), id=f"item-{room}"))
        elif way == "publish":
            await sse.publish(room, Safe(rooms[room].publish), target="published", swap="innerHTML")
        else:
            for _ in range(LOG_LENGTH + 1):
                await sse.publish(room, "x", event="missed")

    return app
