"""Access log: what this gallery is asked for, line by line as it answers."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import NamedTuple

from fasthtml.common import FT, Code, P, Table, Td, Th, Thead, Tr
from starlette.datastructures import State
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ... import LiveList, LiveText

LINES = 16
logger = logging.getLogger("gallery")


class Line(NamedTuple):
    """An answered request. Its query is left out: that of a stream may hold a grant."""

    number: int
    at: str
    method: str
    path: str
    status: int


def setup(state: State) -> None:
    """Begin without a line."""
    state.lines = deque(maxlen=LINES)


def page(request: Request) -> tuple[FT, ...]:
    """Show the latest lines, the newest first."""
    return glance(request)


def glance(request: Request) -> tuple[FT, ...]:
    """Show how many lines there were, and the latest; each page takes away what is too many by itself."""
    lines = request.app.state.lines
    head = Thead(Tr(*map(Th, ("Time", "Method", "Path", "Status"))))
    rows = LiveList(*map(row, reversed(lines)), id="lines", tag="tbody", max_length=LINES)
    return P(LiveText(answered(lines), id="answered", announced=30)), Table(head, rows)


class AccessLog:
    """ASGI middleware that writes a line for every response that begins, assets aside."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and look at what it sends."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and "/assets/" not in scope["path"]:
                write(scope["app"].state, scope, message["status"])
            await send(message)

        await self.app(scope, receive, watched)


def write(state: State, scope: Scope, status: int) -> None:
    """Add a line at the top of every tab's log, and one to what the program itself logs."""
    number = state.lines[-1].number + 1 if state.lines else 1
    line = Line(number, time.strftime("%H:%M:%S"), scope["method"], scope["path"][:100], status)
    state.lines.append(line)
    state.sse.list("lines").prepend(row(line)(cls="new"))
    state.sse.text("answered").set(answered(state.lines))
    if not line.path.startswith("/sse/"):
        logger.log(logging.WARNING if status >= 400 else logging.INFO, "%d %s %s", status, line.method, line.path)


def answered(lines: deque[Line]) -> str:
    """Count the requests."""
    number = lines[-1].number if lines else 0
    return f"{number} request{'' if number == 1 else 's'} answered"


def row(line: Line) -> FT:
    """Make a line's row. FT escapes its path."""
    path = Code(line.path, title=line.path)
    status = Code(line.status, cls=f"status-{line.status // 100}")
    return Tr(Td(line.at), Td(line.method), Td(path), Td(status), id=f"line-{line.number}")
