"""Swaps with modifiers, targets and morphs, out of band and in place."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Div, Input, Li, P, Ul

from e2e.pages import page_app
from sse_components import SSE, OOBStreamBuilder, create_sse_element, setup_broadcast_routes, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    setup_broadcast_routes(app, sse, prefix="/own", element_builder=build)

    @rt("/{room}/page")
    def page(room: str, swap: str = "none") -> Any:
        live = SSE(P("old", id="inside"), channels=room, swap=swap, id="live")
        rows = Ul(*[Li(number) for number in range(100)], id="rows")
        field = Div(Input(name="field", id="field"), P("old", id="text"), id="form")
        return live, field, Div(rows, id="box", style="height: 100px; overflow: auto"), Div("old", id="file.txt:1")

    @rt("/{room}/publish", methods=["POST"])
    def publish(room: str, html: str, swap: str, target: str = "") -> Any:
        element = {"row": Li("new"), "form": form(), "text": "new", "div": Div("new")}[html]
        sse.publish(room, element, target=target or None, swap=swap)
        return "published"

    @rt("/{room}/say", methods=["POST"])
    def say(room: str) -> Any:
        sse.publish(room, P("new", id="inside"))
        return "said"

    @rt("/{room}/answer")
    def answer(room: str) -> Any:
        return SSE(channels=room, swap="beforeend", close="done", id="live")

    @rt("/{room}/finish", methods=["POST"])
    def finish(room: str) -> str:
        sse.publish(room, P("last"))
        sse.publish(room, event="done")
        sse.publish(room, P("never"))
        return "finished"

    @rt("/{room}/followers")
    def followers(room: str) -> str:
        return f"{sse.get_connection_count(channel=room)}"

    @rt("/built")
    def built() -> Any:
        return create_sse_element("/own/broadcast", "live"), Div("old", id="file.txt:1"), Ul(id="rows")

    @rt("/build", methods=["POST"])
    async def send() -> Any:
        return await sse.broadcast("built", {})

    return app


def form() -> Any:
    return Div(Input(name="field", id="field"), P("new", id="text"), id="form")


def build(message_type: str, data: dict[str, Any]) -> Any:
    builder = OOBStreamBuilder()
    builder.add_element(Div("new"), "file.txt:1", wrap=False)
    builder.add_element(Li("one"), "rows", "append").add_element(Li("two"), swap_mode="beforeend:#rows")
    return builder.add_element(Li("zero"), "rows", "afterbegin show:top").build()
