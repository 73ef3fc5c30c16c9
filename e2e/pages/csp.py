"""A page whose policy allows only files from the same origin, including htmx and its extension."""

from __future__ import annotations

import os
from typing import Any

from fasthtml.common import HttpHeader, Link, Meta, Output, Response, Script, fast_app

from sse_components import (
    SSE,
    cleanup_sse_on_unload,
    create_connection_manager_script,
    create_reconnection_script,
    setup_sse,
)

POLICY = HttpHeader("Content-Security-Policy", "default-src 'self'")
FILES = {
    2: ["htmx2/dist/htmx.min.js", "htmx-ext-sse/dist/sse.min.js"],
    4: ["htmx4/dist/htmx.min.js", "htmx4/dist/ext/hx-sse.min.js"],
}
# htmx 2 inserts a <style> for its indicators; htmx 4 uses a constructed style sheet, which a policy does not affect.
NO_STYLE = Meta(name="htmx-config", content='{"includeIndicatorStyles": false}')


def make_app(*, htmx4: bool) -> Any:
    generation = 4 if htmx4 else 2
    # FastHTML serves the working directory, which is the project's folder.
    own = [Script(src=f"/node_modules/{file}") for file in FILES[generation]]
    headers = [Link(rel="icon", href="/icon"), NO_STYLE, *own]
    app, rt = fast_app(default_hdrs=False, pico=False, surreal=False, secret_key="e2e", hdrs=headers)
    sse = setup_sse(app, htmx=generation)

    @rt("/icon")
    def icon() -> Any:
        return Response("<svg xmlns='http://www.w3.org/2000/svg'/>", media_type="image/svg+xml")

    @rt("/{room}")
    def index(room: str) -> Any:
        live = SSE(channels=room, swap="beforeend", id="live")
        scripts = create_reconnection_script(300, 1000), cleanup_sse_on_unload(), create_connection_manager_script()
        return POLICY, live, Output(os.getpid(), id="process"), Output(id="said"), Output(data_sse_stats=True), *scripts

    @rt("/{room}/say", methods=["POST"])
    async def say(room: str, text: str) -> None:
        await sse.publish(room, text)
        await sse.publish(room, text, target="said", swap="innerHTML")

    return app
