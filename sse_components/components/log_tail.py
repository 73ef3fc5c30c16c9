"""A log that grows in every tab: bounded, followed to its end, filtered by text and level."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
from collections import deque
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from fasthtml.common import FT, B, Bdi, Button, Details, Div, Input, Option, Output, Section, Select, Small, Summary

from ..errors import MarkupError, NotRunning
from ..manager import BroadcastManager
from ..protocol import LEVEL_ATTRIBUTE, LOG_TAIL_ATTRIBUTE
from .element import following
from .handles import Coalescer, Handle, check_id

# As `logging` has them, and in its order.
LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LINES = 500
# Characters of a line: so many are shown, so many more unfold, and the rest is left out.
SHOWN = 500
KEPT = 10_000
# Characters that one message carries, such that it stays far below what a message may have.
MESSAGE = 100_000
# Seconds between two messages of one log.
INTERVAL = 0.1
# Lines between two moments in which a task that does nothing but write lets others run.
BREATH = 50

LINE_END = re.compile(r"\r\n?|\n")
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")
# Other control characters are shown as their pictures.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


class LogLine(NamedTuple):
    """A line of a log.

    Attributes:
        text: what is kept of it.
        level: one of `LEVELS`.
        left_out: how many characters are not kept.
        batch: number of the message that brings it.
    """

    text: str
    level: str
    left_out: int = 0
    batch: int = 0


class Log(Handle):
    """The server side of a `LogTail`: remembers its latest lines, and sends new ones to every tab that shows it.

    Args:
        publisher: sends the lines.
        id: of the `LogTail`.
        channel: by default the id.
        max_lines: how many are remembered, and shown.
        interval: seconds within which lines are sent together. Of a burst, only what can still be seen is sent.

    Raises:
        MarkupError: for an id that selectors cannot name.
        ValueError: for a bound below 1.
    """

    CALLED = "a log"

    def __init__(
        self,
        publisher: BroadcastManager,
        id: str,
        *,
        channel: str | None = None,
        max_lines: int = MAX_LINES,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(publisher, id, channel=channel)
        self.max_lines, self._coalescer = check_max_lines(max_lines), Coalescer(publisher, self._send, interval)
        self._lines: deque[LogLine] = deque(maxlen=max_lines)
        self._lock = threading.Lock()
        # Batches are numbered in each process anew; the token keeps their ids apart.
        self._token, self._batch, self._sent = secrets.token_hex(3), 1, 0
        self._size = self._count = 0

    @property
    def lines(self) -> list[LogLine]:
        """The lines that are remembered, oldest first."""
        with self._lock:
            return list(self._lines)

    async def write(self, *lines: str, level: str = "info") -> None:
        """Append lines; each tab shows them within a moment. Thousands a second are fine.

        Args:
            lines: texts; each of its lines becomes one.
            level: of them all, one of `LEVELS`.

        Raises:
            MarkupError: for an unknown level.
            NotRunning: before the application's start-up and after its shutdown.
        """
        before = self._count // BREATH
        self.write_threadsafe(*lines, level=level)
        if self._count // BREATH > before:
            await asyncio.sleep(0)

    def write_threadsafe(self, *lines: str, level: str = "info") -> None:
        """Append lines from a sync handler, a thread or a job, as `write` does."""
        check_level(level)
        self._publisher.home.require()  # nothing is remembered if it cannot be sent
        self.remember((one for text in lines for one in LINE_END.split(str(text).removesuffix("\n"))), level)
        self.send_soon()

    def handler(self, level: int = logging.NOTSET) -> LogHandler:
        """Return a handler for `logging`: each record becomes one line, with its traceback.

        Args:
            level: records below it are left out.

        Example:
            `logging.getLogger().addHandler(sse.log('app').handler())`
        """
        return LogHandler(self, level)

    def remember(self, lines: Iterable[str], level: str) -> None:
        """Append lines without sending them: they come with the next that are sent, and with every page."""
        for line in lines:
            text = legible(line[:KEPT])
            with self._lock:
                self._count, self._size = self._count + 1, self._size + len(text)
                if self._size > MESSAGE:
                    self._batch, self._size = self._batch + 1, len(text)
                self._lines.append(LogLine(text, level, max(0, len(line) - KEPT), self._batch))

    def send_soon(self) -> None:
        """Send what is only remembered, too.

        Raises:
            NotRunning: before the application's start-up and after its shutdown.
        """
        self._coalescer.request()

    async def _send(self) -> None:
        with self._lock:
            new = [line for line in self._lines if line.batch > self._sent]
            self._sent, self._batch, self._size = self._batch, self._batch + 1, 0
        for batch in self.batches(new):
            await self._publisher.publish(self.channel, batch, target=region_id(self.id), swap="beforeend")

    def batches(self, lines: Iterable[LogLine]) -> list[FT]:
        """Return lines as the elements that messages bring; one takes the place of the same one, shown in part."""
        return [
            Div(*map(line_element, batch), id=f"{self.id}-{self._token}-{number}")
            for number, batch in groupby(lines, key=lambda line: line.batch)
        ]


class LogHandler(logging.Handler):
    """Writes the records of `logging` to a log, from any thread; before start-up they are only remembered."""

    def __init__(self, log: Log, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.log.remember([self.format(record)], level_of(record.levelno))
            self.log.send_soon()
        except NotRunning:
            pass  # pages that are made later show it
        except Exception:
            self.handleError(record)


def LogTail(
    *lines: Any,
    id: str | None = None,
    channel: str | None = None,
    max_lines: int | None = None,
    filter: bool = True,
    label: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a log that grows by itself. It keeps to its end, unless the reader has scrolled up.

    A line over 500 characters unfolds; what is over 10,000 is left out, and the line says so.

    Args:
        lines: a log of the server's (`sse.log('build')`), which brings id, channel, bound and its latest lines; or
            texts, pairs of a text and a level, and FT.
        id: its id; needed without a log.
        channel: by default the id.
        max_lines: lines that a page keeps, 500 by default; the oldest give way.
        filter: whether the reader can filter by text and level.
        label: what it is called for those who do not see it; by default the id.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        MarkupError: without a usable id, or for an unknown level.
        ValueError: for a bound below 1.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LogTail(sse.log('build'))`
    """
    if lines and isinstance(lines[0], Log):
        log, *more = lines
        id, channel, max_lines = log.id, log.channel, min(max_lines or log.max_lines, log.max_lines)
        lines = (*log.batches(log.lines[-max_lines:]), *more)
    id, bound = check_id(id, "LogTail"), check_max_lines(max_lines or MAX_LINES)
    named = {"aria_label": label or id}
    region = Div(*map(shown_line, lines), id=region_id(id), cls="sse-log-lines", role="log", tabindex="0", **named)
    attributes = {**following(channel or id), LOG_TAIL_ATTRIBUTE: bound, **named, **kwargs}
    parts = [filter_fields(id) if filter else None, region, Button(type="button", cls="sse-log-new", hidden=True)]
    return Section(*parts, id=id, cls=f"sse-log-tail {cls}".strip(), **attributes)


def filter_fields(id: str) -> FT:
    """Return the fields by which the reader filters."""
    levels = [Option("all levels", value=""), *(Option(f"{level} and above", value=level) for level in LEVELS[1:-1])]
    levels.append(Option("critical only", value="critical"))
    about = {"aria_controls": region_id(id), "autocomplete": "off"}
    return Div(
        Input(type="search", placeholder="Filter", aria_label="Filter lines by text", spellcheck="false", **about),
        Select(*levels, aria_label="Filter lines by level", **about),
        Output(),
        cls="sse-log-filter",
    )


def shown_line(line: Any) -> Any:
    """Return the element of a text, of a pair of text and level, or what is an element already."""
    if isinstance(line, str) and not hasattr(line, "__html__"):
        line = (line, "info")
    if not isinstance(line, tuple):
        return line
    text, level = line
    return line_element(LogLine(legible(text[:KEPT]), check_level(level), max(0, len(text) - KEPT)))


def line_element(line: LogLine) -> FT:
    """Return a line as an element. Its level is a word; its text is kept apart from what it is next to (`bdi`)."""
    level, attributes = B(line.level), {"cls": "sse-log-line", LEVEL_ATTRIBUTE: line.level}
    if len(line.text) <= SHOWN:
        return Div(level, Bdi(line.text), **attributes)
    shown, rest = line.text[:SHOWN], line.text[SHOWN:]
    more = Small(f"… {len(rest) + line.left_out:,} more characters")
    end = Small(f"… {line.left_out:,} more characters are left out") if line.left_out else None
    return Details(Summary(level, Bdi(shown), more), Bdi(rest), end, **attributes)


def legible(text: str) -> str:
    """Return text without terminal colours, with what cannot be seen or sent as something that can."""
    return COLOURS.sub("", text).translate(PICTURES).encode(errors="replace").decode()


def region_id(id: str) -> str:
    """Return the id of the element that holds the lines."""
    return f"{id}-lines"


def level_of(number: int) -> str:
    """Return the level of a number of `logging`: the highest that it reaches."""
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def check_level(level: str) -> str:
    """Return a level, else raise `MarkupError`."""
    if level not in LEVELS:
        raise MarkupError(f"unknown level {level!r}; allowed are: {', '.join(LEVELS)}")
    return level


def check_max_lines(max_lines: int) -> int:
    """Return a bound, else raise `ValueError`."""
    if max_lines < 1:
        raise ValueError(f"max_lines must be at least 1, not {max_lines!r}")
    return max_lines
