"""Job: count the lines of Python's standard library. Every tab shows the progress, and can cancel it."""

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
# Seconds per file. Without a pause, the job would end before anybody sees it.
PAUSE = 0.05
rt = APIRouter("/job")


def page(request: Request) -> tuple[FT, ...]:
    """Show the bar, and two buttons that start the job: one that succeeds, and one that fails."""
    start = Button("Start", hx_post=count.to(encoding="utf-8"), hx_swap="none", cls="primary")
    failing = Button("Start, ASCII only", hx_post=count.to(encoding="ascii"), hx_swap="none")
    return ProgressBar("counting", "Lines of code", cancel=cancel), Div(start, failing, cls="row")


def glance(request: Request) -> FT:
    """Show the bar."""
    return ProgressBar("counting", "Lines of code")


@rt.post
async def count(state: State, encoding: str) -> None:
    """Run the job, unless it is running. If a file cannot be read, the bar shows the reason."""
    lines = 0
    with suppress(AlreadyRunning, UnicodeDecodeError):
        async with state.sse.job("counting", reason=str) as job:
            async for file in job.each(FILES):
                await asyncio.sleep(PAUSE)
                lines += file.read_text("ascii" if encoding == "ascii" else "utf-8").count("\n")
                job.step(0, f"{lines:,} lines, up to {file.name}")


@rt.post
def cancel(state: State) -> None:
    """Cancel the job. Any tab may do so."""
    state.sse.job("counting").cancel()
