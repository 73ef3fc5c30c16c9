"""This machine: its processor and memory usage, once a second while somebody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil
from fasthtml.common import FT, Figcaption, Figure, Strong
from starlette.datastructures import State
from starlette.requests import Request

from ... import LiveText, Sparkline

SECONDS = 60
GAUGES: dict[str, tuple[str, Callable[[], float]]] = {
    "processor": (f"{psutil.cpu_count()} processors", psutil.cpu_percent),
    "memory": (f"{psutil.virtual_memory().total / 2**30:.1f} GiB of memory", lambda: psutil.virtual_memory().percent),
}


def setup(state: State) -> None:
    """Create the sparklines. From here on, their ids are enough."""
    for id, (name, measure) in GAUGES.items():
        line = state.sse.sparkline(id, label=name, length=SECONDS, unit=" %", low=0, high=100, latest=False)
        line.values.append(measure())


def page(request: Request) -> tuple[FT, ...]:
    """Show all gauges."""
    return tuple(gauge(request.app.state, id) for id in GAUGES)


def glance(request: Request) -> FT:
    """Show the processor gauge."""
    return gauge(request.app.state, "processor")


def gauge(state: State, id: str) -> FT:
    """Show the latest value, announced to screen readers at most every 30 seconds, and a line of the last minute."""
    name, line = GAUGES[id][0], state.sse.sparkline(id)
    now = LiveText(percent(line.values[-1]), id=f"{id}-now", label=name, announced=30)
    return Figure(Figcaption(name, Strong(now)), Sparkline(line), cls="gauge")


async def run(state: State) -> None:
    """Measure and publish once a second while somebody watches."""
    while True:
        await asyncio.sleep(1)
        if state.sse.get_connection_count(channel="processor"):
            for id, (_, measure) in GAUGES.items():
                value = measure()
                state.sse.sparkline(id).push(value)
                state.sse.text(f"{id}-now").set(percent(value))


def percent(value: float) -> str:
    """Format a value as a percentage."""
    return f"{value:.0f} %"
