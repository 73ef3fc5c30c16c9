"""The reference's broadcasts on pages of `setup_sse`, and a stream that sends what an `OOBStreamBuilder` has built."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fasthtml.common import H1, Div, EventStream, I, Li, P, Span, Ul

from e2e.pages import page_app
from e2e.pages.notebook import build_oob_elements
from sse_components import (
    BroadcastManager,
    OOBStreamBuilder,
    create_broadcast_handler,
    create_sse_element,
    setup_broadcast_routes,
    setup_sse,
)


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    manager = BroadcastManager()
    setup_sse(app, manager=manager)
    setup_broadcast_routes(app, manager, element_builder=build_oob_elements)
    rt("/own")(create_broadcast_handler(manager, element_builder=build_oob_elements))

    def page(connection: Any) -> Any:
        display = Div("Waiting for updates...", id="status-display"), Span("0", id="counter")
        return H1("Broadcast Demo"), connection, *display

    @rt("/notebook")
    def notebook() -> Any:
        return page(Div(id="global-sse", hx_ext="sse", sse_connect="/sse/broadcast", sse_swap="message"))

    @rt("/element")
    def element() -> Any:
        return page(create_sse_element("/sse/broadcast", "global-sse", hidden=True))

    @rt("/handler")
    def handler() -> Any:
        return page(create_sse_element("/own", "global-sse"))

    @rt("/trigger", methods=["POST"])
    async def trigger(message_type: str, key: str, value: str) -> int:
        return await manager.broadcast(message_type, {key: value})

    @rt("/built")
    def built() -> Any:
        return create_sse_element("/steps", "live")(I("kept")), Ul(id="steps"), P("none", id="latest")

    @rt("/steps")
    def steps() -> Any:
        return EventStream(send_steps())

    return app


async def send_steps() -> AsyncIterator[str]:
    builder = OOBStreamBuilder()
    for step in ["one", "two", "three"]:
        builder.add_element(Li(step), "steps", "beforeend").add_element(
            P(f"line {step}\nof two"), "latest", "outerHTML"
        )
        yield builder.build()
        builder.clear()
    await asyncio.Event().wait()
