"""Connection: break it, and watch it recover. Every number arrives, in order, and none is lost."""

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
from ...access.identity import principal_of

SECONDS = 5
LATEST = 12
rt = APIRouter("/connection")


def setup(state: State) -> None:
    """Start without refused browsers, and count from zero."""
    state.refused, state.counted = {}, deque([0], maxlen=LATEST)


def status() -> FT:
    """Return the connection status. It is in the header of every page."""
    return ConnectionStatus(id="status")


def page(request: Request) -> tuple[FT, ...]:
    """Show a number every second, buttons that break the connection, and its statistics."""
    stats = request.app.state.sse.registry.get_stats()
    return glance(request), controls(), ConnectionStats(stats=stats, interval=2)


def glance(request: Request) -> FT:
    """Show the latest numbers."""
    return LiveList(*map(number, request.app.state.counted), id="numbers", max_length=LATEST)


def number(n: int) -> FT:
    """Return the list item of a number."""
    return Li(n, id=f"number-{n}")


async def run(state: State) -> None:
    """Count, once a second."""
    while True:
        await asyncio.sleep(1)
        state.counted.append(state.counted[-1] + 1)
        state.sse.list("numbers").append(number(state.counted[-1]))


def controls() -> FT:
    """Return the buttons that break the connection. They are also in the header of every page."""
    buttons = {
        drop: ("Drop", "The server cuts this browser's stream. The browser reconnects at once, and catches up."),
        delay: ("Delay", f"The server refuses this browser for {SECONDS} seconds, and sends the time to wait."),
        restart: ("Restart", "The server ends all streams, and clears its log. Every page reloads its content."),
    }
    rows = ((Button(name, hx_post=route, hx_swap="none"), about) for route, (name, about) in buttons.items())
    return Dl(*(Div(Dt(button), Dd(about)) for button, about in rows))


@rt.post
async def drop(state: State, request: Request) -> None:
    """End the streams of this browser."""
    state.sse.disconnect(session=request.session)


@rt.post
async def delay(state: State, request: Request) -> None:
    """End the streams of this browser, and refuse new ones for some seconds."""
    now = time.monotonic()
    state.refused = {browser: until for browser, until in state.refused.items() if until > now}
    state.refused[principal_of(request.scope).browser] = now + SECONDS
    state.sse.disconnect(session=request.session)


@rt.post
async def restart(state: State) -> None:
    """Do what a restart of the server does: end all streams with a shutdown frame, and start a new log."""
    await state.sse.stop()
    state.sse.backend = MemoryBackend()
    await state.sse.start()


class Refusal:
    """ASGI middleware that answers 503 to the streams of a refused browser."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        app = self.app
        if scope["type"] == "http" and scope["path"] == "/sse/stream":
            until = scope["app"].state.refused.get(principal_of(scope).browser, 0)
            if (left := until - time.monotonic()) > 0:
                app = PlainTextResponse("later", 503, {"retry-after": f"{left:.0f}"})
        await app(scope, receive, send)
