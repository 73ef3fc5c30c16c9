"""A system monitor as programs of the first API write one: its own script shows the connection by htmx's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fasthtml.common import H1, Output, Response, Script, Span, fast_app

from e2e.pages import NO_ICON
from sse_components import create_reconnection_script, create_sse_element, create_sse_endpoint
from sse_components.app import EXTENSIONS

# What the program's author has written for htmx 2's extension.
LIGHT = """
const heard = (window.heard = []);
for (const [name, text] of [["Open", "Live"], ["Error", "Lost"], ["Close", "Closed"]]) {
  document.addEventListener(`htmx:sse${name}`, (event) => {
    heard.push([name, event.target.id, event.detail.type ?? ""]);
    document.querySelector("#light").value = text;
  });
}
for (const name of ["htmx:sse:after:connection", "htmx:sse:error", "htmx:sse:close"]) {
  document.addEventListener(name, (event) => heard.push([name, event.target.id, event.detail.reason ?? ""]));
  const dashed = name.replaceAll(":", "-");
  document.addEventListener(dashed, (event) => heard.push([name, event.target.id, event.detail.reason ?? ""]));
}
"""


async def measure() -> AsyncIterator[str]:
    """Yield what is measured, as frames that are written by hand and in pieces."""
    for load in (7, 8):
        yield "event: load\n"
        yield f"data: {load} %\n\n"
    yield "event: error\n"
    yield "data: disk 90 %\n\n"
    await stopped.wait()
    stopped.clear()
    yield "event: done\ndata: \n\n"


stopped = asyncio.Event()


def make_app(*, htmx4: bool) -> Any:
    extension = Script(src=EXTENSIONS[4 if htmx4 else 2][0])
    hdrs = NO_ICON, extension, Script(src="/light", defer=True), create_reconnection_script(check_interval=500)
    app, rt = fast_app(htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=hdrs)
    calls: list[str] = []

    @rt("/light")
    def light() -> Any:
        return Response(LIGHT, media_type="text/javascript")

    @rt("/")
    def index() -> Any:
        load = Span("…", data_sse_swap="load", id="load")
        disk = Span("fine", data_sse_swap="error", id="disk")
        feed = create_sse_element("/measure", "feed", "unused", sse_close="done")
        return H1("System"), Output("…", id="light"), feed(load, disk)

    @rt("/measure")
    async def measured() -> Any:
        calls.append("measure")
        return await create_sse_endpoint(measure)()

    @rt("/calls")
    def how_often() -> Any:
        return Response(str(len(calls)))

    @rt("/stop", methods=["POST"])
    async def stop() -> str:
        stopped.set()
        return "stopped"

    return app
