"""Access log: every request to this gallery, as it is answered."""

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
    """An answered request, without its query string: the query of a stream contains grants."""

    number: int
    at: str
    method: str
    path: str
    status: int


def setup(state: State) -> None:
    """Start with an empty log."""
    state.lines = deque(maxlen=LINES)


def page(request: Request) -> tuple[FT, ...]:
    """Show the latest lines, the newest first."""
    return glance(request)


def glance(request: Request) -> tuple[FT, ...]:
    """Show the number of requests, and the latest. Each page removes its oldest rows by itself."""
    lines = request.app.state.lines
    head = Thead(Tr(*map(Th, ("Time", "Method", "Path", "Status"))))
    rows = LiveList(*map(row, reversed(lines)), id="lines", tag="tbody", max_length=LINES)
    return P(LiveText(count_text(lines), id="answered", announced=30)), Table(head, rows)


class AccessLog:
    """ASGI middleware that logs every response except those for assets."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and log the start of its response."""

        async def send_and_log(message: Message) -> None:
            if message["type"] == "http.response.start" and "/assets/" not in scope["path"]:
                write(scope["app"].state, scope, message["status"])
            await send(message)

        await self.app(scope, receive, send_and_log)


def write(state: State, scope: Scope, status: int) -> None:
    """Add a line at the top of the log in every tab, and to the program's own log."""
    number = state.lines[-1].number + 1 if state.lines else 1
    line = Line(number, time.strftime("%H:%M:%S"), scope["method"], scope["path"][:100], status)
    state.lines.append(line)
    state.sse.list("lines").prepend(row(line)(cls="new"))
    state.sse.text("answered").set(count_text(state.lines))
    if not line.path.startswith("/sse/"):
        logger.log(logging.WARNING if status >= 400 else logging.INFO, "%d %s %s", status, line.method, line.path)


def count_text(lines: deque[Line]) -> str:
    """Return the number of requests as text."""
    number = lines[-1].number if lines else 0
    return f"{number} request{'' if number == 1 else 's'} answered"


def row(line: Line) -> FT:
    """Return the row of a line. FT escapes the path."""
    path = Code(line.path, title=line.path)
    status = Code(line.status, cls=f"status-{line.status // 100}")
    return Tr(Td(line.at), Td(line.method), Td(path), Td(status), id=f"line-{line.number}")
