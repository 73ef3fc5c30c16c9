"""Job: count the lines of Python's own library. Every tab sees how far it is, and may cancel it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from fasthtml.common import FT, APIRouter, Button, Div
from starlette.datastructures import State
from starlette.requests import Request

from ... import AlreadyRunning, ProgressBar

FILES = sorted(Path(os.__file__).parent.glob("*.py"))
# Counting takes no time at all. Waiting does, so that there is something to see.
PAUSE = 0.05
rt = APIRouter("/job")


def page(request: Request) -> tuple[FT, ...]:
    """Show the bar, and what starts the job: as it should be, and such that it fails."""
    start = Button("Start", hx_post=count.to(encoding="utf-8"), hx_swap="none", cls="primary")
    doomed = Button("Start, ASCII only", hx_post=count.to(encoding="ascii"), hx_swap="none")
    return ProgressBar("counting", "Lines of code", cancel=cancel), Div(start, doomed, cls="row")


def glance(request: Request) -> FT:
    """Show the bar."""
    return ProgressBar("counting", "Lines of code")


@rt.post
async def count(state: State, encoding: str) -> None:
    """Run the job, unless it runs already. If a file cannot be read, the bar says why."""
    lines = 0
    with suppress(AlreadyRunning, UnicodeDecodeError):
        async with state.sse.job("counting", reason=str) as job:
            async for file in job.each(FILES):
                await asyncio.sleep(PAUSE)
                lines += file.read_text("ascii" if encoding == "ascii" else "utf-8").count("\n")
                job.step(0, f"{lines:,} lines, up to {file.name}")


@rt.post
def cancel(state: State) -> None:
    """End the job, whoever has started it."""
    state.sse.job("counting").cancel()
