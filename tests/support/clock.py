"""Time that passes when a test says so."""

from __future__ import annotations


class Clock:
    """A clock that stands still. `now` is what it shows, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
