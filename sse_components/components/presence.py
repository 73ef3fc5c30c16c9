"""How many tabs are open, and who is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fasthtml.common import FT, Li, P, Small, Span, Strong, Ul

from ..errors import NotRunning
from ..html.oob import oob
from ..manager import BroadcastManager
from ..presence import Person, room_channel
from ..protocol import ROOM_ATTRIBUTE
from .element import following

# Where a tab is that names no room: anywhere in the application.
ANYWHERE = "anywhere"

Name = Callable[[Person], Any]


class Here:
    """Who is here, as this process knows it: what `sse.here` is.

    Attributes:
        name: makes of a `Person` what lists call them; by default the user as text, and 'Guest'.
    """

    def __init__(self, publisher: BroadcastManager) -> None:
        self.name: Name = called
        self._publisher, self._presence = publisher, publisher.presence
        self._presence.listen(self._changed)
        self._tasks: set[asyncio.Task[Any]] = set()

    def people(self, room: str = ANYWHERE) -> list[Person]:
        """Return who is in a room, by name."""
        return self._presence.people(room)

    def tabs(self, room: str = ANYWHERE) -> int:
        """Return how many tabs are in a room."""
        return self._presence.tabs(room)

    def _changed(self, room: str) -> None:
        task = asyncio.get_running_loop().create_task(self._publish(room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, room: str) -> None:
        people = self.people(room)
        number = oob(count(sum(one.tabs for one in people)), among("sse-tab-count", room), "innerHTML")
        everyone = oob(items(people, self.name), among("sse-presence-list", room), "innerHTML")
        with suppress(NotRunning):  # the last of them leave when the application stops
            await self._publisher.publish(room_channel(room), number, everyone)


def TabCount(
    here: Here, room: str = ANYWHERE, *, one: str = "tab open", many: str = "tabs open", cls: str = "", **kwargs: Any
) -> FT:
    """Show how many tabs are in a room, live.

    Args:
        here: `sse.here`.
        room: what is counted: the tabs that show a `TabCount` or a `PresenceList` of this room.
        one: what one is called.
        many: what several, or none, are called.
        cls: classes beside `sse-tabs`.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError: for a room whose name is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `TabCount(sse.here)`
    """
    number = Span(count(here.tabs(room)), cls="sse-tab-count", data_sse_of=room)
    words = Span(one, cls="sse-one"), Span(many, cls="sse-many")
    attributes = {"cls": f"sse-tabs {cls}".strip(), "role": "status", **in_room(room), **kwargs}
    return P(number, *words, **attributes)


def PresenceList(here: Here, room: str = ANYWHERE, *, empty: str = "Nobody", cls: str = "", **kwargs: Any) -> FT:
    """Show who is in a room, live: each user once, how many tabs they have open, and whether they look at one.

    Args:
        here: `sse.here`; its `name` says what people are called.
        room: whose tabs: those that show a `TabCount` or a `PresenceList` of this room.
        empty: what it says when nobody is there.
        cls: classes beside `sse-presence-list`.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError: for a room whose name is not allowed.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `PresenceList(sse.here, 'board')`
    """
    attributes = {"aria_label": "Who is here", "data_sse_of": room, "data_sse_empty": empty, **in_room(room)}
    shown = items(here.people(room), here.name)
    return Ul(*shown, **{**attributes, "cls": f"sse-presence-list {cls}".strip(), **kwargs})


def in_room(room: str) -> dict[str, Any]:
    """Return the attributes of a tag whose tab is in a room, and follows who else is."""
    return {**following(room_channel(room)), ROOM_ATTRIBUTE: room}


def count(tabs: int) -> FT:
    """Return a number whose word the style sheet chooses."""
    return Strong(tabs, data_count=tabs)


def items(people: list[Person], name: Name) -> list[FT]:
    """Return a list's items: whom it names, and what else there is to know of them."""
    return [
        Li(Span(name(one)), Small(details(one)), cls="sse-person", data_visible="true" if one.visible else "false")
        for one in people
    ]


def details(person: Person) -> str:
    """Say how many tabs someone has, and whether they look at one."""
    tabs = "1 tab" if person.tabs == 1 else f"{person.tabs} tabs"
    browsers = f" in {person.browsers} browsers" if person.browsers > 1 else ""
    return f"{tabs}{browsers}{'' if person.visible else ', away'}"


def called(person: Person) -> str:
    """Return what someone is called where the application does not say."""
    return "Guest" if person.user is None else person.user


def among(name: str, room: str) -> str:
    """Return the selector of what shows a room, by its class."""
    quoted = room.replace("\\", "\\\\").replace('"', '\\"')
    return f'.{name}[data-sse-of="{quoted}"]'
