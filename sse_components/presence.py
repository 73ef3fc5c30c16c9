"""Presence: the users in each room, with their browsers and tabs, and whether somebody looks at a tab.

A tab enters a room at once. It leaves at once if its browser reports so, and a second after its page has said goodbye
itself: what reports for all tabs of a browser may freeze with the page, or not hear of it. It leaves a few seconds
later if only its connection ended: a short network failure, or the way from one page to the next, does not count as
leaving. A browser that vanishes without ending its connection, as with a dead battery, renews its report no more, and
leaves when its lease expires.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .access.identity import Principal
from .access.limits import Limits
from .access.selector import Selector
from .background import report
from .checks import check_positive
from .leases import Leases
from .protocol import HEARTBEAT_SECONDS, LIVENESS_HEARTBEATS

# Seconds after which the tabs of an ended connection leave.
LEAVE_SECONDS = 3.0
# Seconds after which a tab leaves whose page has said goodbye: the next page of the same tab may follow. How many such
# pages are remembered, in case their browser still reports them.
GOODBYE_SECONDS, GOODBYES = 1.0, 10_000
# How long a report counts, unless the browser repeats it, as it does with the heartbeats of its stream: so many of
# them, and no less than so many seconds, because a report takes its time.
LEASE_HEARTBEATS, LEASE_SECONDS = LIVENESS_HEARTBEATS, 5.0
# Seconds within which changes are reported together. It is more where that takes long: it may take a tenth of the time.
TOGETHER_SECONDS = 0.1
SHARE = 10

# The owner and the name of a tab.
TabKey = tuple[str, str]


class Tab(NamedTuple):
    """A tab, as its browser reports it.

    Attributes:
        id: its name, which it keeps over another connection.
        visible: whether it is in the foreground.
        rooms: the rooms that it shows.
        visit: names this stay of its page; the next page, or the same one that comes back, has another.
    """

    id: str
    visible: bool
    rooms: frozenset[str]
    visit: str = ""


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
    """What a connection reports about the tabs of its browser, which are counted for its client."""

    principal: Principal
    browser: str
    client: str
    tabs: dict[TabKey, Tab]


class Presence:
    """Keeps the reports of this process' connections.

    Args:
        leave_after: seconds after which the tabs of an ended connection leave.
        heartbeat: seconds between two heartbeats of a stream: it decides how long a report counts.
        limits: how many tabs a client may have.

    Raises:
        ValueError: for a time that is not above 0.
    """

    def __init__(
        self,
        *,
        leave_after: float = LEAVE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
        limits: Limits | None = None,
    ) -> None:
        check_positive(leave_after=leave_after)
        self._leases = Leases(max(LEASE_HEARTBEATS * heartbeat, LEASE_SECONDS), self._vanish)
        self.leave_after, self._limits = leave_after, limits or Limits()
        self._listeners: list[Callable[[str], None]] = []
        self._reports: dict[str, Report] = {}
        # The connections that report a tab. The last one counts: until an old connection is gone, two report it.
        self._reporting: dict[TabKey, dict[str, None]] = {}
        self._in_room: defaultdict[str, dict[TabKey, None]] = defaultdict(dict)
        self._tabs_of: Counter[str] = Counter()
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._gone: dict[tuple[TabKey, str], None] = {}
        self._reported: defaultdict[str, list[Person]] = defaultdict(list)
        self._pending: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pause = TOGETHER_SECONDS

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have a function called, in the event loop, with the name of each room in which something has changed."""
        self._listeners.append(listener)

    def report(self, connection: str, principal: Principal, tabs: Iterable[Tab], client: str | None = None) -> None:
        """Replace the report of a connection, or repeat it: it counts until its lease expires.

        Args:
            connection: its id.
            principal: who sends the report.
            tabs: all tabs of its browser. Those of the previous report that are missing have left.
            client: whose tabs are counted together; by default the browser's, or the connection's.
        """
        self._leases.renew(connection)
        browser = principal.browser or connection
        gone = self.gone(principal, tabs := list(tabs))
        named = {(principal.binding, tab.id): tab for tab in tabs if tab.visit not in gone}
        before = self._reports.get(connection)
        if before is not None and before.principal != principal:
            self._remove(connection)
        found = self._reports.setdefault(connection, Report(principal, browser, client or browser, {}))
        for key in found.tabs.keys() - named.keys():
            self._set(connection, key, None)
        for key, tab in named.items():
            self._set(connection, key, tab)

    def revoke(self, selector: Selector) -> None:
        """Have tabs leave at once whose connections are selected: the room with the channel's name, or all rooms."""
        anywhere = selector._replace(channel=None)
        for connection, found in self._reports.items():
            if selector.connection in (None, connection) and anywhere.matches(found.principal, ()):
                for key, tab in found.tabs.items():
                    self._set(connection, key, without(tab, selector.channel))

    def end(self, connection: str) -> None:
        """Note that a connection has ended: its tabs leave, unless another connection reports them in time."""
        if connection in self._reports and connection not in self._leaving:
            leaving = asyncio.get_running_loop().call_later(self.leave_after, self._forget, connection)
            self._leaving[connection] = leaving

    def say_goodbye(self, principal: Principal, tab: str, visit: str) -> None:
        """Note that a page is left: its tab leaves after a second, unless a page follows there.

        Args:
            principal: who says so.
            tab: the name of the tab.
            visit: the page's, as reports have it.
        """
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._go, (principal.binding, tab), visit)

    def gone(self, principal: Principal, tabs: Iterable[Tab]) -> list[str]:
        """Return the visits of those tabs that have said goodbye."""
        return [tab.visit for tab in tabs if ((principal.binding, tab.id), tab.visit) in self._gone]

    def people(self, room: str) -> list[Person]:
        """Return the people in a room, sorted by user; those without a user come last."""
        users: defaultdict[tuple[bool, str], list[tuple[str, Tab]]] = defaultdict(list)
        for key in self._in_room.get(room, ()):
            report, tab = self._latest(key)
            user = report.principal.user
            users[user is None, report.browser if user is None else user].append((report.browser, tab))
        return [person(None if anonymous else name, found) for (anonymous, name), found in sorted(users.items())]

    def tabs(self, room: str) -> int:
        """Return the number of tabs in a room."""
        return len(self._in_room.get(room, ()))

    def close(self) -> None:
        """Forget all reports, without telling the listeners."""
        self._leases.close()
        for timer in [*self._leaving.values(), *([self._timer] if self._timer else [])]:
            timer.cancel()
        self._reports.clear()
        self._reporting.clear()
        self._in_room.clear()
        self._tabs_of.clear()
        self._leaving.clear()
        self._gone.clear()
        self._pending.clear()
        self._reported.clear()
        self._timer = None

    def _go(self, key: TabKey, visit: str) -> None:
        self._gone[key, visit] = None
        if len(self._gone) > GOODBYES:
            del self._gone[next(iter(self._gone))]
        for connection in list(self._reporting.get(key, ())):
            if self._reports[connection].tabs[key].visit == visit:
                self._set(connection, key, None)

    def _latest(self, key: TabKey) -> tuple[Report, Tab]:
        report = self._reports[next(reversed(self._reporting[key]))]
        return report, report.tabs[key]

    def _set(self, connection: str, key: TabKey, tab: Tab | None) -> None:
        """Replace what a connection reports about a tab; None if it has no such tab any more."""
        report, connections = self._reports[connection], self._reporting.get(key, {})
        before = self._latest(key) if connections else None
        # A tab that another connection reports is none more.
        is_allowed = before is not None or self._has_room(report.client)
        connections.pop(connection, None)
        if tab is not None and is_allowed:
            self._tabs_of[report.client] += key not in report.tabs
            report.tabs[key] = tab
            self._reporting[key] = {**connections, connection: None}
        elif report.tabs.pop(key, None) is not None:
            self._uncount(report.client)
            if not connections:
                del self._reporting[key]
        self._move(key, before, self._latest(key) if self._reporting.get(key) else None)

    def _has_room(self, client: str) -> bool:
        return self._tabs_of[client] < self._limits.tabs_per_client

    def _uncount(self, client: str) -> None:
        self._tabs_of[client] -= 1
        if not self._tabs_of[client]:
            del self._tabs_of[client]

    def _move(self, key: TabKey, before: tuple[Report, Tab] | None, after: tuple[Report, Tab] | None) -> None:
        """Keep the rooms of a tab that has changed, and notice where that may make a difference."""
        if before == after:
            return
        left, now = [found[1].rooms if found else frozenset[str]() for found in (before, after)]
        for room in left - now:
            del self._in_room[room][key]
            if not self._in_room[room]:
                del self._in_room[room]
        for room in now - left:
            self._in_room[room][key] = None
        self._notice(left | now)

    def _remove(self, connection: str) -> None:
        for key in list(self._reports[connection].tabs):
            self._set(connection, key, None)
        del self._reports[connection]

    def _vanish(self, connection: str) -> None:
        """Forget a connection whose browser is heard of no more."""
        if connection in self._reports and connection not in self._leaving:
            self._remove(connection)

    def _forget(self, connection: str) -> None:
        del self._leaving[connection]
        self._leases.release(connection)
        self._remove(connection)

    def _notice(self, rooms: frozenset[str]) -> None:
        self._pending |= rooms
        if self._pending and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._report_changes)

    def _report_changes(self) -> None:
        loop = asyncio.get_running_loop()
        begin, self._timer = loop.time(), None
        pending, self._pending = self._pending, set()
        for room in sorted(pending):
            now = self.people(room)
            if now != self._reported[room]:
                self._reported[room] = now
                for listener in self._listeners:
                    self._tell(listener, room)
            if not now:
                del self._reported[room]
        self._pause = max(TOGETHER_SECONDS, SHARE * (loop.time() - begin))

    def _tell(self, listener: Callable[[str], None], room: str) -> None:
        try:
            listener(room)
        except Exception as error:
            report(f"a listener failed for the presence in room {room!r}", error)


def person(user: str | None, found: list[tuple[str, Tab]]) -> Person:
    """Return the person with these browsers and tabs."""
    browsers = {browser for browser, _ in found}
    return Person(user, len(browsers), len(found), any(tab.visible for _, tab in found))


def without(tab: Tab, room: str | None) -> Tab:
    """Return a tab that has left a room; or all rooms, for None."""
    return tab._replace(rooms=frozenset() if room is None else tab.rooms - {room})
