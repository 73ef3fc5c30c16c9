"""Presence: the users in each room, with their browsers and tabs, and whether somebody looks at a tab.

A tab enters a room at once. It leaves at once if its browser reports so, and a few seconds later if only its connection
ended: a short network failure, or the way from one page to the next, does not count as leaving.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .access.identity import Principal
from .background import report
from .checks import check_positive
from .events.wire import KitChannel, check_channel
from .protocol import CONTROL_PREFIX

HERE_PREFIX = f"{CONTROL_PREFIX}here/"
# Seconds after which the tabs of an ended connection leave.
LEAVE_SECONDS = 3.0
# Seconds within which changes are reported together.
TOGETHER_SECONDS = 0.1


class Tab(NamedTuple):
    """A tab, as its browser reports it.

    Attributes:
        id: its name, which it keeps over another connection.
        visible: whether it is in the foreground.
        rooms: the rooms that it shows.
    """

    id: str
    visible: bool
    rooms: frozenset[str]


class Person(NamedTuple):
    """A person in a room.

    Attributes:
        user: the user, as text; None for a browser without a user.
        browsers: the number of browsers.
        tabs: the number of tabs in all of the browsers.
        visible: whether one of the tabs is in the foreground.
    """

    user: str | None
    browsers: int
    tabs: int
    visible: bool


class Report(NamedTuple):
    """What a connection reports about the tabs of its browser."""

    principal: Principal
    browser: str
    tabs: dict[str, Tab]


class Presence:
    """Keeps the reports of this process' connections.

    Args:
        leave_after: seconds after which the tabs of an ended connection leave.

    Raises:
        ValueError: for a time that is not above 0.
    """

    def __init__(self, *, leave_after: float = LEAVE_SECONDS) -> None:
        check_positive(leave_after=leave_after)
        self.leave_after = leave_after
        self._listeners: list[Callable[[str], None]] = []
        self._reports: dict[str, Report] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._reported: defaultdict[str, list[Person]] = defaultdict(list)
        self._pending: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have a function called, in the event loop, with the name of each room in which something has changed."""
        self._listeners.append(listener)

    def report(self, connection: str, principal: Principal, tabs: Iterable[Tab]) -> None:
        """Replace the report of a connection.

        Args:
            connection: its id.
            principal: who sends the report.
            tabs: all tabs of its browser. Those of the previous report that are missing have left.
        """
        before = self._reports.pop(connection, None)
        report = Report(principal, principal.browser or connection, {tab.id: tab for tab in tabs})
        self._reports[connection] = report
        self._notice(before, report)

    def end(self, connection: str) -> None:
        """Note that a connection has ended: its tabs leave, unless another connection reports them in time."""
        if connection in self._reports and connection not in self._leaving:
            leaving = asyncio.get_running_loop().call_later(self.leave_after, self._forget, connection)
            self._leaving[connection] = leaving

    def people(self, room: str) -> list[Person]:
        """Return the people in a room, sorted by user; those without a user come last."""
        users: defaultdict[tuple[bool, str], list[tuple[str, Tab]]] = defaultdict(list)
        for principal, browser, tab in self._in(room):
            users[principal.user is None, browser if principal.user is None else principal.user].append((browser, tab))
        return [person(None if anonymous else name, found) for (anonymous, name), found in sorted(users.items())]

    def tabs(self, room: str) -> int:
        """Return the number of tabs in a room."""
        return len(self._in(room))

    def close(self) -> None:
        """Forget all reports, without telling the listeners."""
        for timer in [*self._leaving.values(), *([self._timer] if self._timer else [])]:
            timer.cancel()
        self._reports.clear()
        self._leaving.clear()
        self._pending.clear()
        self._reported.clear()
        self._timer = None

    def _in(self, room: str) -> list[tuple[Principal, str, Tab]]:
        # The latest report of a tab counts: until the old connection is gone, two connections report it.
        latest = {
            (report.principal.binding, tab.id): (report.principal, report.browser, tab)
            for report in self._reports.values()
            for tab in report.tabs.values()
        }
        return [found for found in latest.values() if room in found[2].rooms]

    def _forget(self, connection: str) -> None:
        del self._leaving[connection]
        self._notice(self._reports.pop(connection))

    def _notice(self, *reports: Report | None) -> None:
        rooms = {room for report in reports if report for tab in report.tabs.values() for room in tab.rooms}
        self._pending |= rooms
        if self._pending and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self._report_changes)

    def _report_changes(self) -> None:
        self._timer = None
        pending, self._pending = self._pending, set()
        for room in sorted(pending):
            now = self.people(room)
            if now != self._reported[room]:
                self._reported[room] = now
                for listener in self._listeners:
                    self._tell(listener, room)
            if not now:
                del self._reported[room]

    def _tell(self, listener: Callable[[str], None], room: str) -> None:
        try:
            listener(room)
        except Exception as error:
            report(f"a listener failed for the presence in room {room!r}", error)


def person(user: str | None, found: list[tuple[str, Tab]]) -> Person:
    """Return the person with these browsers and tabs."""
    browsers = {browser for browser, _ in found}
    return Person(user, len(browsers), len(found), any(tab.visible for _, tab in found))


def room_channel(room: str) -> KitChannel:
    """Return the channel on which the presence of a room is published.

    Raises:
        ChannelError: if the room's name is not allowed.
    """
    return KitChannel(f"{HERE_PREFIX}{check_channel(room)}")
