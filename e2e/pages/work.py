"""Jobs and answers that the tests control step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fasthtml.common import H1, Main, P, Title, fast_app

from e2e.pages import NO_ICON
from sse_components import Kit, ProgressBar, TokenStream, setup_sse

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)></textarea>&amp; שלום'


class Orders:
    """A queue of orders for each room: the test sends the texts that a job or an answer yields, and ends it."""

    def __init__(self) -> None:
        self.queues: dict[str, asyncio.Queue[str | None]] = {}
        self.ended: list[str] = []

    async def take(self, room: str) -> AsyncIterator[str]:
        queue = self.queues[room] = asyncio.Queue()
        try:
            while (order := await queue.get()) is not None:
                if order == "raise":
                    raise ValueError(f"no rows {HOSTILE}")
                for text in [f"{number} " for number in range(3_000)] if order == "count" else [order]:
                    yield text
        finally:
            self.ended.append(room)


def make_app(*, htmx4: bool) -> Any:
    app, rt = fast_app(htmx4=htmx4, surreal=False, secret_key="e2e", hdrs=(NO_ICON,), htmlkw={"lang": "en"})
    sse, orders = setup_sse(app), Orders()
    add_job(rt, sse, orders)
    add_answer(rt, sse, orders)

    @rt("/{room}/order", methods=["POST"])
    async def order(room: str, text: str) -> None:
        orders.queues[room].put_nowait(text)

    @rt("/{room}/end", methods=["POST"])
    async def end(room: str) -> None:
        orders.queues[room].put_nowait(None)

    @rt("/{room}/ended")
    def ended(room: str) -> int:
        return orders.ended.count(room)

    return app


def page(*content: Any) -> Any:
    return Title("Work"), Main(H1("Work"), *content, cls="container")


def add_job(rt: Any, sse: Kit, orders: Orders) -> None:
    @rt("/{room}/bar")
    def bar(room: str) -> Any:
        return page(ProgressBar(room, f"Import {HOSTILE}", cancel=f"/{room}/cancel"))

    @rt("/{room}/work", methods=["POST"])
    async def work(room: str, total: int = 0) -> str:
        async with sse.job(room, total=total or None, title=HOSTILE, reason=str) as job:
            async for order in orders.take(room):
                await job.step(int(order), message=f"row {order} {HOSTILE}")
        return job.state

    @rt("/{room}/cancel", methods=["POST"])
    def cancel(room: str) -> bool:
        return sse.job(room).cancel().result()


def add_answer(rt: Any, sse: Kit, orders: Orders) -> None:
    @rt("/{room}/answer")
    def answer(room: str) -> Any:
        return page(TokenStream(room, P("Ask me"), stop=f"/{room}/stop"))

    @rt("/{room}/ask", methods=["POST"])
    async def ask(room: str) -> str:
        return await sse.tokens(room, reason=str).stream(orders.take(room))

    @rt("/{room}/stop", methods=["POST"])
    def stop(room: str) -> bool:
        return sse.tokens(room).stop().result()
