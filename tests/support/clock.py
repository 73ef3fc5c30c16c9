"""A clock that tests control."""

from __future__ import annotations


class Clock:
    """A callable clock that moves only when a test sets `now` (seconds)."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
