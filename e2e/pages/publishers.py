"""Requests that publish in each way there is: a sync handler, a thread, a job behind the response, an async handler."""

from __future__ import annotations

from threading import Thread
from typing import Any

from fasthtml.common import Button, Li, Ul
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse

from e2e.pages import page_app
from sse_components import SSE, setup_sse
from tests.support.patience import patient

WAYS = ["sync", "thread", "job", "async"]


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)

    def publish(room: str, way: str) -> None:
        sse.publish(room, Li(way), target="said", swap="beforeend").result(timeout=patient(10))

    @rt("/{room}/page")
    def page(room: str) -> Any:
        buttons = [Button(way, hx_post=f"/{room}/{way}", hx_swap="none") for way in WAYS]
        return SSE(channels=room), Ul(id="said"), *buttons

    @rt("/{room}/sync", methods=["POST"])
    def sync(room: str) -> None:
        publish(room, "sync")

    @rt("/{room}/thread", methods=["POST"])
    def thread(room: str) -> None:
        Thread(target=publish, args=[room, "thread"]).start()

    @rt("/{room}/job", methods=["POST"])
    def job(room: str) -> Any:
        return PlainTextResponse("", background=BackgroundTask(publish, room, "job"))

    @rt("/{room}/async", methods=["POST"])
    async def asynchronous(room: str) -> None:
        await sse.publish(room, Li("async"), target="said", swap="beforeend")

    return app
