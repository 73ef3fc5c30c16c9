"""Leases: what nobody renews in time expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .checks import check_positive


class Leases:
    """Knows who has renewed a lease in time. Renewing is cheap, and all leases share one timer.

    Args:
        seconds: for which a lease lasts.
        on_expiry: called in the event loop with the name of each lease that nobody has renewed.

    Raises:
        ValueError: for a time that is not above 0.
    """

    def __init__(self, seconds: float, on_expiry: Callable[[str], None]) -> None:
        check_positive(seconds=seconds)
        self.seconds, self._on_expiry = seconds, on_expiry
        self._ends: dict[str, float] = {}  # the first to expire is the first
        self._timer: asyncio.TimerHandle | None = None

    def renew(self, name: str) -> None:
        """Let a lease last from now on. It begins with the first call."""
        loop = asyncio.get_running_loop()
        self._ends.pop(name, None)
        self._ends[name] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._expire)

    def release(self, name: str) -> None:
        """End a lease without further notice. One that is not known is no error."""
        self._ends.pop(name, None)

    def close(self) -> None:
        """End all leases without further notice."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends and (first := next(iter(self._ends))) and self._ends[first] <= loop.time():
            del self._ends[first]
            self._on_expiry(first)
        if self._ends:
            self._timer = loop.call_at(next(iter(self._ends.values())), self._expire)
