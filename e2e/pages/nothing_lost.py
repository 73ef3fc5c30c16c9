"""Lists that grow while the page is rendered, elements that are added later, and boosted navigation."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fasthtml.common import A, Button, Div, Li, Ol, P, Section

from e2e.pages import page_app
from sse_components import SSE, Kit, setup_sse

GROWING = {"end": "beforeend", "begin": "afterbegin", "above": "beforebegin", "below": "afterend"}


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    add_growing_lists(rt, sse)
    add_boosted_pages(rt, sse)
    add_late_elements(rt, sse)
    return app


def add_growing_lists(rt: Any, sse: Kit) -> None:
    """Add a page that publishes while it is rendered: items with ids, with each kind of swap."""

    async def publish(room: str, text: str) -> None:
        for place, swap in GROWING.items():
            target = place if swap in ("beforeend", "afterbegin") else f"of-{place}"
            await sse.publish(room, item(place, text), target=target, swap=swap)
        for place in ("own-end", "own-begin", "target"):
            await sse.publish(f"{room}/{place}", item(place, text))

    @rt("/{room}/growing", methods=["GET"])
    async def growing(room: str) -> Any:
        texts = ["old", "before the query"]
        await publish(room, "before the query")
        made = lists(room, texts)
        await publish(room, "after the query")
        return made


def item(place: str, text: str) -> Any:
    return P(text, id=f"{place}-{text.replace(' ', '-')}")


def lists(room: str, texts: list[str]) -> Any:
    """Return a list for each kind of swap, with the items in the order in which the swap adds them."""

    def items(place: str) -> list[Any]:
        return [item(place, text) for text in texts]

    return (
        SSE(channels=room, swap="none"),
        Section(*items("end"), id="end"),
        Section(*reversed(items("begin")), id="begin"),
        Section(*items("above"), P("here", id="of-above")),
        Section(P("here", id="of-below"), *reversed(items("below"))),
        SSE(*items("own-end"), channels=f"{room}/own-end", swap="beforeend", id="own-end"),
        SSE(*reversed(items("own-begin")), channels=f"{room}/own-begin", swap="afterbegin", id="own-begin"),
        SSE(channels=f"{room}/target", swap="beforeend", hx_target="#target"),
        Section(*items("target"), id="target"),
    )


def add_boosted_pages(rt: Any, sse: Kit) -> None:
    """Add a list whose items have no ids, and links to two pages, one of which follows the same channel."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)

    def follow(room: str) -> Any:
        return SSE(channels=room, swap="none", id="live")

    def links(room: str) -> Any:
        return [A(name, href=f"/{room}/{name}", hx_boost="true") for name in ("list", "board", "nothing")]

    @rt("/{room}/list", methods=["GET"])
    async def show_list(room: str) -> Any:
        return follow(room), Ol(*map(Li, numbers[room]), id="items"), *links(room)

    @rt("/{room}/board", methods=["GET"])
    async def board(room: str) -> Any:
        return follow(room), Section(len(numbers[room]), id="count"), *links(room)

    @rt("/{room}/nothing", methods=["GET"])
    async def nothing(room: str) -> Any:
        return P("Nothing", id="nothing"), *links(room)

    @rt("/{room}/add", methods=["POST"])
    async def add(room: str, number: int) -> None:
        numbers[room].append(number)
        await sse.publish(room, Li(number), target="items", swap="beforeend")
        await sse.publish(room, Section(len(numbers[room]), id="count"), swap=True)


def add_late_elements(rt: Any, sse: Kit) -> None:
    """Add a page with an element, and a second element, added later, on the same channel and on broadcasts."""

    @rt("/{room}/early", methods=["GET"])
    def early(room: str) -> Any:
        show = Button("Show", hx_get=f"/{room}/late", hx_target="#place")
        return SSE(channels=room, swap="none", id="early"), Ol(id="items"), show, Div(id="place")

    @rt("/{room}/late", methods=["GET"])
    async def late(room: str) -> Any:
        shown = SSE(channels=room, swap="none", id="late"), Ol(id="late-items")
        await append(room, "meanwhile")
        return shown

    @rt("/{room}/append", methods=["POST"])
    async def append(room: str, text: str) -> None:
        await sse.publish(room, Li(text), target="items", swap="beforeend")
        await sse.publish(room, Li(text), target="late-items", swap="beforeend")
