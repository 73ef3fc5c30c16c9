"""Access log: what this gallery is asked for, line by line as it answers."""

from __future__ import annotations

import time
from typing import NamedTuple

from fasthtml.common import FT, Code, P, Table, Tbody, Td, Th, Thead, Tr
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sse_components import SSE, oob

CHANNEL = "access-log"
LINES = 16


class Line(NamedTuple):
    """An answered request. Its query is left out: that of a stream holds a grant."""

    number: int
    at: str
    method: str
    path: str
    status: int


def page(state: State) -> tuple[FT, ...]:
    """Show the latest lines, the newest first."""
    return SSE(channels=CHANNEL), *glance(state)


def glance(state: State) -> tuple[FT, ...]:
    """Show how many lines there were, and the latest."""
    head = Thead(Tr(*map(Th, ("Time", "Method", "Path", "Status"))))
    body = Tbody(*map(row, reversed(state.lines)), id="lines")
    return P(answered(state), id="answered"), Table(head, body)


class AccessLog:
    """ASGI middleware that writes a line for every response that begins, assets aside."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and look at what it sends."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and "/assets/" not in scope["path"]:
                await write(scope["app"].state, scope, message["status"])
            await send(message)

        await self.app(scope, receive, watched)


async def write(state: State, scope: Scope, status: int) -> None:
    """Add a line at the top of every tab's log, and take away the one that is too many."""
    number = state.lines[-1].number + 1 if state.lines else 1
    at, path = time.strftime("%H:%M:%S"), scope["path"][:100]
    state.lines.append(Line(number, at, scope["method"], path, status))
    changes = [
        oob(row(state.lines[-1])(cls="new"), "lines", "afterbegin"),
        oob(answered(state), "answered", "innerHTML"),
    ]
    if number > LINES:
        changes.append(oob(row(state.lines.popleft()), swap="delete"))
    await state.sse.publish(CHANNEL, *changes)


def answered(state: State) -> str:
    """Count the requests."""
    number = state.lines[-1].number if state.lines else 0
    return f"{number} request{'' if number == 1 else 's'} answered"


def row(line: Line) -> FT:
    """Make a line's row. FT escapes its path."""
    path = Code(line.path, title=line.path)
    status = Code(line.status, cls=f"status-{line.status // 100}")
    return Tr(Td(line.at), Td(line.method), Td(path), Td(status), id=f"line-{line.number}")
