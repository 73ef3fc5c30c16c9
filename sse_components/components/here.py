"""`sse.here`: the people and the tabs in each room, and what `TabCount` and `PresenceList` have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from fasthtml.common import FT, Li, Small, Span, Strong

from ..errors import NotRunning, SetupError
from ..html.oob import oob
from ..html.page_context import this_page
from ..manager import BroadcastManager
from ..presence import Person, room_channel
from ..protocol import ROOM_ATTRIBUTE
from .element import following

# The room of a tab that names no room.
ANYWHERE = "anywhere"
COUNT, LIST = "sse-tab-count", "sse-presence-list"

Name = Callable[[Person], Any]


class Here:
    """The people and the tabs in each room. `sse.here` is the one of an application.

    It publishes each change to the `TabCount`s and `PresenceList`s of the room.

    Attributes:
        name: returns what lists show for a `Person`; by default the user as text, or `'Guest'`.

    Args:
        manager: knows who is present, and publishes the changes.

    Example:
        `sse.here.tabs('board')`
    """

    def __init__(self, manager: BroadcastManager) -> None:
        self.name: Name = default_name
        self._manager, self._presence = manager, manager.presence
        self._presence.listen(self._publish)

    def people(self, room: str = ANYWHERE) -> list[Person]:
        """Return the people in a room, sorted by user.

        Args:
            room: the name of the room; by default all tabs that name none.
        """
        return self._presence.people(room)

    def tabs(self, room: str = ANYWHERE) -> int:
        """Return the number of tabs in a room.

        Args:
            room: the name of the room; by default all tabs that name none.
        """
        return self._presence.tabs(room)

    def _publish(self, room: str) -> None:
        people = self.people(room)
        number = oob(count(sum(person.tabs for person in people)), selector(COUNT, room), "innerHTML")
        everyone = oob(items(people, self.name), selector(LIST, room), "innerHTML")
        with suppress(NotRunning):  # the last people leave when the application stops
            self._manager.publish(room_channel(room), number, everyone)


@runtime_checkable
class HasHere(Protocol):
    """A manager that knows who is here, such as a `Kit`."""

    @property
    def here(self) -> Here:
        """The people and the tabs in each room."""
        ...


def here_or_pages(here: Here | None) -> Here:
    """Return who is here: what is given, or that of the present request's application.

    Raises:
        SetupError: outside of a request, or if the application's manager is no `Kit`.
    """
    if here is not None:
        return here
    manager = this_page().manager
    if not isinstance(manager, HasHere):
        raise SetupError("only a Kit knows who is here, and this app does not have one: pass sse.here")
    return manager.here


def in_room(room: str) -> dict[str, Any]:
    """Return the attributes of a tag whose tab is in a room, and which follows the changes there."""
    return {**following(room_channel(room)), ROOM_ATTRIBUTE: room}


def count(tabs: int) -> FT:
    """Return a number. The style sheet shows the words that fit it."""
    return Strong(tabs, data_count=tabs)


def items(people: list[Person], name: Name) -> list[FT]:
    """Return the items of a list: the name of each person, and their tabs."""
    return [
        Li(
            Span(name(person)),
            Small(describe(person)),
            cls="sse-person",
            data_visible="true" if person.visible else "false",
        )
        for person in people
    ]


def describe(person: Person) -> str:
    """Return how many tabs a person has, and whether the person looks at one."""
    tabs = "1 tab" if person.tabs == 1 else f"{person.tabs} tabs"
    browsers = f" in {person.browsers} browsers" if person.browsers > 1 else ""
    return f"{tabs}{browsers}{'' if person.visible else ', away'}"


def default_name(person: Person) -> str:
    """Return the name of a person where the application does not give one."""
    return "Guest" if person.user is None else person.user


def selector(cls: str, room: str) -> str:
    """Return the selector of the elements with a class that show a room."""
    quoted = room.replace("\\", "\\\\").replace('"', '\\"')
    return f'.{cls}[data-sse-of="{quoted}"]'
