"""The attributes by which an element connects to a stream."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Div

from ..errors import MarkupError
from ..events.wire import RESERVED_EVENTS, check_event
from .granted import Late
from .oob import selector
from .swap import is_swap, parse_swap


def create_sse_element(
    endpoint: str, element_id: str | None = None, swap_strategy: str = "message", hidden: bool = False, **attrs: Any
) -> FT:
    """Create an SSE-enabled HTML element.

    Args:
        endpoint: path of an SSE endpoint.
        element_id: optional element ID.
        swap_strategy: how messages are swapped (`innerHTML`, `beforeend show:bottom`, `outerHTML:#x`, ...), as the
            `swap` of `oob`; or the names of the events to swap, separated by commas (`message` by default).
        hidden: whether to hide the element.
        attrs: additional attributes for the element, such as `sse_close='done'`: the event after which the stream is
            closed for good.

    Returns:
        The element.

    Raises:
        MarkupError: for an empty endpoint, an unknown swap, or a trigger that is an SSE event.
        WireError: for an event name that is not allowed.

    Example:
        `create_sse_element('/answer', 'answer', 'beforeend', sse_close='done')`

    Source: cjm-fasthtml-sse, `connections`.
    """
    url, shown = check_path(endpoint=endpoint), {"id": element_id, "hidden": hidden or None, **attrs}
    if close := shown.pop("sse_close", None):
        shown |= closing(close)
    if is_swap(swap_strategy):
        return sse_div(url, ["message"], swap_strategy, **shown)
    return sse_div(url, [name.strip() for name in swap_strategy.split(",")], None, **shown)


def sse_div(url: str | Late, events: list[str], swap: str | None, *children: Any, **attrs: Any) -> FT:
    """Return a `Div` that connects to `url` and swaps `events`; `attrs` have the last word."""
    if "sse:" in str(attrs.get("hx_trigger", "")):
        raise MarkupError("hx_trigger='sse:…' belongs on an element inside: htmx 4 connects by this one's trigger")
    return Div(*children, **{**connecting(url, events, swap), **attrs})


def connecting(url: str | Late, events: list[str], swap: str | None) -> dict[str, Any]:
    """Return the attributes by which an element connects to `url` and swaps `events`, on htmx 2 and 4 alike."""
    # htmx 2's extension reads data-sse-*, htmx 4's hx-sse:connect, on FastHTML's pages with a dash for the colon.
    swapped = ",".join(map(check_received, events))
    connect = dict.fromkeys(["data_sse_connect", "hx_sse_connect", "hx-sse:connect"], url)
    ours = {"hx_ext": "sse", **connect, "data_sse_swap": swapped or None}
    if swap is not None:
        # What is inside swaps in its own way: htmx 2 would let it inherit this one, as htmx 4 does not.
        how = parse_swap(swap)
        ours |= {"hx_swap": str(how), "hx_disinherit": "hx-swap"}
        if how.selector is not None:
            ours |= {"hx_target": selector(how.selector), "hx_disinherit": "hx-swap hx-target"}
    return ours


def closing(event: str) -> dict[str, Any]:
    """Return the attributes by which an element closes its stream for good, on htmx 2 and 4 alike.

    Args:
        event: the name of the event that says that there is nothing more.

    Raises:
        WireError: for a name that is not allowed.
    """
    return dict.fromkeys(["data_sse_close", "hx_sse_close", "hx-sse:close"], check_received(event))


def check_received(event: str) -> str:
    """Return the name of an event that a page receives, else raise `WireError`.

    Streams that are not the kit's may use the names that `publish` refuses, `error` and `open`, and htmx swaps them.
    """
    return event if event in RESERVED_EVENTS else check_event(event) or "message"


def check_path(**paths: str) -> str:
    """Return the one path that is given, or raise `MarkupError` if it is none."""
    ((name, path),) = paths.items()
    if not isinstance(path, str) or not path.strip():
        raise MarkupError(f"{name} must be the path of an SSE endpoint, not {path!r}")
    return path
