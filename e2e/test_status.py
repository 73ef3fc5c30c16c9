from __future__ import annotations

import re
from functools import partial

from playwright.sync_api import Browser, Locator, Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab, forget_lost_connections
from e2e.page_server import PageServer, wait_until
from e2e.pages.status import HOSTILE

# Collects the announcements for a screen reader: the text of the live region at each change.
LISTEN = """(region) => {
  window.announcements = [];
  const hear = () => announcements.push(region.textContent);
  new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true });
}"""


def expect_state(tab: Page, state: str, words: str) -> None:
    expect(tab.locator("#status")).to_have_attribute("data-sse-state", state)
    expect(tab.locator("#status").get_by_role("status")).to_have_text(words)


def shows(number: Locator, server: PageServer, name: str) -> bool:
    """Return whether a page shows the server's number of connections, and this is not 0."""
    return number.inner_text() == str(server.get("/sse/connections")[name]) != "0"


def test_a_status_shows_the_state_and_its_button_reconnects_at_once(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    painted = server.get(f"/{room}/live")
    assert 'data-sse-state="connecting"' in painted
    assert '<span role="status">Connecting</span>' in painted
    assert "<noscript>Live updates need JavaScript</noscript>" in painted
    assert HOSTILE not in painted

    tabs = [open_tab(f"/{room}/live") for _ in range(2)]
    for tab in tabs:
        expect_state(tab, "live", "Live")
        expect(tab.locator("#words [role=status]")).to_have_text(HOSTILE)
        expect(tab.get_by_role("button")).to_have_count(0)
        tab.locator("#status [role=status]").evaluate(LISTEN)

    server.kill()
    for tab in tabs:
        expect_state(tab, "reconnecting", "Reconnecting")
    tab = tabs[1]
    retry = tab.locator("#status").get_by_role("button", name="Try now")
    # After some failed attempts, the delay is long enough for a countdown.
    expect(tab.locator("#status .sse-countdown")).to_have_text(re.compile(r"^in \d+ s$"))
    expect_no_serious_violations(tab)
    tab.keyboard.press("Tab")
    expect(retry).to_be_focused()
    server.start()
    tab.keyboard.press("Enter")
    expect_state(tab, "live", "Live")
    expect(tab.locator("#status")).to_be_focused()  # the button is hidden
    expect(retry).to_be_hidden()
    announcements = tab.evaluate("announcements")  # without the countdown
    assert (announcements[0], announcements[-1]) == ("Reconnecting", "Live")
    # A brief state is not announced; how long each state lasts depends on the machine.
    assert set(announcements[1:-1]) <= {"Catching up", "Reconnecting"}
    expect_no_serious_violations(tab)
    forget_lost_connections(problems, server)


def test_the_worst_state_is_shown(open_tab: OpenTab, server: PageServer, room: str, problems: list[str]) -> None:
    tabs = [open_tab(f"/{room}/refused"), open_tab("/nothing")]
    expect(tabs[0].locator("#live")).to_have_attribute("data-sse-state", "live")
    expect_state(tabs[0], "denied", "No access")
    expect(tabs[0].get_by_role("button")).to_have_count(0)
    expect_state(tabs[1], "idle", "Nothing live here")
    for tab in tabs:
        expect_no_serious_violations(tab)
    tabs[0].locator("#refused").evaluate("(element) => element.remove()")
    expect_state(tabs[0], "live", "Live")
    problems[:] = [problem for problem in problems if "403" not in problem]


def test_a_status_shows_that_javascript_is_missing(browser: Browser, server: PageServer, room: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(f"{server.url}/{room}/live")
        expect(tab.locator("#status noscript")).to_be_visible()
        expect(tab.locator("#status")).to_have_text("Live updates need JavaScript", use_inner_text=True)


def test_stats_are_live_in_every_tab(open_tab: OpenTab, server: PageServer, room: str, problems: list[str]) -> None:
    server.wait_for_connections(0)
    painted = server.get(f"/{room}/numbers")
    assert '<dd data-sse-stats="active">0</dd>' in painted
    tabs = [open_tab(f"/{room}/numbers") for _ in range(2)]
    for tab in tabs:
        stats = tab.locator("#stats")
        expect(stats.locator("[data-sse-stat=state]")).to_have_text(HOSTILE)
        for name in ("active", "total"):
            number = stats.locator(f"[data-sse-stats={name}]")
            wait_until(partial(shows, number, server, name), what=name)
        expect(stats.locator("[data-sse-stat=reconnects]")).to_have_text("0")
        expect(stats.locator("[data-sse-stat=heard]")).to_contain_text("s ago")
        expect_no_serious_violations(tab)
    server.kill()
    expect(tabs[0].locator("#stats [data-sse-stat=state]")).to_have_text("reconnecting")
    server.start()
    for tab in tabs:
        expect(tab.locator("#stats [data-sse-stat=reconnects]")).to_have_text("1")
    forget_lost_connections(problems, server)
