"""`SSE`: the element that makes a page follow channels, and swaps their messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fasthtml.common import FT

from ..errors import MarkupError
from ..html.connect import closing, connecting, sse_div
from ..html.granted import Granted
from ..html.page_context import current_page
from ..protocol import CURSOR_ATTRIBUTE, HEAL_ATTRIBUTE, PAGE_ATTRIBUTE, SHARED_ATTRIBUTE

MESSAGE = "message"


def SSE(
    *children: Any,
    channels: str | Iterable[str],
    swap: str = "innerHTML",
    event: str | Iterable[str] = MESSAGE,
    heal: str = "page",
    shared: bool = True,
    close: str | None = None,
    id: str | None = None,
    **kwargs: Any,
) -> FT:
    """Make a page follow channels: a `Div` that connects, and swaps the messages that have no target.

    Elements inside it may swap named events (`data_sse_swap='progress'`), or send a request when an event arrives
    (`hx_trigger='sse:progress'`).

    Args:
        children: its content until the first message.
        channels: the name of a channel, or of several. A signed token grants them to the page that the element becomes
            a part of; in what is published, to everybody who may follow the message's channel.
        swap: how a message is swapped into it, as `hx-swap`: `'innerHTML'`, `'beforeend show:bottom'`, ..., `'none'`.
        event: the event, or the events, that it swaps.
        heal: what is loaded again when the server can no longer send what the page missed: `'page'`, the selector of a
            region (`'#todos'`), or `'event'` to fire only `sse:reset` and leave it to the page.
        shared: whether it uses the connection that the browser's tabs share. If not, it has a separate one.
        close: the event after which it follows no more, such as `'done'`: one stream for each answer.
        id: its id.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        ChannelError, WireError, MarkupError: for a channel, an event or a swap that is not allowed.
        SetupError: when it is rendered, outside of a request of an app with `setup_sse` and of a message.

    Example:
        `SSE(channels='clock', swap='innerHTML')`
    """
    events = [event] if isinstance(event, str) else list(event)
    grant = Granted(as_list(channels))
    kwargs |= granted(grant, heal)
    if close is not None:
        kwargs |= closing(close)
    if not shared:
        kwargs[SHARED_ATTRIBUTE] = "element"
    return sse_div(grant.address, events, swap, *children, id=id, **kwargs)


def following(channels: str | Iterable[str], *, heal: str = "page") -> dict[str, Any]:
    """Return the attributes with which the tag of a component follows channels whose messages are all out of band.

    Args:
        channels: the name of a channel, or of several.
        heal: as `SSE`.

    Raises:
        ChannelError, MarkupError, SetupError: as `SSE`.
    """
    grant = Granted(as_list(channels))
    return connecting(grant.address, [MESSAGE], "none") | granted(grant, heal)


def granted(grant: Granted, heal: str) -> dict[str, Any]:
    """Return the attributes of an element that has a grant."""
    page = current_page.get(None)
    shared = None if page is None or page.shared else "page"
    return {
        CURSOR_ATTRIBUTE: grant.cursor,
        PAGE_ATTRIBUTE: grant.page,
        HEAL_ATTRIBUTE: check_heal(heal),
        SHARED_ATTRIBUTE: shared,
    }


def as_list(channels: str | Iterable[str]) -> list[str]:
    """Return channels as a list. A single channel may be given as it is."""
    return [channels] if isinstance(channels, str) else list(channels)


def check_heal(heal: str) -> str | None:
    """Return the value of the attribute; None for the whole page.

    Raises:
        MarkupError: for anything else than `'page'`, `'event'` and a selector.
    """
    if heal == "page":
        return None
    if heal == "event" or (isinstance(heal, str) and heal.startswith(("#", "."))):
        return heal
    raise MarkupError(f"heal must be 'page', 'event' or a selector that starts with '#' or '.', not {heal!r}")
