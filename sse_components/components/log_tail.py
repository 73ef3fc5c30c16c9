"""`LogTail`: a log that grows in every tab. It is bounded, stays at its end, and is filtered by text and level."""

from __future__ import annotations

import logging
import re
import secrets
from collections import deque
from collections.abc import Iterable
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from fasthtml.common import FT, B, Bdi, Button, Details, Div, Input, Option, Output, Section, Select, Small, Summary

from ..access.identity import as_set
from ..checks import check_whole
from ..errors import MarkupError, NotRunning
from ..forks import Guard, tell_after_fork
from ..manager import BroadcastManager
from ..protocol import LEVEL_ATTRIBUTE, LOG_TAIL_ATTRIBUTE
from ..publication import Publication
from .element import following
from .handle import Exclude, Handle
from .handle_registry import address, bind, kit_of_page
from .throttle import Throttle

# The levels of `logging`, from the lowest to the highest.
LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LINES = 500
# Characters of a line: so many are shown, so many are kept to unfold, and the rest is left out.
SHOWN = 500
KEPT = 10_000
# Characters in one message: far fewer than a message may have.
MESSAGE = 100_000
# Seconds between two messages of one log.
INTERVAL = 0.1

LINE_END = re.compile(r"\r\n?|\n")
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")
# The Unicode symbols of all other control characters.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


class LogLine(NamedTuple):
    """A line of a log.

    Attributes:
        text: the part of it that is kept.
        level: one of `LEVELS`.
        left_out: the number of characters that are not kept.
        batch: the number of the message that brings it.
    """

    text: str
    level: str
    left_out: int = 0
    batch: int = 0


class Log(Handle):
    """The server side of a `LogTail`. `sse.log(id)` returns it.

    It holds the latest lines, and sends new ones to every tab that shows it. It is kept until `sse.forget(handle)`.

    Attributes:
        id: the id of the `LogTail`.
        channel: the channel that the `LogTail` follows.

    Args:
        manager: publishes the lines.
        id: the id of the `LogTail`.
        channel: the channel that it follows; by default the id.
        max_lines: the number of lines that it holds and shows.
        interval: seconds between two messages, at least. Of many lines, only those that can still be seen are sent.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ValueError: for a `max_lines` below 1, or an interval that is not above 0.

    Example:
        `sse.log('build').write('compiled')`
    """

    KIND = "a log"
    HOLDS_DATA = True

    def __init__(
        self,
        manager: BroadcastManager,
        id: str,
        *,
        channel: str | None = None,
        max_lines: int = MAX_LINES,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(manager, id, channel=channel)
        self._throttle = Throttle(manager, self._send, interval, leading=False, what=self.described)
        self._lines: deque[LogLine] = deque()
        self._lock = Guard()
        self.max_lines = max_lines
        self._batch, self._sent, self._size = 1, 0, 0
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Name batches in another way than the parent process."""
        self.__dict__.pop("_token", None)

    @cached_property
    def _token(self) -> str:
        # Each process counts batches from 1; the token makes their ids unique. Threads that ask at once get the same.
        return str(self.__dict__.setdefault("_token", secrets.token_hex(3)))

    @property
    def max_lines(self) -> int:
        """The number of lines that it holds and shows."""
        return self._lines.maxlen or 0

    @max_lines.setter
    def max_lines(self, max_lines: int) -> None:
        check_whole(max_lines=max_lines)
        with self._lock:
            self._lines = deque(self._lines, maxlen=max_lines)

    @property
    def interval(self) -> float:
        """The seconds between two messages, at least."""
        return self._throttle.interval

    @interval.setter
    def interval(self, interval: float) -> None:
        self._throttle.interval = interval

    @property
    def lines(self) -> list[LogLine]:
        """The lines that it holds, oldest first."""
        with self._lock:
            return list(self._lines)

    def write(self, *lines: str, level: str = "info", exclude: Exclude = None) -> Publication:
        """Append lines. Each tab shows them within a moment; thousands a second are fine.

        It may be called anywhere, with or without `await`, as `publish`. It does not wait for `after_commit`.

        Args:
            lines: texts. Each line of a text becomes a line of the log.
            level: the level of all of them, one of `LEVELS`.
            exclude: tabs (`this_tab()`) and connections that do not get them, unless they are sent with others.

        Returns:
            A `Publication` that is done, with an empty id: the lines are sent with those that follow.

        Raises:
            MarkupError: for an unknown level.
            NotRunning: after shutdown, or before start-up outside of an event loop.

        Example:
            `sse.log('build').write('compiled', level='info')`
        """
        check_level(level)
        self._manager.home.check()  # a line that cannot be sent is not kept either
        self.remember((line for text in lines for line in LINE_END.split(str(text).removesuffix("\n"))), level)
        return self._throttle.request(as_set(exclude))

    def handler(self, level: int = logging.NOTSET) -> LogHandler:
        """Return a handler for `logging`. Each record becomes one line, with its traceback.

        Args:
            level: the lowest level that it writes.

        Example:
            `logging.getLogger().addHandler(sse.log('app').handler())`
        """
        return LogHandler(self, level)

    def remember(self, lines: Iterable[str], level: str) -> None:
        """Append lines without sending them. Pages show them when they are rendered, or with the next message.

        Args:
            lines: texts without line ends.
            level: the level of all of them, one of `LEVELS`.
        """
        for line in lines:
            text = legible(line[:KEPT])
            with self._lock:
                self._size += len(text)
                if self._size > MESSAGE:
                    self._batch, self._size = self._batch + 1, len(text)
                self._lines.append(LogLine(text, level, max(0, len(line) - KEPT), self._batch))

    def send_remembered(self) -> None:
        """Send the lines that were not sent yet, if the application runs."""
        if self._manager.running:
            self._throttle.request()

    def _send(self, exclude: frozenset[str]) -> Publication:
        with self._lock:
            new = [line for line in self._lines if line.batch > self._sent]
            self._sent, self._batch, self._size = self._batch, self._batch + 1, 0
        publication = Publication.of("")
        for batch in self.batches(new):
            target = region_id(self.id)
            publication = self._publish_out_of_band(batch, target=target, swap="beforeend", exclude=exclude)
        return publication

    def batches(self, lines: Iterable[LogLine]) -> list[FT]:
        """Return lines as the elements that messages bring.

        An element replaces the one with the same id, with which a page was rendered while the batch was not complete.

        Args:
            lines: lines of this log, in order.
        """
        return [
            Div(*map(line_element, batch), id=f"{self.id}-{self._token}-{number}")
            for number, batch in groupby(lines, key=lambda line: line.batch)
        ]


class LogHandler(logging.Handler):
    """Writes the records of `logging` to a log, from any thread. Before start-up they are remembered, but not sent.

    Args:
        log: the log.
        level: the lowest level that it writes.
    """

    def __init__(self, log: Log, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.log.remember([self.format(record)], level_of(record.levelno))
            self.log.send_remembered()
        except NotRunning:
            pass  # the application stops at this moment
        except Exception:
            self.handleError(record)


def LogTail(
    *lines: Any,
    id: Log | str | None = None,
    channel: str | None = None,
    max_lines: int | None = None,
    filter: bool = True,
    label: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a log that grows by itself. It stays at its end, unless the reader has scrolled up.

    A line of more than 500 characters unfolds. Characters after the first 10,000 are left out, and the line shows that.

    Args:
        lines: the handle (`sse.log('build')`) or its id, whose latest lines it shows; with `id`, texts, pairs of a text
            and a level, and FT.
        id: its id, or its handle, if `lines` are lines.
        channel: the channel that it follows; by default the handle's, which is the id by default.
        max_lines: the number of lines that a page keeps, 500 by default, and no more than the handle holds. The oldest
            are removed.
        filter: whether the reader can filter by text and level.
        label: its name for screen readers; by default the id.
        cls: classes beside `sse-log-tail`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a missing id, an id that a selector cannot name, or an unknown level.
        HandleError: for another channel than the handle's.
        ValueError: for a `max_lines` below 1.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LogTail(sse.log('build'))`
    """
    if max_lines is not None:
        check_whole(max_lines=max_lines)
    handle, lines = split_handle(lines, id)
    if handle is not None:
        id = bind(Log, handle, also=id)
        max_lines = min(max_lines or id.max_lines, id.max_lines)
        lines = (*id.batches(id.lines[-max_lines:]), *lines)
    id, channel = address(Log, id, channel, "LogTail")
    names = {"aria_label": label or id}
    region = Div(*map(as_element, lines), id=region_id(id), cls="sse-log-lines", role="log", tabindex="0", **names)
    attributes = {**following(channel), LOG_TAIL_ATTRIBUTE: max_lines or MAX_LINES, **names, **kwargs}
    parts = [filter_fields(id) if filter else None, region, Button(type="button", cls="sse-log-new", hidden=True)]
    return Section(*parts, id=id, cls=f"sse-log-tail {cls}".strip(), **attributes)


def split_handle(lines: tuple[Any, ...], id: Log | str | None) -> tuple[Log | str | None, tuple[Any, ...]]:
    """Return the handle that a log tail shows, or its id, and the lines behind; None if it shows these lines only."""
    if lines and (isinstance(lines[0], Log) or (id is None and isinstance(lines[0], str))):
        return lines[0], lines[1:]
    if not lines and (isinstance(id, Log) or (id is not None and kit_of_page() is not None)):
        return id, ()
    return None, lines


def filter_fields(id: str) -> FT:
    """Return the fields with which the reader filters."""
    levels = [Option("all levels", value=""), *(Option(f"{level} and above", value=level) for level in LEVELS[1:-1])]
    levels.append(Option("critical only", value="critical"))
    about = {"aria_controls": region_id(id), "autocomplete": "off"}
    return Div(
        Input(type="search", placeholder="Filter", aria_label="Filter lines by text", spellcheck="false", **about),
        Select(*levels, aria_label="Filter lines by level", **about),
        Output(),
        cls="sse-log-filter",
    )


def as_element(line: Any) -> Any:
    """Return a text, or a pair of a text and a level, as an element, and an element as it is."""
    if isinstance(line, str) and not hasattr(line, "__html__"):
        line = (line, "info")
    if not isinstance(line, tuple):
        return line
    text, level = line
    return line_element(LogLine(legible(text[:KEPT]), check_level(level), max(0, len(text) - KEPT)))


def line_element(line: LogLine) -> FT:
    """Return a line as an element.

    Its level is a word, for those who cannot see its colour. Its text may be written from right to left (`bdi`).
    """
    level, attributes = B(line.level), {"cls": "sse-log-line", LEVEL_ATTRIBUTE: line.level}
    if len(line.text) <= SHOWN:
        return Div(level, Bdi(line.text), **attributes)
    shown, rest = line.text[:SHOWN], line.text[SHOWN:]
    more = Small(f"… {len(rest) + line.left_out:,} more characters")
    end = Small(f"… {line.left_out:,} more characters are left out") if line.left_out else None
    return Details(Summary(level, Bdi(shown), more), Bdi(rest), end, **attributes)


def legible(text: str) -> str:
    """Return text without terminal colours, with symbols for control characters, and `?` for what UTF-8 lacks."""
    return COLOURS.sub("", text).translate(PICTURES).encode(errors="replace").decode()


def region_id(id: str) -> str:
    """Return the id of the element that holds the lines."""
    return f"{id}-lines"


def level_of(number: int) -> str:
    """Return the highest level that a number of `logging` reaches."""
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def check_level(level: str) -> str:
    """Return a level.

    Raises:
        MarkupError: for an unknown one.
    """
    if level not in LEVELS:
        raise MarkupError(f"unknown level {level!r}; allowed are: {', '.join(LEVELS)}")
    return level
