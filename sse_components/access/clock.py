"""The clock by which grants expire: setting the system's clock does not move it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]

_BEGAN = time.time() - time.monotonic()


def steady() -> float:
    """Return seconds since the epoch, as the system's clock had them when the process began, plus those since then."""
    return _BEGAN + time.monotonic()
