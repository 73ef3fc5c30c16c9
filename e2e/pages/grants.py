"""Elements with a forged grant, or without a grant."""

from __future__ import annotations

from typing import Any

from fasthtml.common import I

from e2e.pages import page_app
from sse_components import SSE, create_sse_element, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    setup_sse(app)

    @rt("/{room}/honest")
    def honest(room: str) -> Any:
        return SSE(I("kept"), channels=room, id="receiver")

    @rt("/{room}/forged")
    def forged(room: str, grant: str) -> Any:
        return create_sse_element(f"/sse/stream?sub={grant}", "receiver")(I("kept"))

    return app
