"""The SSE element: what connects a page, and swaps what arrives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fasthtml.common import FT, Div

from ..errors import MarkupError
from ..oob import SWAPS, check_swap
from ..page import this_page
from ..wire import check_event

MESSAGE = "message"


def SSE(
    *children: Any,
    channels: str | Iterable[str],
    swap: str = "innerHTML",
    event: str | Iterable[str] = MESSAGE,
    id: str | None = None,
    **kwargs: Any,
) -> FT:
    """Make a page follow channels: a `Div` that connects, and swaps the messages that come without a target.

    Elements inside may swap named events (`data_sse_swap='progress'`), or send a request when one comes
    (`hx_trigger='sse:progress'`).

    Args:
        children: what it shows until the first message.
        channels: one channel's name, or several. They are granted to this page by a signed token.
        swap: how a message is swapped into it, as `hx-swap`: `'innerHTML'`, `'beforeend'`, ..., `'none'`.
        event: the event, or the events, that it swaps.
        id: its id.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError, WireError, MarkupError: for a channel, an event or a swap that is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `SSE(channels='clock', swap='innerHTML')`
    """
    names = [channels] if isinstance(channels, str) else list(channels)
    events = [event] if isinstance(event, str) else list(event)
    return _element(this_page().stream_url(names), events, swap, *children, id=id, **kwargs)


def create_sse_element(
    endpoint: str, element_id: str | None = None, swap_strategy: str = MESSAGE, hidden: bool = False, **attrs: Any
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
        MarkupError: for an empty endpoint, or event names that are not allowed.

    Source: reference, `connections`.
    """
    if not isinstance(endpoint, str) or not endpoint.strip():
        raise MarkupError(f"endpoint must be the path of an SSE endpoint, not {endpoint!r}")
    if swap_strategy in SWAPS:
        return _element(endpoint, [MESSAGE], swap_strategy, id=element_id, hidden=hidden or None, **attrs)
    events = [name.strip() for name in swap_strategy.split(",")]
    return _element(endpoint, events, None, id=element_id, hidden=hidden or None, **attrs)


def _element(url: str, events: list[str], swap: str | None, *children: Any, **attrs: Any) -> FT:
    # One element for both: htmx 2's extension reads data-sse-*, htmx 4's hx-sse-connect (FastHTML's dash).
    if swap is not None:
        attrs.setdefault("hx_swap", check_swap(swap))
    swapped = ",".join(check_event(name) or MESSAGE for name in events)
    return Div(
        *children, hx_ext="sse", data_sse_connect=url, hx_sse_connect=url, data_sse_swap=swapped or None, **attrs
    )
