"""Connection: break it, and see it heal. Each number comes, in its order, and none is lost."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from fasthtml.common import FT, APIRouter, Button, Dd, Div, Dl, Dt, Li
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ... import ConnectionStats, ConnectionStatus, LiveList, MemoryBackend
from ...access.identity import session_id

SECONDS = 5
LATEST = 12
rt = APIRouter("/connection")


def setup(state: State) -> None:
    """Nobody is refused; nothing was counted."""
    state.refused, state.counted = {}, deque([0], maxlen=LATEST)


def status() -> FT:
    """Return what says how the page is connected. It stands at the head of every page of the gallery."""
    return ConnectionStatus(id="status")


def page(request: Request) -> tuple[FT, ...]:
    """Show numbers that come once a second, what breaks the connection, and what the page and the server know of it."""
    stats = request.app.state.sse.registry.get_stats()
    return glance(request), controls(), ConnectionStats(stats=stats, interval=2)


def glance(request: Request) -> FT:
    """Show the latest numbers."""
    return LiveList(*map(number, request.app.state.counted), id="numbers", max_length=LATEST)


def number(n: int) -> FT:
    """Make a number's place in the list."""
    return Li(n, id=f"number-{n}")


async def run(state: State) -> None:
    """Count, once a second."""
    while True:
        await asyncio.sleep(1)
        state.counted.append(state.counted[-1] + 1)
        state.sse.list("numbers").append(number(state.counted[-1]))


def controls() -> FT:
    """Return the buttons that break the connection. They are on every page, too."""
    ways = {
        drop: ("Drop", "The server cuts this browser's stream. It comes back at once, and catches up."),
        delay: ("Delay", f"The server refuses this browser for {SECONDS} seconds, and says how long to wait."),
        restart: ("Restart", "The server ends all streams, and forgets what it has sent. Every page heals itself."),
    }
    return Dl(*(Div(Dt(Button(name, hx_post=way, hx_swap="none")), Dd(about)) for way, (name, about) in ways.items()))


@rt.post
async def drop(state: State, request: Request) -> None:
    """End the streams of the visitor's browser."""
    state.sse.disconnect(session=request.session)


@rt.post
async def delay(state: State, request: Request) -> None:
    """End the streams of the visitor's browser, and let it in only a little later."""
    now = time.monotonic()
    state.refused = {one: until for one, until in state.refused.items() if until > now}
    state.refused[session_id(request.session)] = now + SECONDS
    state.sse.disconnect(session=request.session)


@rt.post
async def restart(state: State) -> None:
    """Do what a restart of the server does: say farewell to all streams, and begin a new log."""
    await state.sse.stop()
    state.sse.backend = MemoryBackend()
    await state.sse.start()


class Refusal:
    """ASGI middleware that answers a stream with 503 as long as its browser is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        answer = self.app
        if scope["type"] == "http" and scope["path"] == "/sse/stream":
            until = scope["app"].state.refused.get(session_id(scope["session"]), 0)
            if (left := until - time.monotonic()) > 0:
                answer = PlainTextResponse("later", 503, {"retry-after": f"{left:.0f}"})
        await answer(scope, receive, send)
