"""Six pages: each shows the numbers of a separate channel, and all show the same announcement."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fasthtml.common import Button, Form, Li, Ol, P

from e2e.pages import page_app
from e2e.pages.faults import HEARTBEAT, Numbers, item
from sse_components import SSE, setup_sse, this_tab

PAGES = 6


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, heartbeat=HEARTBEAT)
    numbers = Numbers(Path(os.environ["E2E_FOLDER"]) / "numbers.db")

    @rt("/{room}/{page}", methods=["GET"])
    async def page(room: str, page: int, shared: bool = True) -> Any:
        channel = f"{room}/{page}"
        return (
            SSE(channels=[channel, f"{room}/all"], swap="none", id="live", shared=shared),
            P("nothing", id="announcement"),
            Ol(*map(item, numbers.all(channel)), id="items"),
            Form(Button("Tell the others"), hx_post=f"/{room}/tell", hx_swap="none"),
            Ol(id="heard"),
        )

    @rt("/{room}/add", methods=["POST"])
    async def add(room: str, number: int) -> None:
        """Add a number to one page after the other."""
        page, turn = number % PAGES, number // PAGES
        if numbers.add(f"{room}/{page}", turn):
            await sse.publish(f"{room}/{page}", item(turn), target="items", swap="beforeend")

    @rt("/{room}/announce", methods=["POST"])
    async def announce(room: str, text: str) -> None:
        await sse.publish(f"{room}/all", P(text, id="announcement"), swap=True)

    @rt("/{room}/tell", methods=["POST"])
    async def tell(room: str) -> None:
        await sse.publish(f"{room}/all", Li("others"), target="heard", swap="beforeend", exclude=this_tab())
        await sse.publish(f"{room}/all", Li("you alone"), target="heard", swap="beforeend", only=this_tab())

    return app
