"""What the builders of an application return, as the event and the data of one message."""

from __future__ import annotations

from typing import Any

from ..events.wire import Frame, as_framed, frame_parts
from .oob import render


def from_builder(built: Any) -> tuple[str | None, str] | None:
    """Return the event's name and the HTML of what a builder has returned; None if it has returned nothing.

    A `str` is HTML, because a builder's task is to make HTML. So text of users must go through FT, which escapes it
    (`Div(text)`, not `f'<div>{text}</div>'`), or the page runs the scripts that it has.

    Args:
        built: the frame of `OOBStreamBuilder.build()` or of FastHTML's `sse_message`; HTML as a `str` or `NotStr`; FT,
            or a tuple or list, whose strings are text; or None.

    Raises:
        WireError: for frames with different events.

    Example:
        `from_builder(Span(3)) == (None, '<span>3</span>')`
    """
    if built is None or built == "":
        return None
    framed = as_framed(built)
    if isinstance(framed, Frame):
        return frame_parts(framed)
    return None, built if isinstance(built, str) else render(built)
