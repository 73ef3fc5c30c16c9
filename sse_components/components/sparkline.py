"""`Sparkline`: a line of a few dozen values, an SVG that the server draws."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any, SupportsFloat

from fasthtml.common import FT, Span, ft_hx
from fasthtml.svg import Path, Svg

from ..access.identity import as_set
from ..checks import check_whole
from ..errors import MarkupError
from ..manager import BroadcastManager
from ..publication import Publication
from .element import following
from .handle import Exclude, Handle
from .handle_registry import address, bind, kit_of_page
from .throttle import Throttle

LENGTH = 60
WIDTH, HEIGHT = 160, 40
# Space for the width of the line, in units of the drawing.
MARGIN = 3
# Seconds between two messages of one line.
INTERVAL = 0.1

Value = SupportsFloat | None
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How values are drawn. The arguments of `Sparkline` with these names describe it."""

    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    width: int = WIDTH
    height: int = HEIGHT
    latest: bool = True

    def __post_init__(self) -> None:
        if not self.label:
            raise MarkupError("a sparkline needs a label for those who cannot see it")
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
        """Return the text alternative of the line."""
        known = [value for value in values if value is not None]
        if not known:
            return f"{self.label}: no values yet"
        latest, low, high = self.text(values[-1:]), self.text([min(known)]), self.text([max(known)])
        return f"{self.label}: latest {latest}, lowest {low}, highest {high}"

    def text(self, values: Iterable[float | None]) -> str:
        """Return one value as text, or a dash where there is none."""
        return "".join(f"{value:,.4g}{self.unit}" for value in values if value is not None) or "-"

    def points(self, values: Sequence[float | None], length: int) -> Iterator[Point | None]:
        """Yield the place of each value in the drawing, None for a gap. The latest value is at the right edge."""
        known = [value for value in values if value is not None] or [0.0]
        # Halves: the difference of two floats may be larger than the largest float.
        low = (min(known) if self.low is None else self.low) / 2
        high = (max(known) if self.high is None else self.high) / 2
        step = (self.width - 2 * MARGIN) / max(length - 1, 1)
        for back, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
            share = (value / 2 - low) / (high - low) if value is not None and high > low else 0.5
            y = MARGIN + (1 - min(max(share, 0), 1)) * (self.height - 2 * MARGIN)
            yield None if value is None else (self.width - MARGIN - back * step, y)


LOOK = tuple(field.name for field in fields(Look))


class Spark(Handle):
    """The server side of a `Sparkline`. `sse.sparkline(id)` returns it.

    It holds the latest values, and sends the line to every tab that shows it. It is kept until
    `sse.forget(handle)`.

    Attributes:
        id: the id of the `Sparkline`.
        channel: the channel that the `Sparkline` follows.
        values: the latest values, oldest first; None for a gap.
        look: how they are drawn.

    Args:
        manager: publishes the line.
        id: the id of the `Sparkline`.
        length: the number of values that it holds and shows.
        channel: the channel that it follows; by default the id.
        interval: seconds between two messages, at least.
        look: options of `Sparkline`: `label` (by default the id), `unit`, `low`, `high`, `width`, `height`, `latest`.

    Raises:
        MarkupError: for an id that a selector cannot name, or a `low` that is not less than `high`.
        ValueError: for a length below 1, or an interval that is not above 0.

    Example:
        `sse.sparkline('load', label='Load').push(0.7)`
    """

    KIND = "a sparkline"
    HOLDS_DATA = True

    def __init__(
        self,
        manager: BroadcastManager,
        id: str,
        *,
        length: int = LENGTH,
        channel: str | None = None,
        interval: float = INTERVAL,
        **look: Any,
    ) -> None:
        super().__init__(manager, id, channel=channel)
        self.values: deque[float | None] = deque()
        self.look, self.length = Look(**{"label": id, **look}), length
        self._throttle = Throttle(manager, self._send, interval, leading=False, what=self.described)

    @property
    def length(self) -> int:
        """The number of values that it holds and shows."""
        return self.values.maxlen or 0

    @length.setter
    def length(self, length: int) -> None:
        check_whole(length=length)
        self.values = deque(self.values, maxlen=length)

    @property
    def interval(self) -> float:
        """The seconds between two messages, at least."""
        return self._throttle.interval

    @interval.setter
    def interval(self, interval: float) -> None:
        self._throttle.interval = interval

    def configure(self, **options: Any) -> None:
        """Change options of the handle, by name.

        Args:
            options: those of `sse.sparkline`.

        Raises:
            MarkupError: for a `low` that is not less than `high`.
            ValueError: for a value that the option cannot have.
        """
        look = {name: options.pop(name) for name in LOOK if name in options}
        self.look = replace(self.look, **look)
        super().configure(**options)

    def push(self, *values: Value, exclude: Exclude = None) -> Publication:
        """Append values. Each tab shows them within a moment; thousands a second are fine.

        It may be called anywhere, with or without `await`, as `publish`. It does not wait for `after_commit`.

        Args:
            values: numbers. None, and what is no finite number, is a gap in the line.
            exclude: tabs (`this_tab()`) and connections that do not get them, unless they are sent with others.

        Returns:
            A `Publication` that is done, with an empty id: the values are sent with those that follow.

        Raises:
            MarkupError: for what is no number.
            NotRunning: after shutdown, or before start-up outside of an event loop.

        Example:
            `sse.sparkline('load').push(0.7)`
        """
        numbers = [number(value) for value in values]
        self._manager.home.check()  # a value that cannot be sent is not kept either
        self.values.extend(numbers)
        return self._throttle.request(as_set(exclude))

    def option(self, name: str) -> Any:
        """Return the value of an option.

        Args:
            name: of the option.
        """
        return getattr(self.look if name in LOOK else self, name)

    def drawing(self) -> tuple[FT, ...]:
        """Return the content of the `Sparkline` as it is now."""
        return self.look.drawing(tuple(self.values), self.length)

    def _send(self, exclude: frozenset[str]) -> Publication:
        return self._publish_out_of_band(*self.drawing(), target=self.id, swap="innerHTML", exclude=exclude)


def Sparkline(
    values: Iterable[Value] | Spark | str | None = None,
    *,
    id: Spark | str | None = None,
    label: str | None = None,
    length: int | None = None,
    unit: str | None = None,
    low: float | None = None,
    high: float | None = None,
    width: int | None = None,
    height: int | None = None,
    latest: bool | None = None,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show values as a line, the latest one at its right end. Its text alternative has the latest, lowest and highest.

    Args:
        values: the handle (`sse.sparkline('cpu')`) or its id, which have the options below; or numbers, with None or
            NaN for a gap.
        id: its id, or its handle, if `values` are numbers. Required then.
        label: what it shows, such as `'Processor'`. Required with numbers.
        length: the number of values for which there is room; by default as many as there are.
        unit: the text behind each number, such as `' %'`.
        low: the value at the lower edge; by default the lowest.
        high: the value at the upper edge; by default the highest.
        width: the width of the drawing in pixels, 160 by default; CSS may change it.
        height: the height of the drawing in pixels, 40 by default; CSS may change it.
        latest: whether the latest value is shown beside the line; by default it is.
        channel: the channel that it follows; by default the handle's, which is the id by default.
        cls: classes beside `sse-sparkline`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a missing id or label, an id that a selector cannot name, or what is no number.
        HandleError: for an option that the handle has with another value.
        ChannelError, SetupError: as `SSE`.

    Example:
        `Sparkline(sse.sparkline('load', label='Load'))`
    """
    look: dict[str, Any] = {"label": label, "unit": unit, "low": low, "high": high}
    look |= {"width": width, "height": height, "latest": latest}
    if (handle := handle_of(values, id)) is not None:
        id = bind(Spark, handle, also=id, length=length, **look)
        children = id.drawing()
    else:
        children = draw(values, length, look)
    id, channel = address(Spark, id, channel, "Sparkline")
    return Span(*children, id=id, cls=f"sse-sparkline {cls}".strip(), **{**following(channel), **kwargs})


def handle_of(values: Any, id: Spark | str | None) -> Spark | str | None:
    """Return the handle that a sparkline shows, or its id; None if it shows numbers."""
    if isinstance(values, Spark | str):
        return values
    if values is None and (isinstance(id, Spark) or (id is not None and kit_of_page() is not None)):
        return id
    return None


def draw(values: Any, length: int | None, look: dict[str, Any]) -> tuple[FT, ...]:
    """Return the content of a sparkline that shows numbers; None stands for an option's default."""
    numbers = [number(value) for value in values or ()]
    drawn = Look(**{"label": "", **{name: value for name, value in look.items() if value is not None}})
    return drawn.drawing(numbers, max(length or 0, len(numbers)))


def paths(points: list[Point | None], height: int) -> Iterator[FT]:
    """Yield the area, the line, and a dot for the latest value."""
    runs = [[point for point in run if point] for known, run in groupby(points, key=bool) if known]
    lines = [" ".join(f"{x:.1f},{y:.1f}" for x, y in run) for run in runs]
    floors = [f"L{run[-1][0]:.1f},{height} {run[0][0]:.1f},{height}Z" for run in runs]
    yield Path(d="".join(f"M{line} {floor}" for line, floor in zip(lines, floors, strict=True)), cls="sse-spark-area")
    # A line without length is drawn as a dot, however the drawing is stretched.
    yield Path(d="".join(f"M{line}h0" for line in lines), cls="sse-spark-line")
    if points and (last := points[-1]):
        yield Path(d=f"M{last[0]:.1f},{last[1]:.1f}h0", cls="sse-spark-dot")


def number(value: Value) -> float | None:
    """Return a value as a number, or None for a gap.

    Raises:
        MarkupError: for what is no number.
    """
    if value is None:
        return None
    try:
        found = float(value) if not isinstance(value, str | bytes) else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise MarkupError(f"a sparkline's value must be a number or None, not {value!r}")
    return found if math.isfinite(found) else None
