"""Publishing works the same for every kind of caller, keeps the order, and logs where it failed."""

from __future__ import annotations

import inspect

import pytest
from playwright.sync_api import expect

from e2e.conftest import PATIENCE, OpenTab
from e2e.page_server import PageServer, wait_until
from e2e.pages import publishers
from e2e.pages.publishers import MESSAGES, WAYS


def test_every_kind_of_caller_publishes_in_order_without_await(open_tab: OpenTab, room: str) -> None:
    tabs = [open_tab(f"/{room}/page") for _ in range(2)]
    shown: list[str] = []
    for way in WAYS:
        tabs[0].get_by_role("button", name=way, exact=True).press("Enter")
        shown += [f"{way}-{number}" for number in range(MESSAGES)]
        for tab in tabs:
            expect(tab.locator(f"#{room} li")).to_have_text(shown)
            expect(tab.locator(f"#{room}-last")).to_have_text(way)


def test_a_startup_handler_publishes(open_tab: OpenTab, server: PageServer) -> None:
    expected = [f"startup-{number}" for number in range(MESSAGES)]
    events = server.get("/started/events")
    places = [events.find(f'id="started-{text}"') for text in expected]
    assert -1 not in places
    assert places == sorted(places)
    tab = open_tab("/started/page")
    expect(tab.locator("#started li")).to_have_text(expected)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_unretrieved_failure_is_logged_with_the_line_of_the_call(server: PageServer, room: str, kind: str) -> None:
    lines = inspect.getsource(publishers).splitlines()
    line = next(
        number
        for number, text in enumerate(lines, 1)
        if f"the failing line of a{'n' * (kind == 'async')} {kind}" in text
    )
    server.post(f"/{room}/fail/{kind}")
    log = ""

    def is_logged() -> bool:
        nonlocal log
        log += server.new_log()
        return "the board is broken" in log

    wait_until(is_logged, within=PATIENCE / 1_000, what="the failure in the log")
    assert f"called at {publishers.__file__}:{line}" in log
