"""Counts of tabs and lists of people, with one connection for each browser, with and without a worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab
from e2e.fault_proxy import FaultProxy
from e2e.page_server import PageServer

HOSTILE = "<script>window.hacked = 1</script>"


@pytest.fixture
def other(new_context: Callable[..., BrowserContext], server: PageServer, room: str) -> Page:
    """Return a tab in another browser, whose user has a name with markup."""
    tab = new_context().new_page()
    tab.goto(f"{server.url}/{room}/here")
    sign_in(tab, HOSTILE)
    tab.reload()
    return tab


def sign_in(tab: Page, user: str) -> None:
    """Sign in. Open tabs keep their earlier user."""
    tab.evaluate("(user) => fetch('/sign-in', { method: 'POST', body: new URLSearchParams({ user }) })", user)


def expect_people(tab: Page, *people: str) -> None:
    expect(tab.locator("#people li")).to_have_text(list(people))


def test_opening_and_closing_tabs_updates_the_count(
    open_tab: OpenTab, server: PageServer, room: str, other: Page
) -> None:
    expect(other.locator("#count")).to_have_text("1tab opentabs open", use_inner_text=False)
    first = open_tab(f"/{room}/here")
    sign_in(first, "alice")
    first.reload()
    second = open_tab(f"/{room}/here")
    for tab in (first, second, other):
        expect(tab.locator("#count")).to_have_text("3 tabs open", use_inner_text=True)
        expect_people(tab, f"{HOSTILE}1 tab", "alice2 tabs")
        assert tab.evaluate("window.hacked") is None
    assert server.get(f"/{room}/here").count("sse-person") == 2

    second.get_by_role("link").click()
    second.reload()
    expect(first.locator("#count")).to_have_text("3 tabs open", use_inner_text=True)
    second.close()
    expect(first.locator("#count")).to_have_text("2 tabs open", use_inner_text=True)
    other.context.close()
    expect_people(first, "alice1 tab")
    expect(first.locator("#count")).to_have_text("1 tab open", use_inner_text=True)
    expect_no_serious_violations(first)


@pytest.mark.parametrize("name", ["doc:42", "a b", 'it\'s "[x]" \\', "Größe: 日本"])
def test_a_room_may_have_any_name(name: str, open_tab: OpenTab, room: str) -> None:
    path = f"/{quote(f'{room} {name}', safe='')}/here"
    first = open_tab(path)
    expect(first.locator("#count")).to_have_text("1 tab open", use_inner_text=True)
    open_tab(path)
    expect(first.locator("#count")).to_have_text("2 tabs open", use_inner_text=True)
    expect_people(first, "Guest2 tabs")


def test_a_hidden_tab_is_away(open_tab: OpenTab, room: str) -> None:
    first, second = open_tab(f"/{room}/here"), open_tab(f"/{room}/here")
    expect_people(second, "Guest2 tabs")
    for tab in (first, second):
        tab.evaluate(
            """() => {
              window.isHidden = true;
              Object.defineProperty(Document.prototype, "hidden", { get: () => window.isHidden });
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
    expect_people(second, "Guest2 tabs, away")
    first.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect_people(second, "Guest2 tabs")


@pytest.mark.parametrize("script", ["delete globalThis.SharedWorker"])
def test_without_a_worker_each_tab_reports_itself(
    script: str, context: BrowserContext, open_tab: OpenTab, room: str
) -> None:
    context.add_init_script(script)
    first, second = open_tab(f"/{room}/here"), open_tab(f"/{room}/here")
    for tab in (first, second):
        expect_people(tab, "Guest2 tabs")
    second.close()
    expect_people(first, "Guest1 tab")


def test_a_browser_that_vanishes_without_a_word_leaves_and_all_others_stay(
    open_tab: OpenTab, proxy: FaultProxy, new_context: Callable[..., BrowserContext], server: PageServer, room: str
) -> None:
    first = open_tab(f"/{room}/here")
    sign_in(first, "alice")
    first.reload()
    vanishing = new_context().new_page()
    vanishing.goto(f"{proxy.url}/{room}/here")
    sign_in(vanishing, "bob")
    vanishing.reload()
    expect_people(first, "alice1 tab", "bob1 tab")
    proxy.black_hole()  # nothing tells the server that the connection has ended
    expect_people(first, "alice1 tab")  # a lease is five seconds long with these heartbeats

    proxy.restore()
    proxy.reset()  # its dead connections
    expect_people(first, "alice1 tab", "bob1 tab")
    vanishing.context.close()


def test_a_component_whose_module_fails_is_tried_again(
    context: BrowserContext, server: PageServer, room: str, problems: list[str]
) -> None:
    """A browser keeps the failure of a module for as long as the page lives."""
    tab, failures = context.new_page(), iter([503, 503])

    def answer(route: Route) -> None:
        if status := next(failures, None):
            route.fulfill(status=status)
        else:
            route.continue_()

    tab.route(re.compile(r"/components/presence\.js"), answer)
    tab.goto(f"{server.url}/{room}/here")
    expect(tab.locator("#count")).to_have_attribute("data-sse-failed", "")
    expect(tab.locator("#count")).to_have_text("1 tab open", use_inner_text=True)
    expect(tab.locator("[data-sse-failed]")).to_have_count(0)
    assert any("its module" in problem for problem in problems)
    problems[:] = [problem for problem in problems if "503" not in problem and "its module" not in problem]
