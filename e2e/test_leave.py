"""Refused, revoked and expired grants, separately for each element, in all tabs, and while streams run."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer, wait_until

# Why the server refuses a grant; "" if it does not.
REFUSAL = """async (address) => {
  const stop = new AbortController();
  const response = await fetch(address, { signal: stop.signal });
  const reason = response.ok ? "" : (await response.json()).denied[0].reason;
  stop.abort();
  return reason;
}"""


@pytest.fixture(autouse=True)
def refusals(problems: list[str]) -> Any:
    """Ignore the console errors for responses with 403."""
    yield
    problems[:] = [problem for problem in problems if "403" not in problem]


def expect_state(tab: Page, id: str, state: str) -> None:
    expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", state)


def post(tab: Page, path: str, **form: str) -> None:
    tab.evaluate("([path, form]) => fetch(path, { method: 'POST', body: new URLSearchParams(form) })", [path, form])


def test_each_grant_is_refused_separately_and_renewed_before_it_expires(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    """The page is neither reloaded nor fetched again, and keeps its connection."""
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/page")
    for id, state in {"one": "live", "two": "live", "forbidden": "denied", "forged": "denied"}.items():
        expect_state(tab, id, state)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    connections = server.get("/sse/connections")["message_count"]
    wait_until(lambda: int(server.get(f"/{room}/asked")) >= 3, within=30, what="two renewals")
    server.post("/publish", channel=f"{room}/two", html="<p>new</p>")
    expect(tab.locator("#two")).to_have_text("new")
    expect_state(tab, "one", "live")
    assert server.get("/sse/connections")["message_count"] == connections + 1
    assert requests == []


def test_a_revoked_channel_ends_and_the_others_continue(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tabs = [open_tab(f"/{room}/page") for _ in range(2)]
    for tab in tabs:
        expect_state(tab, "one", "live")
        expect_state(tab, "two", "live")
    server.post("/close", channel=f"{room}/one")
    for tab in tabs:
        expect_state(tab, "one", "denied")
        expect_state(tab, "two", "live")
    for name in ("one", "two"):
        server.post("/publish", channel=f"{room}/{name}", html="<p>new</p>")
    for tab in tabs:
        expect(tab.locator("#two")).to_have_text("new")
        expect(tab.locator("#one")).to_have_text("old")


def test_signing_out_in_one_tab_ends_the_streams_of_all_tabs(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """The grants of signed-out tabs are refused. A tab gets new ones when the user signs in again and reloads."""
    server.wait_for_connections(0)
    first = open_tab("/sign-in")
    post(first, "/sign-in", user="alice")
    tabs = [open_tab(f"/members/{room}") for _ in range(3)]
    for tab in tabs:
        expect_state(tab, "one", "live")
    held = tabs[0].locator("#one").get_attribute("data-sse-connect")
    post(first, "/sign-out")
    for tab in tabs:
        expect_state(tab, "one", "denied")
    server.wait_for_connections(0)
    assert first.evaluate(REFUSAL, held) == "foreign"
    post(first, "/sign-in", user="bob")
    assert first.evaluate(REFUSAL, held) == "foreign"
    tabs[0].reload()
    expect_state(tabs[0], "one", "live")
    expect_state(tabs[1], "one", "denied")


def test_a_page_whose_grant_expired_during_sleep_heals(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """It fetches itself, which brings new grants."""
    tab = open_tab("/sign-in")
    post(tab, "/sign-in", user="alice")
    tab.goto(f"{server.url}/members/{room}")
    expect_state(tab, "one", "live")
    tab.evaluate("window.isTheSame = true")
    tab.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    server.wait_for_connections(0)
    held = tab.locator("#one").get_attribute("data-sse-connect")
    wait_until(lambda: bool(tab.evaluate(REFUSAL, held) == "expired"), within=20, what="an expired grant")
    tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect_state(tab, "one", "live")
    server.post("/publish", channel=room, html="<p>new</p>")
    expect(tab.locator("#one")).to_have_text("new")
    assert tab.evaluate("isTheSame")


def test_a_page_heals_when_its_session_has_been_replaced(
    open_tab: OpenTab, context: BrowserContext, server: PageServer, room: str
) -> None:
    """When two first pages are opened at once, each sets a session cookie, and the browser keeps only one."""
    first = open_tab(f"/{room}/page")
    expect_state(first, "one", "live")
    held = str(first.locator("#one").get_attribute("data-sse-connect"))
    context.clear_cookies()
    second = open_tab(f"/{room}/page")
    expect(first.locator("#one")).not_to_have_attribute("data-sse-connect", held)
    for tab in (first, second):
        expect_state(tab, "one", "live")
    server.post("/publish", channel=f"{room}/one", html="<p>new</p>")
    for tab in (first, second):
        expect(tab.locator("#one")).to_have_text("new")
