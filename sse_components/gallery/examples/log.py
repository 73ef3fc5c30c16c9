"""Log: the records that this gallery sends to Python's logging, with levels and a filter."""

from __future__ import annotations

import asyncio
import logging

from fasthtml.common import FT, APIRouter, Button, Div, Form, Input, Label, Option, Select
from starlette.datastructures import State
from starlette.requests import Request

from ... import LogTail

LEVELS = ("debug", "info", "warning", "error")
logger = logging.getLogger("gallery")
logger.setLevel(logging.DEBUG)
logger.propagate = False
rt = APIRouter("/log")


def page(request: Request) -> tuple[FT, ...]:
    """Show the log, and controls that write to it."""
    text = Input(id="line", required=True, maxlength=500, autocomplete="off")
    level = Select(*map(Option, LEVELS), id="level", aria_label="Level")
    form = Form(Label("Write a line", fr="line"), text, level, Button("Write"), hx_post=write, hx_swap="none")
    error = Button("Divide by zero", hx_post=divide, hx_swap="none")
    many = Button("A thousand lines", hx_post=burst, hx_swap="none")
    return LogTail("log", label="The gallery's log"), form, Div(error, many, cls="row")


def glance(request: Request) -> FT:
    """Show the log without its filter."""
    return LogTail("log", filter=False, max_lines=20, label="The gallery's log")


async def run(state: State) -> None:
    """Publish log records while the gallery runs."""
    handler = state.sse.log("log", max_lines=300).handler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    try:
        await asyncio.Event().wait()
    finally:
        logger.removeHandler(handler)


@rt.post
def write(line: str, level: str = "info") -> None:
    """Log the line that the form sends."""
    logger.log(logging.getLevelNamesMapping().get(level.upper(), logging.INFO), "%s", line[:500])


@rt.post
def divide() -> None:
    """Log an error with its traceback."""
    try:
        1 / 0  # noqa: B018 - the error is the point
    except ZeroDivisionError:
        logger.exception("as expected")


@rt.post
def burst() -> None:
    """Log more lines at once than a page can show. Pages get only the last ones."""
    for number in range(1_000):
        logger.debug("line %d of 1000", number + 1)
