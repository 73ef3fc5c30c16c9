"""A line of a few dozen values, as live as text: an SVG that the server draws."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, SupportsFloat

from fasthtml.common import FT, Span, ft_hx
from fasthtml.svg import Path, Svg

from ..errors import MarkupError
from ..manager import BroadcastManager
from .element import following
from .handles import Coalescer, Handle, check_id

LENGTH = 60
WIDTH, HEIGHT = 160, 40
# Room for the line's own width, in units of the drawing.
MARGIN = 3
# Seconds between two messages of one line.
INTERVAL = 0.1

Value = SupportsFloat | None
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How values are drawn; `Sparkline` says what each of these means."""

    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    width: int = WIDTH
    height: int = HEIGHT
    latest: bool = True

    def __post_init__(self) -> None:
        if not self.label:
            raise MarkupError("a sparkline needs a label: not everyone sees what it shows")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise MarkupError(f"low must be less than high, not {self.low!r} and {self.high!r}")

    def drawing(self, values: Sequence[float | None], length: int) -> tuple[FT, ...]:
        """Return the line, with room for `length` values, and the latest of them as text."""
        box = {"viewBox": f"0 0 {self.width} {self.height}", "preserveAspectRatio": "none"}
        shapes = paths(list(self.points(values, length)), self.height)
        size = {"width": self.width, "height": self.height}
        # FastHTML's `Title` would be the page's.
        svg = Svg(ft_hx("title", self.description(values)), *shapes, **box, **size, role="img")
        return (svg, Span(self.text(values[-1:]), aria_hidden="true")) if self.latest else (svg,)

    def description(self, values: Sequence[float | None]) -> str:
        """Say what the line shows."""
        known = [value for value in values if value is not None]
        if not known:
            return f"{self.label}: no values yet"
        latest, low, high = self.text(values[-1:]), self.text([min(known)]), self.text([max(known)])
        return f"{self.label}: latest {latest}, lowest {low}, highest {high}"

    def text(self, values: Iterable[float | None]) -> str:
        """Return one value as text, or a dash where there is none."""
        return "".join(f"{value:,.4g}{self.unit}" for value in values if value is not None) or "-"

    def points(self, values: Sequence[float | None], length: int) -> Iterator[Point | None]:
        """Yield where each value is in the drawing, None for a gap; the latest one is at the right."""
        known = [value for value in values if value is not None] or [0.0]
        # Halves, since the difference of two floats may be too large for one.
        low = (min(known) if self.low is None else self.low) / 2
        high = (max(known) if self.high is None else self.high) / 2
        step = (self.width - 2 * MARGIN) / max(length - 1, 1)
        for back, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
            share = (value / 2 - low) / (high - low) if value is not None and high > low else 0.5
            y = MARGIN + (1 - min(max(share, 0), 1)) * (self.height - 2 * MARGIN)
            yield None if value is None else (self.width - MARGIN - back * step, y)


class Spark(Handle):
    """The server side of a `Sparkline`: remembers its latest values, and sends the line to every tab that shows it.

    Args:
        publisher: sends the line.
        id: of the `Sparkline`.
        length: values that are remembered, and shown.
        channel: by default the id.
        interval: seconds within which values are sent together.
        look: options of `Sparkline`: `label` (by default the id), `unit`, `low`, `high`, `width`, `height`, `latest`.

    Raises:
        MarkupError: for an id that selectors cannot name, or a `low` that is not less than `high`.
        ValueError: for a length below 1.
    """

    CALLED = "a sparkline"

    def __init__(
        self,
        publisher: BroadcastManager,
        id: str,
        *,
        length: int = LENGTH,
        channel: str | None = None,
        interval: float = INTERVAL,
        **look: Any,
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length!r}")
        super().__init__(publisher, id, channel=channel)
        self.look, self.length = Look(**{"label": id, **look}), length
        self.values: deque[float | None] = deque(maxlen=length)
        self._coalescer = Coalescer(publisher, self._send, interval)

    async def push(self, *values: Value) -> None:
        """Append values; each tab shows them within a moment. Thousands a second are fine.

        Args:
            values: numbers. None, and what is no finite number, is a gap in the line.

        Raises:
            MarkupError: for what is no number.
            NotRunning: before the application's start-up and after its shutdown.
        """
        self.push_threadsafe(*values)

    def push_threadsafe(self, *values: Value) -> None:
        """Append values from a sync handler, a thread or a job, as `push` does."""
        numbers = [number(value) for value in values]
        self._publisher.home.require()  # nothing is remembered if it cannot be sent
        self.values.extend(numbers)
        self._coalescer.request()

    def drawing(self) -> tuple[FT, ...]:
        """Return what the line shows now."""
        return self.look.drawing(tuple(self.values), self.length)

    async def _send(self) -> None:
        await self._publisher.publish(self.channel, self.drawing(), target=self.id, swap="innerHTML")


def Sparkline(
    values: Iterable[Value] | Spark = (),
    *,
    id: str | None = None,
    label: str = "",
    length: int | None = None,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
    latest: bool = True,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show values as a line, the latest one at its right end. Its text alternative says latest, lowest and highest.

    Args:
        values: numbers, with None or NaN where there is a gap; or a line of the server's (`sse.sparkline('cpu')`),
            which brings all the rest but `cls` and `kwargs`.
        id: its id; needed without a line of the server's.
        label: what is shown, such as `'Processor'`; needed without a line of the server's.
        length: values for which there is room; by default as many as there are.
        unit: stands behind each number, as in `' %'`.
        low: value at the lower edge; by default the lowest.
        high: value at the upper edge; by default the highest.
        width: of the drawing, in pixels; CSS may change it.
        height: of the drawing, in pixels; CSS may change it.
        latest: whether the latest value stands beside it.
        channel: by default the id.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        MarkupError: without a usable id or a label, or for what is no number.
        ChannelError, SetupError: as `SSE`.

    Example:
        `Sparkline(sse.sparkline('load', label='Load'))`
    """
    if isinstance(values, Spark):
        id, channel, shown = values.id, values.channel, values.drawing()
    else:
        numbers, look = [number(value) for value in values], Look(label, unit, low, high, width, height, latest)
        id, shown = check_id(id, "Sparkline"), look.drawing(numbers, max(length or 0, len(numbers)))
    return Span(*shown, id=id, cls=f"sse-sparkline {cls}".strip(), **{**following(channel or id), **kwargs})


def paths(points: list[Point | None], height: int) -> Iterator[FT]:
    """Yield the area, the line, and a dot for the latest value."""
    runs = [[point for point in run if point] for known, run in groupby(points, key=bool) if known]
    lines = [" ".join(f"{x:.1f},{y:.1f}" for x, y in run) for run in runs]
    floors = [f"L{run[-1][0]:.1f},{height} {run[0][0]:.1f},{height}Z" for run in runs]
    yield Path(d="".join(f"M{line} {floor}" for line, floor in zip(lines, floors, strict=True)), cls="sse-spark-area")
    # A line of no length is a dot, whatever the drawing is stretched to.
    yield Path(d="".join(f"M{line}h0" for line in lines), cls="sse-spark-line")
    if points and (last := points[-1]):
        yield Path(d=f"M{last[0]:.1f},{last[1]:.1f}h0", cls="sse-spark-dot")


def number(value: Value) -> float | None:
    """Return a value as a number, None for a gap, else raise `MarkupError`."""
    if value is None:
        return None
    try:
        found = float(value) if not isinstance(value, str | bytes) else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise MarkupError(f"a sparkline's value must be a number or None, not {value!r}")
    return found if math.isfinite(found) else None
