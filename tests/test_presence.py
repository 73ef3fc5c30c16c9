from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest

from sse_components.access.identity import Principal
from sse_components.presence import Person, Presence, Tab
from tests.support.serving import until

ALICE, BOB, GUEST = Principal("alice", "-", "b1"), Principal("bob", "-", "b2"), Principal(None, "-", "b3")
# Seconds; short, because these tests wait for it.
LEAVE = 0.05

pytestmark = pytest.mark.anyio


@pytest.fixture
async def changes() -> list[str]:
    """Return a list that collects the rooms of reported changes."""
    return []


@pytest.fixture
async def presence(changes: list[str]) -> AsyncIterator[Presence]:
    presence = Presence(leave_after=LEAVE)
    presence.listen(changes.append)
    yield presence
    presence.close()


def tab(name: str, *rooms: str, visible: bool = True) -> Tab:
    return Tab(name, visible, frozenset(rooms or ["hall"]))


async def wait_for_leaving() -> None:
    """Return when everybody who leaves now has left and is reported: a marker leaves after them by the same clock."""
    rooms = list[str]()
    marker = Presence(leave_after=LEAVE)
    marker.listen(rooms.append)
    marker.report("c1", BOB, [tab("t1")])
    marker.end("c1")
    await until(lambda: marker.tabs("hall") == 0)
    marker.report("c2", BOB, [tab("t2", "yard")])
    await until(lambda: "yard" in rooms)
    marker.close()


def names(people: Iterable[Person]) -> list[str | None]:
    return [person.user for person in people]


async def test_users_have_browsers_and_browsers_have_tabs(presence: Presence) -> None:
    presence.report("c1", ALICE, [tab("t1"), tab("t2", visible=False)])
    presence.report("c2", Principal("alice", "-", "b9"), [tab("t3", visible=False)])
    presence.report("c3", BOB, [tab("t4", visible=False)])
    presence.report("c4", GUEST, [tab("t5"), tab("t6", "yard")])
    assert presence.people("hall") == [
        Person("alice", browsers=2, tabs=3, visible=True),
        Person("bob", browsers=1, tabs=1, visible=False),
        Person(None, browsers=1, tabs=1, visible=True),
    ]
    assert (presence.tabs("hall"), presence.tabs("yard"), presence.tabs("cellar")) == (5, 1, 0)


async def test_guests_are_distinguished_by_their_browsers(presence: Presence) -> None:
    presence.report("c1", Principal(None, "-", "b1"), [tab("t1"), tab("t2")])
    presence.report("c2", Principal(None, "-", "b2"), [tab("t3")])
    assert sorted(person.tabs for person in presence.people("hall")) == [1, 2]


async def test_a_tab_leaves_when_its_browser_no_longer_reports_it(presence: Presence) -> None:
    presence.report("c1", ALICE, [tab("t1"), tab("t2")])
    presence.report("c1", ALICE, [tab("t2")])
    assert presence.tabs("hall") == 1


async def test_a_tab_on_two_connections_counts_once_with_the_latest_report(presence: Presence) -> None:
    presence.report("old", ALICE, [tab("t1", visible=False)])
    presence.report("new", ALICE, [tab("t1", visible=True)])
    assert presence.people("hall") == [Person("alice", browsers=1, tabs=1, visible=True)]


async def test_a_user_cannot_report_another_users_tab(presence: Presence) -> None:
    presence.report("c1", ALICE, [tab("t1")])
    presence.report("c2", BOB, [tab("t1")])
    assert names(presence.people("hall")) == ["alice", "bob"]


async def test_a_tab_leaves_a_little_later_than_its_connection(presence: Presence, changes: list[str]) -> None:
    presence.report("c1", ALICE, [tab("t1")])
    await until(lambda: changes == ["hall"])
    presence.end("c1")
    presence.end("c1")
    assert presence.tabs("hall") == 1
    await until(lambda: changes == ["hall", "hall"])
    assert presence.tabs("hall") == 0


async def test_a_tab_that_reconnects_in_time_does_not_leave(presence: Presence, changes: list[str]) -> None:
    presence.report("c1", ALICE, [tab("t1")])
    presence.end("c1")
    presence.report("c2", ALICE, [tab("t1")])
    presence.report("other", BOB, [tab("t2", "yard")])
    await wait_for_leaving()
    await until(lambda: "yard" in changes)
    assert presence.tabs("hall") == 1
    assert changes == ["hall", "yard"]


async def test_changes_are_reported_together(presence: Presence, changes: list[str]) -> None:
    presence.report("c1", ALICE, [tab("t1", "hall", "yard")])
    presence.report("c2", BOB, [tab("t2", "hall")])
    await until(lambda: bool(changes))
    assert changes == ["hall", "yard"]
    presence.report("c2", BOB, [tab("t2", "hall")])
    presence.report("c1", ALICE, [tab("t1", "yard")])
    await until(lambda: len(changes) > 2)
    assert changes == ["hall", "yard", "hall"]


async def test_no_change_is_reported_after_close(presence: Presence, changes: list[str]) -> None:
    presence.report("c1", ALICE, [tab("t1")])
    presence.end("c1")
    presence.close()
    assert presence.people("hall") == []
    await wait_for_leaving()
    assert changes == []


async def test_a_browser_that_vanishes_leaves_when_its_lease_expires(
    changes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sse_components.presence.LEASE_SECONDS", 0.1)
    presence = Presence(heartbeat=0.01, leave_after=60)
    presence.listen(changes.append)
    presence.report("gone", ALICE, [tab("t1")])
    presence.report("here", BOB, [tab("t2")])

    def only_bob() -> bool:
        presence.report("here", BOB, [tab("t2")])  # as browsers do with each heartbeat
        return names(presence.people("hall")) == ["bob"]

    await until(only_bob)
    await until(lambda: presence._timer is None)
    assert presence._reports.keys() == {"here"}
    before = len(changes)
    assert only_bob()
    assert presence._timer is None  # a repeated report is no change
    presence.report("gone", ALICE, [tab("t1")])  # it was only slow
    assert names(presence.people("hall")) == ["alice", "bob"]
    await until(lambda: len(changes) > before)
    presence.close()


@pytest.mark.parametrize(("heartbeat", "seconds"), [(15, 37.5), (6, 15), (1, 5)])
def test_a_lease_is_some_heartbeats_long(heartbeat: float, seconds: float) -> None:
    assert Presence(heartbeat=heartbeat)._leases.seconds == seconds
