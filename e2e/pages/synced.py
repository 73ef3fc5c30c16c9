"""Synced fields and switches: within a browser without the server, and for everybody through the server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from fasthtml.common import H1, Button, Form, Main, Response, Title

from e2e.pages import page_app
from sse_components import SyncedInput, SyncedToggle, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"})
    sse = setup_sse(app)
    texts: defaultdict[str, str] = defaultdict(lambda: "first")
    switches: defaultdict[str, bool] = defaultdict(bool)
    gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @rt("/{room}/browser", methods=["GET"])
    def browser(room: str) -> Any:
        theme = SyncedToggle("Dark theme", attribute="data-theme", on="dark", off="light", key=f"{room}-theme")
        dense = SyncedToggle("Dense", attribute="class", on="dense", off="airy", key=f"{room}-dense", checked=True)
        note = SyncedInput("note", "Note", rows=4, key=f"{room}-note", value="\n first\n")
        title = SyncedInput("title", "Title", key=f"{room}-title", value="untitled")
        again = SyncedInput("again", aria_label="Title again", key=f"{room}-title", value="untitled")
        form = Form(title, again, Button("Start again", type="reset"))
        return Title("Synced"), Main(theme, H1("Synced"), dense, note, form)

    @rt("/{room}/server", methods=["GET"])
    def server(room: str) -> Any:
        options: dict[str, Any] = {"scope": "server", "value": texts[room]}
        title = SyncedInput("text", "Text", id=f"{room}-text", hx_post=f"/{room}/write", **options)
        note = SyncedInput("text", "Note", id=f"{room}-note", hx_post=f"/{room}/slow", rows=3, **options)
        lamp = SyncedToggle(
            "Lamp", name="on", id=f"{room}-lamp", scope="server", checked=switches[room], hx_post=f"/{room}/switch"
        )
        return Title("Synced"), Main(H1("Synced"), title, note, lamp)

    @rt("/{room}/write", methods=["POST"])
    async def write(room: str, text: str) -> Any:
        if text == "refused":
            return Response("no", 422)
        texts[room] = text.strip()
        sse.synced(f"{room}-text").set(texts[room])
        return None

    @rt("/{room}/slow", methods=["POST"])
    async def slow(room: str, text: str) -> None:
        await gates[room].wait()
        sse.synced(f"{room}-note").set(text)

    @rt("/{room}/open", methods=["POST"])
    def open_gate(room: str) -> None:
        gates[room].set()

    @rt("/{room}/switch", methods=["POST"])
    async def switch(room: str, on: bool = False) -> None:
        switches[room] = on
        sse.synced(f"{room}-lamp").set(on)

    return app
