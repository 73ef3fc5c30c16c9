from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.conftest import OpenTab, expect_live
from e2e.page_server import PageServer


def grant_of(tab: Page, room: str) -> str | None:
    """Return the address of the live text's stream, with its grant: another one is another connection."""
    return tab.locator(f"#cell-{room}").get_attribute("data-sse-connect")


@pytest.mark.parametrize("how", ["handler", "thread"])
def test_a_row_with_a_live_component_reaches_other_visitors(
    open_tab: OpenTab, server: PageServer, room: str, how: str, new_context: Callable[..., BrowserContext]
) -> None:
    """Published by somebody else, or by a job: every page shows it live, and none fetches itself."""
    other = new_context().new_page()
    other.goto(f"{server.url}/{room}/list")
    tabs = [open_tab(f"/{room}/list"), open_tab(f"/{room}/list"), other]
    for tab in tabs:
        expect_live(tab)
    for name in ("milk", "bread"):
        name = f"{name}-{room}"
        server.post(f"/{room}/append", name=name, how=how)
        for tab in tabs:
            expect(tab.locator(f"#cell-{name}")).to_have_attribute("data-sse-state", "live")
        server.post(f"/{room}/cell", name=name, text="changed")
        for tab in tabs:
            expect(tab.locator(f"#cell-{name}")).to_have_text("changed")
    for tab in tabs:
        expect_live(tab, 3)
    assert server.get(f"/{room}/shown") == "3"


def test_what_a_separate_connection_brings_may_be_live(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """Its grant is valid only beside the one for the channel that brought it."""
    tab = open_tab(f"/{room}/apart")
    expect_live(tab)
    server.post(f"/{room}/nest", name=room)
    expect(tab.locator(f"#cell-{room}")).to_have_attribute("data-sse-state", "live")
    server.post(f"/{room}/cell", name=room, text="changed")
    expect(tab.locator(f"#cell-{room}")).to_have_text("changed")
    assert server.get(f"/{room}/shown") == "1"


def test_a_region_keeps_the_connections_of_what_it_shows_again(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    tab = open_tab(f"/{room}/region")
    expect_live(tab, 2)
    grant = grant_of(tab, room)
    tab.locator("#note").fill("half")
    for _ in range(5):
        before = tab.locator("#number").inner_text()
        server.post(f"/{room}/refresh")
        expect(tab.locator("#number")).not_to_have_text(before)
    server.post(f"/{room}/cell", name=room, text="changed")
    expect(tab.locator(f"#cell-{room}")).to_have_text("changed")
    expect(tab.locator("#note")).to_have_value("half")
    expect_live(tab, 2)
    assert grant_of(tab, room) == grant


def test_each_tab_fetches_a_region_for_its_own_user(
    open_tab: OpenTab, server: PageServer, room: str, new_context: Callable[..., BrowserContext]
) -> None:
    bob = new_context().new_page()
    bob.goto(f"{server.url}/{room}/fetched?name=bob")
    tabs = {"ann": open_tab(f"/{room}/fetched?name=ann"), "bob": bob}
    grant = grant_of(tabs["ann"], room)
    for name, tab in tabs.items():
        expect_live(tab, 2)
        tab.locator("#note").fill(f"typed by {name}")
    for number in range(1, 4):
        server.post(f"/{room}/change")
        for name, tab in tabs.items():
            expect(tab.locator("#mine")).to_have_text(f"{name} {number}")
    server.post(f"/{room}/cell", name=room, text="changed")
    for name, tab in tabs.items():
        expect(tab.locator(f"#cell-{room}")).to_have_text("changed")
        expect(tab.locator("#note")).to_have_value(f"typed by {name}")
        expect_live(tab, 2)
    assert grant_of(tabs["ann"], room) == grant


def test_a_region_that_cannot_be_fetched_stays_and_is_fetched_again(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_tab(f"/{room}/fetched?name=ann")
    expect_live(tab, 2)
    answers = iter([503, 503])

    def fail(route: object) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()  # type: ignore[attr-defined]
        else:
            route.fulfill(status=status, body="not now")  # type: ignore[attr-defined]

    tab.route(re.compile(f"/{room}/mine"), fail)
    server.post(f"/{room}/change")
    expect(tab.locator("#mine")).to_have_text("ann 1")
    assert next(answers, None) is None

    tab.unroute(re.compile(f"/{room}/mine"))
    tab.route(re.compile(f"/{room}/mine"), lambda route: route.fulfill(status=404, body="gone"))
    with tab.expect_console_message(lambda message: "so its region stays as it was" in message.text):
        server.post(f"/{room}/change")
    expect(tab.locator("#mine")).to_have_text("ann 1")
    problems[:] = [problem for problem in problems if "503" not in problem and "404" not in problem]
