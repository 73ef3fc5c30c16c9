"""How long tests wait: one place for all of them.

A test waits for a state, and continues as soon as the state is there. So patience costs nothing when a test passes.
The factor is measured at the first import: a slow or busy machine gets a larger one. The environment variable
`SSE_TEST_PATIENCE` sets it instead, such as `SSE_TEST_PATIENCE=5`. Processes that tests start, and the workers of
xdist, inherit it.
"""

from __future__ import annotations

import os
import time
from statistics import median

import pytest

VARIABLE = "SSE_TEST_PATIENCE"
# Seconds that the work below takes on the machine for which the tests' seconds are meant.
REFERENCE = 0.01
MIN_FACTOR, MAX_FACTOR = 1.0, 10.0
# Seconds for one test at most, below `faulthandler_timeout` in pyproject.toml.
MAX_TEST_SECONDS = 600.0


def measure() -> float:
    """Return how many times slower than the reference this machine is now."""
    slower = median(seconds_of_work() for _ in range(9)) / REFERENCE
    return min(max(slower, tasks_per_processor(), MIN_FACTOR), MAX_FACTOR)


def seconds_of_work() -> float:
    begin = time.perf_counter()
    sum(number * number for number in range(200_000))
    return time.perf_counter() - begin


def tasks_per_processor() -> float:
    """Return how many tasks share a processor, because the measurement may have run in a quiet moment."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return max(1.0, load / (os.cpu_count() or 1))


FACTOR = float(os.environ.setdefault(VARIABLE, f"{measure():.1f}"))


def patient(seconds: float) -> float:
    """Scale a time-out: return the seconds to wait here for something that takes `seconds` on a fast, idle machine."""
    return seconds * FACTOR


def give_time(items: list[pytest.Item], seconds: float) -> None:
    """Scale the time-out of each test: `seconds`, or those of the test's `timeout` mark."""
    for item in items:
        mark = item.get_closest_marker("timeout")
        timeout = mark.args[0] if mark and mark.args else seconds
        item.add_marker(pytest.mark.timeout(min(patient(timeout), MAX_TEST_SECONDS)), append=False)
