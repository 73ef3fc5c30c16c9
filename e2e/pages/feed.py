"""A log and a sparkline, each with a separate room."""

from __future__ import annotations

import logging
from typing import Any

from fasthtml.common import H1, Titled

from e2e.pages import page_app
from sse_components import Kit, LogTail, Sparkline, setup_sse

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</textarea></div></template><b>bold</b>",
    "‮right to left‬ שלום",
    "\x1b[31mred\x1b[0m, a bell \x07 and a NUL \x00",
]


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"})
    sse = setup_sse(app)

    def log_of(room: str) -> Any:
        return sse.log(room, max_lines=100)

    @rt("/{room}/log")
    def show_log(room: str) -> Any:
        return H1("Log"), LogTail(log_of(room), label="Build", lang="en")

    @rt("/{room}/log/write", methods=["POST"])
    def write(room: str, count: int, level: str, text: str) -> None:
        first = len(log_of(room).lines)
        for number in range(first, first + count):
            log_of(room).write(f"{text} {number}", level=level)

    @rt("/{room}/log/hostile", methods=["POST"])
    def write_hostile(room: str) -> None:
        log_of(room).write(*HOSTILE, "x" * 1_000_000, level="error")

    @rt("/{room}/log/record", methods=["POST"])
    def record(room: str) -> None:
        """Log from a thread of the pool, as sync handlers do."""
        logger = logging.getLogger(f"e2e.{room}")
        logger.propagate = False
        logger.addHandler(log_of(room).handler())
        try:
            raise ValueError("<b>no</b>")
        except ValueError:
            logger.exception("it failed")

    add_sparkline(rt, sse)
    return app


def add_sparkline(rt: Any, sse: Kit) -> None:
    def spark_of(room: str) -> Any:
        return sse.sparkline(room, label="Load <b>", length=5, unit=" %")

    @rt("/{room}/spark")
    def show_spark(room: str) -> Any:
        return Titled("Spark", Sparkline(spark_of(room)))

    @rt("/{room}/spark/push", methods=["POST"])
    def push(room: str, values: str) -> None:
        spark_of(room).push(*[float(value) for value in values.split()])
