"""Who is here: in each room, users with their browsers and their tabs, seen or in the background.

A tab comes at once. It goes at once if its browser says so, and a little later if only its connection has gone: a
network that fails for a moment, or a page that is left for the next one, is nobody's leaving.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .access.identity import Who

# Seconds after which the tabs of a connection that has ended have left.
LEAVE_SECONDS = 3.0
# Seconds within which changes are told together.
TOGETHER_SECONDS = 0.1


class Tab(NamedTuple):
    """A tab as its browser tells of it.

    Attributes:
        id: its name, by which it is known again over another connection.
        visible: whether somebody sees it.
        rooms: where it is.
    """

    id: str
    visible: bool
    rooms: frozenset[str]


class Person(NamedTuple):
    """Someone in a room.

    Attributes:
        user: as the application knows them; None for a browser without a user.
        browsers: how many.
        tabs: how many, in all of the browsers.
        visible: whether one of the tabs is seen.
    """

    user: str | None
    browsers: int
    tabs: int
    visible: bool


class Report(NamedTuple):
    """What a connection has told of its browser's tabs."""

    who: Who
    browser: str
    tabs: dict[str, Tab]


class Presence:
    """Keeps what the connections of this process have told.

    Args:
        changed: called with a room's name, in the event loop, soon after somebody has come, gone, or shown or hidden a
            tab there.
        leave_after: seconds.
    """

    def __init__(self, changed: Callable[[str], None], *, leave_after: float = LEAVE_SECONDS) -> None:
        self._changed, self.leave_after = changed, leave_after
        self._reports: dict[str, Report] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._told: defaultdict[str, list[Person]] = defaultdict(list)
        self._pending: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def report(self, connection: str, who: Who, tabs: Iterable[Tab]) -> None:
        """Take note of all tabs of a connection's browser.

        Args:
            connection: its id.
            who: whose it is.
            tabs: what it tells of them; those that it told of before, and now no longer, have left.
        """
        before = self._reports.pop(connection, None)
        report = Report(who, who.session or connection, {tab.id: tab for tab in tabs})
        self._reports[connection] = report
        self._notice(before, report)

    def end(self, connection: str) -> None:
        """Take note that a connection has gone: its tabs leave, unless another one brings them in time."""
        if connection in self._reports and connection not in self._leaving:
            leaving = asyncio.get_running_loop().call_later(self.leave_after, self._forget, connection)
            self._leaving[connection] = leaving

    def people(self, room: str) -> list[Person]:
        """Return who is in a room, by name; those without a user come last."""
        users: defaultdict[tuple[bool, str], list[tuple[str, Tab]]] = defaultdict(list)
        for who, browser, tab in self._in(room):
            users[who.user is None, browser if who.user is None else who.user].append((browser, tab))
        return [person(None if anonymous else name, found) for (anonymous, name), found in sorted(users.items())]

    def tabs(self, room: str) -> int:
        """Return how many tabs are in a room."""
        return len(self._in(room))

    def close(self) -> None:
        """Forget everyone, and tell nobody."""
        for timer in [*self._leaving.values(), *([self._timer] if self._timer else [])]:
            timer.cancel()
        self._reports.clear()
        self._leaving.clear()
        self._pending.clear()
        self._told.clear()
        self._timer = None

    def _in(self, room: str) -> list[tuple[Who, str, Tab]]:
        # The latest report of a tab counts: until an old connection has gone, there are two of it.
        latest = {
            (report.who.mark, tab.id): (report.who, report.browser, tab)
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
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self._tell)

    def _tell(self) -> None:
        self._timer = None
        pending, self._pending = self._pending, set()
        for room in sorted(pending):
            now = self.people(room)
            if now != self._told[room]:
                self._told[room] = now
                self._changed(room)
            if not now:
                del self._told[room]


def person(user: str | None, found: list[tuple[str, Tab]]) -> Person:
    """Return who has these browsers and tabs."""
    browsers = {browser for browser, _ in found}
    return Person(user, len(browsers), len(found), any(tab.visible for _, tab in found))
