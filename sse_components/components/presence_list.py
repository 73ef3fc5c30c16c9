"""`PresenceList`: who is in a room."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Ul

from ..access.rooms import ANYWHERE
from .here import LIST, Here, here_or_pages, in_room


def PresenceList(
    here: Here | None = None, room: str = ANYWHERE, *, empty: str = "Nobody", cls: str = "", **kwargs: Any
) -> FT:
    """Show who is in a room, live: each user once, how many tabs they have open, and whether they look at one.

    Args:
        here: `sse.here`; by default that of the present request's application. Its `name` returns the names.
        room: the name of the room. The tabs that show a `TabCount` or a `PresenceList` of it are in it.
        empty: the words for an empty room.
        cls: classes beside `sse-presence-list`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        ChannelError: for a room whose name is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `PresenceList(room='board')`
    """
    here = here_or_pages(here)
    attributes = {"aria_label": "Who is here", "data_sse_of": room, "data_sse_empty": empty, **in_room(room)}
    return Ul(*here.items(room), **{**attributes, "cls": f"{LIST} {cls}".strip(), **kwargs})
