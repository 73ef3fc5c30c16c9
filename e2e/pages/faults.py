"""A list of numbers that outlives its server. The items have no ids, so a duplicate event would show twice."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from fasthtml.common import Li, Ol

from e2e.pages import page_app
from sse_components import SSE, setup_sse

# Seconds. A stream is dead after two and a half heartbeats of silence.
HEARTBEAT = 0.4


class Numbers:
    """The numbers that were added, in a database file."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")  # the data must survive the process, not the machine
        self._database.execute("CREATE TABLE IF NOT EXISTS numbers (room, number, PRIMARY KEY (room, number))")

    def add(self, room: str, number: int) -> bool:
        """Add a number, and return whether it is new."""
        added = self._database.execute("INSERT OR IGNORE INTO numbers VALUES (?, ?)", (room, number))
        return added.rowcount > 0

    def all(self, room: str) -> list[int]:
        rows = self._database.execute("SELECT number FROM numbers WHERE room = ? ORDER BY number", (room,))
        return [number for (number,) in rows]


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, heartbeat=HEARTBEAT)
    numbers = Numbers(Path(os.environ["E2E_FOLDER"]) / "numbers.db")

    @rt("/{room}")
    async def page(room: str) -> Any:
        return SSE(channels=room, swap="none", id="live"), Ol(*map(item, numbers.all(room)), id="items")

    @rt("/{room}/add", methods=["POST"])
    async def add(room: str, number: int) -> None:
        if numbers.add(room, number):
            await sse.publish(room, item(number), target="items", swap="beforeend")

    return app


def item(number: int) -> Any:
    """Return an item of two lines: if a reader split it there, the item would be empty."""
    return Li(f"\n{number}")
