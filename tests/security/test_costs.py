"""Work that does not grow with what strangers have sent before."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sse_components.access.identity import Principal
from sse_components.access.limits import Limits
from sse_components.access.revocations import Revocations
from sse_components.presence import Presence, Tab
from tests.support.clock import Clock

# How many times as long something may take with much before it as with little. A scan would take a thousand times.
GROWTH = 20


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of some runs: what else runs on the machine only adds to it."""

    def once() -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    return min(once() for _ in range(5))


def test_a_revocation_takes_as_long_after_a_hundred_thousand_that_have_expired() -> None:
    def after(count: int) -> float:
        clock = Clock()
        revocations = Revocations(10.0, clock)
        for number in range(count):
            revocations.add(user=f"user-{number}")
        clock.now += 100
        revocations.add(user="ann")  # forgets the others

        def add() -> None:
            for number in range(1_000):
                revocations.add(user=f"later-{number}")

        return cpu_seconds(add)

    assert after(100_000) < GROWTH * after(100)


@pytest.mark.anyio
async def test_a_change_in_a_room_takes_as_long_whoever_is_in_other_rooms() -> None:
    def with_others(count: int) -> float:
        presence = Presence(limits=Limits(tabs_per_client=1_000_000))
        for number in range(count):
            tab = Tab(f"tab_{number:08}", True, frozenset({f"room-{number}"}))
            presence.report(f"other-{number}", Principal(browser=f"other-{number}"), [tab])
        mine = [Tab("tab_mine0000", visible, frozenset({"board"})) for visible in (True, False)]

        def change() -> None:
            for _ in range(50):
                for tab in mine:
                    presence.report("mine", Principal(browser="mine"), [tab])
                    assert presence.people("board")[0].tabs == presence.tabs("board") == 1

        seconds = cpu_seconds(change)
        presence.close()
        return seconds

    assert with_others(20_000) < GROWTH * with_others(20)
