"""Pages with a list that outlives its server, a field, and the number of tabs in a room; one of them has no stream."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fasthtml.common import H1, Input, Ol

from e2e.pages import page_app
from e2e.pages.faults import Numbers, item
from sse_components import SSE, ConnectionStatus, TabCount, setup_sse

# Seconds: so long that no time-out can help a tab that has left without a word.
HEARTBEAT = 120


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, heartbeat=HEARTBEAT)
    numbers = Numbers(Path(os.environ["E2E_FOLDER"]) / "numbers.db")

    @rt("/away", methods=["GET"])
    def away() -> Any:
        return H1("Another page")

    @rt("/{room}/tabs", methods=["GET"])
    def tabs(room: str) -> dict[str, int]:
        return {"tabs": sse.presence.tabs(room)}

    @rt("/{room}/{page}", methods=["GET"])
    async def page(room: str, page: int) -> Any:
        channel = f"{room}/{page}"
        return (
            ConnectionStatus(id="status"),
            SSE(channels=channel, swap="none", id="live"),
            TabCount(room=room, id="count"),
            Ol(*map(item, numbers.all(channel)), id="items"),
            Input(id="field", name="field"),
        )

    @rt("/{room}/{page}/add", methods=["POST"])
    async def add(room: str, page: int, number: int) -> None:
        if numbers.add(f"{room}/{page}", number):
            await sse.publish(f"{room}/{page}", item(number), target="items", swap="beforeend")

    return app
