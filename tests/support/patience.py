"""How long tests wait for what is to come: one place for all of them.

A test waits for a state, and goes on as soon as it is there. So patience costs nothing where all is well; only what
never comes takes as long as this. It is measured at the first import: a machine that is slow, or busy now, gets more.
The environment variable `SSE_TEST_PATIENCE` sets the factor instead, such as `SSE_TEST_PATIENCE=5`; processes that
tests start, and workers of xdist, have it from there.
"""

from __future__ import annotations

import os
import time
from statistics import median

import pytest

VARIABLE = "SSE_TEST_PATIENCE"
# Seconds that the work below takes on a machine with nothing else to do, for which the tests' seconds are meant.
REFERENCE = 0.01
LEAST, MOST = 1.0, 10.0


def measured() -> float:
    """Return how many times slower than the reference this machine is now."""
    slower = median(seconds_of_work() for _ in range(9)) / REFERENCE
    return min(max(slower, crowd(), LEAST), MOST)


def seconds_of_work() -> float:
    begin = time.perf_counter()
    sum(number * number for number in range(200_000))
    return time.perf_counter() - begin


def crowd() -> float:
    """Return how many tasks share a processor: the work above may have met a moment of rest."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return max(1.0, load / (os.cpu_count() or 1))


FACTOR = float(os.environ.setdefault(VARIABLE, f"{measured():.1f}"))


def patient(seconds: float) -> float:
    """Return how many seconds to wait here for what takes at most `seconds` on a machine that is fast and idle."""
    return seconds * FACTOR


def give_time(items: list[pytest.Item], seconds: float) -> None:
    """Let each test take `seconds`, or what its own mark says, before it counts as hanging: patiently."""
    for item in items:
        mark = item.get_closest_marker("timeout")
        own = mark.args[0] if mark and mark.args else seconds
        item.add_marker(pytest.mark.timeout(patient(own)), append=False)
