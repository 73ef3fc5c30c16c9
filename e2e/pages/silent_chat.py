"""A chat as programs of the first API write one: one stream for each answer, closed by an event, after a silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fasthtml.common import H1, Div, EventStream, Form, Input, P, Response, Script, Span, fast_app, sse_message

from e2e.pages import NO_ICON
from sse_components import (
    SSEStream,
    StreamConfig,
    cleanup_sse_on_unload,
    create_reconnection_script,
    create_sse_element,
    create_sse_endpoint,
)
from sse_components.app import EXTENSIONS

asked: dict[str, int] = {}
thinking = asyncio.Event()


async def answer(question: str) -> AsyncIterator[Any]:
    """Yield the words of an answer, when the model has thought for as long as the test wants."""
    asked[question] = asked.get(question, 0) + 1
    await thinking.wait()
    for word in ("It", "is", question):
        yield sse_message(Span(f"{word} "))
    yield "event: done\ndata:\n\n"


async def frames(question: str) -> AsyncIterator[str]:
    """Yield the answer as frames, without a heartbeat."""
    async for frame in answer(question):
        yield frame


def make_app(*, htmx4: bool) -> Any:
    extension = Script(src=EXTENSIONS[4 if htmx4 else 2][0])
    scripts = cleanup_sse_on_unload(), create_reconnection_script()
    app, rt = fast_app(htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=(NO_ICON, extension, *scripts))
    rt("/endpoint")(create_sse_endpoint(answer))

    @rt("/plain")
    def plain(question: str) -> Any:
        return EventStream(frames(question))

    @rt("/configured")
    def configured(question: str) -> Any:
        return create_configured(question)

    @rt("/{source}/chat")
    def chat(source: str) -> Any:
        ask = Form(Input(name="question"), hx_post=f"/{source}/ask", hx_target="#log", hx_swap="beforeend")
        return H1("Chat"), ask, Div(id="log")

    @rt("/{source}/ask", methods=["POST"])
    def ask(source: str, question: str) -> Any:
        address = f"/{source}?question={question}"
        return P(question), create_sse_element(address, "answer", "beforeend", sse_close="done")

    @rt("/asked")
    def how_often(question: str) -> Any:
        return Response(str(asked.get(question, 0)))

    @rt("/think", methods=["POST"])
    async def think(ready: bool) -> str:
        thinking.set() if ready else thinking.clear()
        return "ok"

    return app


def create_configured(question: str) -> Any:
    """Return the answer as a stream whose heartbeat the program has set."""
    return EventStream(SSEStream(StreamConfig(heartbeat_interval=60)).stream(words(question)))


async def words(question: str) -> AsyncIterator[Any]:
    """Yield the answer as elements, and the last event as an object that makes its own frame."""
    async for frame in answer(question):
        yield Said(frame)


class Said:
    """Something that is a frame already."""

    def __init__(self, frame: str) -> None:
        self.frame = frame

    def to_sse(self) -> str:
        return self.frame
