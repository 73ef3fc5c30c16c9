"""The attributes by which an element connects to a stream."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Div

from ..errors import MarkupError
from ..events.wire import check_event
from .oob import SWAPS, check_swap


def create_sse_element(
    endpoint: str, element_id: str | None = None, swap_strategy: str = "message", hidden: bool = False, **attrs: Any
) -> FT:
    """Create an SSE-enabled HTML element.

    Args:
        endpoint: path of an SSE endpoint.
        element_id: optional element ID.
        swap_strategy: how messages are swapped (`innerHTML`, `outerHTML`, `beforeend`, ...), or the names of the events
            to swap, separated by commas (`message` by default).
        hidden: whether to hide the element.
        attrs: additional attributes for the element.

    Raises:
        MarkupError: for an empty endpoint, or a trigger that is an SSE event.
        WireError: for an event name that is not allowed.

    Source: cjm-fasthtml-sse, `connections`.
    """
    url, shown = check_path(endpoint=endpoint), {"id": element_id, "hidden": hidden or None, **attrs}
    if swap_strategy in SWAPS:
        return sse_div(url, ["message"], swap_strategy, **shown)
    return sse_div(url, [name.strip() for name in swap_strategy.split(",")], None, **shown)


def sse_div(url: str, events: list[str], swap: str | None, *children: Any, **attrs: Any) -> FT:
    """Return a `Div` that connects to `url` and swaps `events`; `attrs` have the last word."""
    if "sse:" in str(attrs.get("hx_trigger", "")):
        raise MarkupError("hx_trigger='sse:…' belongs on an element inside: htmx 4 connects by this one's trigger")
    return Div(*children, **{**connecting(url, events, swap), **attrs})


def connecting(url: str, events: list[str], swap: str | None) -> dict[str, Any]:
    """Return the attributes by which an element connects to `url` and swaps `events`, on htmx 2 and 4 alike."""
    # htmx 2's extension reads data-sse-*, htmx 4's hx-sse:connect, on FastHTML's pages with a dash for the colon.
    swapped = ",".join(check_event(name) or "message" for name in events)
    connect = dict.fromkeys(["data_sse_connect", "hx_sse_connect", "hx-sse:connect"], url)
    ours = {"hx_ext": "sse", **connect, "data_sse_swap": swapped or None}
    if swap is not None:
        # What is inside swaps in its own way: htmx 2 would let it inherit this one, as htmx 4 does not.
        ours |= {"hx_swap": check_swap(swap), "hx_disinherit": "hx-swap"}
    return ours


def check_path(**paths: str) -> str:
    """Return the one path that is given, or raise `MarkupError` if it is none."""
    ((name, path),) = paths.items()
    if not isinstance(path, str) or not path.strip():
        raise MarkupError(f"{name} must be the path of an SSE endpoint, not {path!r}")
    return path
