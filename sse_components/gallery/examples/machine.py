"""This machine: its processors and its memory, once a second while somebody watches."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

import psutil
from fasthtml.common import FT, Figcaption, Figure, Meter, Strong
from fasthtml.svg import Polyline, Svg
from starlette.datastructures import State

from sse_components import SSE

CHANNEL = "machine"
SECONDS = 60


class Sample(NamedTuple):
    """What is measured, in percent."""

    processor: float
    memory: float


def page(state: State) -> tuple[FT, ...]:
    """Show both gauges; each message replaces them by their ids."""
    return SSE(channels=CHANNEL), *gauges(state.samples)


def glance(state: State) -> FT:
    """Show the processors' gauge."""
    return gauges(state.samples)[0]


async def run(state: State) -> None:
    """Measure and publish once a second, as long as somebody watches."""
    while True:
        await asyncio.sleep(1)
        if state.sse.get_connection_count(channel=CHANNEL):
            state.samples.append(measure())
            await state.sse.publish(CHANNEL, *gauges(state.samples), swap="outerHTML")


def measure() -> Sample:
    """Return the load since the last call, and the memory that is taken now."""
    return Sample(psutil.cpu_percent(), psutil.virtual_memory().percent)


def first_samples() -> deque[Sample]:
    """Begin the row of samples; it keeps the last minute."""
    return deque([measure()], maxlen=SECONDS)


def gauges(samples: deque[Sample]) -> tuple[FT, FT]:
    """Make a gauge for each figure."""
    size = psutil.virtual_memory().total / 2**30
    return (
        gauge("processor", f"{psutil.cpu_count()} processors", [s.processor for s in samples]),
        gauge("memory", f"{size:.1f} GiB of memory", [s.memory for s in samples]),
    )


def gauge(id: str, name: str, percents: list[float]) -> FT:
    """Show the latest value as text and as a bar, and the last minute as a line."""
    now = f"{percents[-1]:.0f} %"
    bar = Meter(value=percents[-1], max=100, aria_label=f"{name}: {now}")
    return Figure(Figcaption(name, Strong(now)), bar, sparkline(percents), id=id, cls="gauge")


def sparkline(percents: list[float]) -> FT:
    """Draw a line with the latest value at the right, and say what it shows."""
    points = [f"{x},{100 - y:.0f}" for x, y in enumerate(percents, 1 - len(percents))]
    shown = f"{min(percents):.0f} to {max(percents):.0f} % in {len(percents)} seconds"
    box = {"viewBox": f"{1 - SECONDS} 0 {SECONDS - 1} 100", "preserveAspectRatio": "none"}
    return Svg(Polyline(points=" ".join(points)), **box, role="img", aria_label=shown)
