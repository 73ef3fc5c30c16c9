"""`sse.here`: the people and the tabs in each room, and what `TabCount` and `PresenceList` have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from contextvars import Context
from inspect import isawaitable
from typing import Any, Protocol, runtime_checkable

from fasthtml.common import FT, Li, Small, Span, Strong

from ..access.rooms import ANYWHERE, room_channel
from ..background import report, start_task
from ..callbacks import call, check_sync
from ..errors import MessageTooLarge, NotRunning, SetupError
from ..html.granted import present_manager
from ..html.oob import oob
from ..manager import BroadcastManager
from ..presence import Person
from ..protocol import ROOM_ATTRIBUTE
from .element import following

COUNT, LIST = "sse-tab-count", "sse-presence-list"

Name = Callable[[Person], Any]


class Here:
    """The people and the tabs in each room. `sse.here` is the one of an application.

    It publishes each change to the `TabCount`s and `PresenceList`s of the room.

    Args:
        manager: knows who is present, and publishes the changes.

    Example:
        `sse.here.tabs('board')`
    """

    def __init__(self, manager: BroadcastManager) -> None:
        self._name: Name = default_name
        self._manager, self._presence = manager, manager.presence
        self._due: dict[str, bool] = {}
        self._presence.listen(self._on_change)

    @property
    def name(self) -> Name:
        """The function that returns what lists show for a `Person`; by default the user as text, or `'Guest'`.

        It is a plain function. While a page is rendered, it runs there; for a change, in a worker thread. If it raises,
        that is logged, and the list shows the user as text.

        Raises:
            TypeError: on setting an async function.
        """
        return self._name

    @name.setter
    def name(self, name: Name) -> None:
        check_sync(name, "here.name")
        self._name = name

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

    def items(self, room: str) -> list[FT]:
        """Return the items of a list: the name of each person in a room, and their tabs.

        Args:
            room: the name of the room.
        """
        return [item(person, self._named(person, room)) for person in self.people(room)]

    def _named(self, person: Person, room: str) -> Any:
        try:
            return check_name(self._name(person))
        except Exception as error:
            report(f"here.name failed for a person in room {room!r}", error)
            return default_name(person)

    def _on_change(self, room: str) -> None:
        begins = room not in self._due
        self._due[room] = True
        if begins:
            start_task(self._show(room), f"showing who is in room {room!r}", context=Context())

    async def _show(self, room: str) -> None:
        """Publish who is in a room, again if that changes meanwhile."""
        try:
            while self._due[room]:
                self._due[room] = False
                await self._publish(room, await call(self.items, room))
        except NotRunning:
            pass  # the last people leave when the application stops
        finally:
            del self._due[room]

    async def _publish(self, room: str, everyone: list[FT]) -> None:
        """Publish a list of people; if it is too long for a message, as many of them as there is room for."""
        number = oob(count(self.tabs(room)), selector(COUNT, room), "innerHTML")
        shown = len(everyone)
        while True:
            listed = [*everyone[:shown], *([more(len(everyone) - shown)] if shown < len(everyone) else [])]
            try:
                await self._manager.publish(room_channel(room), number, oob(listed, selector(LIST, room), "innerHTML"))
                return
            except MessageTooLarge as error:
                if not shown:
                    raise
                report(f"the PresenceList of room {room!r} was cut, because it is too long for a message", error)
                shown //= 2


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
    manager = present_manager()
    if not isinstance(manager, HasHere):
        raise SetupError("only a Kit knows who is here, and this app does not have one: pass sse.here")
    return manager.here


def in_room(room: str) -> dict[str, Any]:
    """Return the attributes of a tag whose tab is in a room, and which follows the changes there."""
    return {**following(room_channel(room)), ROOM_ATTRIBUTE: room}


def count(tabs: int) -> FT:
    """Return a number. The style sheet shows the words that fit it."""
    return Strong(tabs, data_count=tabs)


def item(person: Person, name: Any) -> FT:
    """Return an item of a list: the name of a person, and their tabs."""
    visible = "true" if person.visible else "false"
    return Li(Span(name), Small(describe(person)), cls="sse-person", data_visible=visible)


def more(number: int) -> FT:
    """Return the item that stands for those whom a list does not show."""
    return Li(Small(f"and {number:,} more"), cls="sse-person-more")


def describe(person: Person) -> str:
    """Return how many tabs a person has, and whether the person looks at one."""
    tabs = "1 tab" if person.tabs == 1 else f"{person.tabs} tabs"
    browsers = f" in {person.browsers} browsers" if person.browsers > 1 else ""
    return f"{tabs}{browsers}{'' if person.visible else ', away'}"


def check_name(name: Any) -> Any:
    """Return a name.

    Raises:
        TypeError: if it has to be awaited.
    """
    if isawaitable(name):
        if isinstance(name, Coroutine):
            name.close()
        raise TypeError("here.name must return a name, not an awaitable")
    return name


def default_name(person: Person) -> str:
    """Return the name of a person where the application does not give one."""
    return "Guest" if person.user is None else person.user


def selector(cls: str, room: str) -> str:
    """Return the selector of the elements with a class that show a room, whatever its name.

    htmx ends a selector at a space, and htmx 4 begins it behind the last colon. Escapes of six digits have neither.
    """
    escaped = re.sub(r"[^\w-]", lambda found: f"\\{ord(found[0]):06x}", room)
    return f'.{cls}[data-sse-of="{escaped}"]'
