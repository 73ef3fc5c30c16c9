"""The SSE element: what connects a page, and swaps what arrives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fasthtml.common import FT

from ..errors import MarkupError
from ..html.connect import connecting, sse_div
from ..html.page_context import this_page
from ..protocol import CURSOR_ATTRIBUTE, HEAL_ATTRIBUTE, SHARED_ATTRIBUTE

MESSAGE = "message"


def SSE(
    *children: Any,
    channels: str | Iterable[str],
    swap: str = "innerHTML",
    event: str | Iterable[str] = MESSAGE,
    heal: str = "page",
    shared: bool = True,
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
        heal: what is brought up to date when the server can no longer send what was missed: `'page'`, the selector of a
            region (`'#todos'`), or `'event'` to only fire `sse:reset` and leave it to the page.
        shared: whether it follows over the one connection that the browser's tabs share, or has one of its own.
        id: its id.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError, WireError, MarkupError: for a channel, an event or a swap that is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `SSE(channels='clock', swap='innerHTML')`
    """
    events = [event] if isinstance(event, str) else list(event)
    kwargs |= granted(heal)
    if not shared:
        kwargs[SHARED_ATTRIBUTE] = "element"
    return sse_div(this_page().stream_url(several(channels)), events, swap, *children, id=id, **kwargs)


def following(channels: str | Iterable[str], *, heal: str = "page") -> dict[str, Any]:
    """Return the attributes by which a component's own tag follows channels whose messages are all out of band.

    Raises:
        What `SSE` does.
    """
    return connecting(this_page().stream_url(several(channels)), [MESSAGE], "none") | granted(heal)


def granted(heal: str) -> dict[str, Any]:
    """Return the attributes of an element whose channels are granted to this page."""
    page = this_page()
    with_whom = None if page.shared else "page"
    return {CURSOR_ATTRIBUTE: str(page.cursor), HEAL_ATTRIBUTE: check_heal(heal), SHARED_ATTRIBUTE: with_whom}


def several(channels: str | Iterable[str]) -> list[str]:
    """Return channels as a list; a single one may stand by itself."""
    return [channels] if isinstance(channels, str) else list(channels)


def check_heal(heal: str) -> str | None:
    """Return the attribute's value (None for the whole page), else raise `MarkupError`."""
    if heal == "page":
        return None
    if heal == "event" or (isinstance(heal, str) and heal.startswith(("#", "."))):
        return heal
    raise MarkupError(f"heal must be 'page', 'event' or a selector that starts with '#' or '.', not {heal!r}")
