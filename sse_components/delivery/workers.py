"""Finds out whether the server runs the application in several processes at once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..errors import SetupError
from .servers import waiting_frames

logger = logging.getLogger("sse_components")

# What servers call the object that has their options, in the frames of their running tasks.
HOLDERS = ("self", "server", "config", "cfg")


def count_workers() -> int:
    """Return the number of processes in which the server of the running event loop runs the application; 1 if unknown.

    uvicorn, hypercorn and gunicorn's workers have it in their options; granian in its command or environment only.
    """
    return max([1, *known_numbers(), *granian_numbers()])


def known_numbers() -> Iterator[int]:
    """Yield the numbers of workers in the options of the servers whose tasks wait in the running event loop."""
    for variables in waiting_frames():
        for holder in (variables[name] for name in HOLDERS if name in variables):
            for options in (holder, vars_of(holder).get("config"), vars_of(holder).get("cfg")):
                if type(options).__module__.partition(".")[0] in ("uvicorn", "hypercorn", "gunicorn"):
                    yield from whole(getattr(options, "workers", None))


def vars_of(thing: Any) -> dict[str, Any]:
    """Return the attributes of an object; none for an object without a dictionary."""
    found: dict[str, Any] = getattr(thing, "__dict__", {})
    return found


def granian_numbers() -> Iterator[int]:
    """Yield the number of workers in granian's command or environment, if this process is one of granian's."""
    if "granian.server" not in sys.modules and "granian._granian" not in sys.modules:
        return
    words = [part for word in sys.argv[1:] for part in word.split("=", 1)]
    yield from (int(value) for name, value in pairwise(words) if is_option(name, value))
    yield from (int(value) for value in [os.environ.get("GRANIAN_WORKERS", "")] if value.isdecimal())


def is_option(name: str, value: str) -> bool:
    """Tell whether two words of a command give the number of workers."""
    return name == "--workers" and value.isdecimal()


def whole(number: Any) -> Iterator[int]:
    """Yield a number, if it is a whole one."""
    if isinstance(number, int) and not isinstance(number, bool):
        yield number


def check_one_worker(*, strict: bool) -> None:
    """Log a warning if several processes run the application, and each has its log, and revocations, in its memory.

    Args:
        strict: whether that is an error.

    Raises:
        SetupError: if it is.
    """
    if (count := count_workers()) == 1:
        return
    text = (
        f"{count} workers, and each keeps its own log in memory: a page gets only what its worker publishes, and"
        " whoever is revoked stays on the others. Use one worker, or setup_sse(app, backend='sqlite:///live.db')"
    )
    if strict:
        raise SetupError(text)
    logger.warning(text)
