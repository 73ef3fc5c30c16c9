"""`TabCount`: how many tabs are in a room."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, P, Span

from ..access.rooms import ANYWHERE
from .here import COUNT, Here, count, here_or_pages, in_room


def TabCount(
    here: Here | None = None,
    room: str = ANYWHERE,
    *,
    one: str = "tab open",
    many: str = "tabs open",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show how many tabs are in a room, live.

    Args:
        here: `sse.here`; by default that of the present request's application.
        room: the name of the room. The tabs that show a `TabCount` or a `PresenceList` of it are in it.
        one: the words behind the number 1.
        many: the words behind any other number.
        cls: classes beside `sse-tabs`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        ChannelError: for a room whose name is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `TabCount(room='board')`
    """
    number = Span(count(here_or_pages(here).tabs(room)), cls=COUNT, data_sse_of=room)
    words = Span(one, cls="sse-one"), Span(many, cls="sse-many")
    attributes = {"cls": f"sse-tabs {cls}".strip(), "role": "status", **in_room(room), **kwargs}
    return P(number, *words, **attributes)
