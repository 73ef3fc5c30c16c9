from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import BROWSERS, OpenTab, forget_lost_connections, installed_program
from e2e.page_server import PageServer, wait_until

CHECK_INTERVAL = 600
# What a page has told of its stream, and of the numbers.
TOLD = """for (const name of ["sse:state", "sse:stats"]) {
  document.addEventListener(name, (event) => { (window[name] ??= []).push(event.detail); });
}"""


@pytest.fixture(scope="module")
def browser(launch_browser: Callable[..., Browser]) -> Iterator[Browser]:
    """Launch a browser that keeps pages for the way back; Playwright's default is one that does not."""
    program = installed_program(*BROWSERS)
    browser = launch_browser(executable_path=program, ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


@pytest.fixture
def open_tab(open_tab: OpenTab, context: Any) -> OpenTab:
    context.add_init_script(TOLD)
    return open_tab


def expect_state(tab: Page, state: str) -> None:
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", state)


def told(tab: Page, name: str) -> list[dict[str, Any]]:
    return tab.evaluate("(name) => window[name] ?? []", name)  # type: ignore[no-any-return]


def lost(tab: Page) -> list[dict[str, Any]]:
    """Return what the page was told of each attempt that has failed."""
    return [state for state in told(tab, "sse:state") if state.get("status") is not None]


def test_a_killed_server_is_found_again(open_tab: OpenTab, server: PageServer, problems: list[str]) -> None:
    tab = open_tab(f"/reconnect?check_interval={CHECK_INTERVAL}&max_retries=1000")
    expect_state(tab, "live")
    server.kill()
    expect_state(tab, "reconnecting")
    server.start()
    expect_state(tab, "live")

    server.post("/say", text="back again")
    expect(tab.locator("#live")).to_contain_text("back again")
    losses = lost(tab)
    assert losses
    assert not any(loss["final"] for loss in losses)
    assert forget_lost_connections(problems, server) == len(losses)


def test_a_server_that_stays_away_is_given_up(open_tab: OpenTab, server: PageServer, problems: list[str]) -> None:
    tab = open_tab(f"/reconnect?check_interval={CHECK_INTERVAL}&max_retries=6")
    expect_state(tab, "live")
    server.kill()
    expect_state(tab, "offline")
    server.start()

    *waited, last = lost(tab)
    assert [wait["final"] for wait in waited] == [False] * 6
    assert max(wait["delay"] for wait in waited) <= CHECK_INTERVAL
    assert (last["state"], last["final"]) == ("offline", True)
    assert forget_lost_connections(problems, server) == 7
    tab.evaluate("dispatchEvent(new Event('online'))")
    server.wait_for_connections(0)
    expect_state(tab, "offline")


def test_leaving_and_coming_back(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    tab = open_tab("/unload")
    expect_state(tab, "live")
    server.wait_for_connections(1)
    tab.evaluate("addEventListener('pageshow', ({persisted}) => { window.persisted = persisted; })")

    tab.goto(f"{server.url}/without")
    server.wait_for_connections(0)
    tab.go_back(wait_until="commit")
    assert tab.evaluate("window.persisted")
    expect_state(tab, "live")
    server.post("/say", text="welcome back")
    expect(tab.locator("#live")).to_contain_text("welcome back")
    server.wait_for_connections(1)

    tab.close()
    server.wait_for_connections(0)


def test_the_monitor_follows_tabs(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    tab = open_tab("/monitor")
    expect(tab.locator("#active")).to_have_text("1")
    others = [open_tab("/unload") for _ in range(2)]
    expect(tab.locator("#active")).to_have_text("3")
    expect(tab.locator("#sentence")).to_have_text("3 of 3 connections active")
    expect(tab.locator("#by_state")).to_have_text("connected 3")
    expect(tab.locator("[id='by_type.job']")).to_have_text("0")
    others[0].close()
    expect(tab.locator("#active")).to_have_text("2")

    last = told(tab, "sse:stats")[-1]
    assert (last["total"], last["active"]) == (2, 2)
    assert [source["state"] for source in last["page"]] == ["live"]


def test_the_monitor_tells_errors_and_goes_on(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_tab(f"/monitor?endpoint=/{room}/numbers&update_interval=150")
    expect(tab.locator("#sentence")).to_have_text(re.compile("of 9 connections active"))
    errors = [stats["error"] for stats in told(tab, "sse:stats") if "error" in stats]
    assert [error.partition(":")[0] for error in errors] == ["Error", "SyntaxError", "TimeoutError"]
    assert f"/{room}/numbers answered 404" in errors[0]
    assert len(problems) == 1
    assert "404" in problems.pop()


def test_the_monitor_asks_when_it_is_answered_and_seen(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab("/without")
    tab.clock.install(time=0)
    tab.clock.pause_at(1)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(f"{server.url}/monitor?endpoint=/{room}/slow&update_interval=1000")
    expect_state(tab, "live")
    wait_for_requests(server, room, 1)
    server.post("/release")
    # The answer may not have known the page's own stream: so once more, at once.
    for number in range(2, 5):
        wait_for_requests(server, room, number)
        # Longer than the interval, and shorter than what the page waits for its hub.
        tab.clock.run_for(1500)
        server.post("/release")
        expect(tab.locator("#active")).to_have_text(str(number))
        tab.clock.run_for(1000)
    wait_for_requests(server, room, 5)

    set_hidden(tab, True)
    server.post("/release")
    expect(tab.locator("#active")).to_have_text("5")
    before = len(requests)
    tab.clock.run_for(1500)
    assert requests[before:] == []
    set_hidden(tab, False)
    wait_for_requests(server, room, 6)
    server.post("/release")
    expect(tab.locator("#active")).to_have_text("6")


def wait_for_requests(server: PageServer, room: str, count: int) -> None:
    wait_until(lambda: bool(server.get(f"/{room}/asked") == count), what=f"{count} requests")


def set_hidden(tab: Page, hidden: bool) -> None:
    """Let the page believe that its tab is hidden, or no longer: a headless Chromium never hides one."""
    define = "(value) => Object.defineProperty(Document.prototype, 'hidden', { value, configurable: true })"
    tab.evaluate(define, hidden)
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_right_text_is_not_written_again(open_tab: OpenTab, server: PageServer) -> None:
    tab = open_tab("/monitor")
    expect(tab.locator("#active")).to_have_text("1")
    tab.evaluate("""() => {
      window.writes = 0;
      new MutationObserver(() => { window.writes += 1; }).observe(document.body, {subtree: true, childList: true});
    }""")
    seen = len(told(tab, "sse:stats"))
    tab.wait_for_function("(least) => window['sse:stats'].length >= least", arg=seen + 3)
    assert tab.evaluate("writes") == 0


def test_all_of_them_on_one_page(open_tab: OpenTab, server: PageServer, room: str) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/together")
    expect_state(tab, "live")
    expect(tab.locator("#active")).to_have_text("1")
    for text in ("one", "two"):
        server.post(f"/{room}/say", text=text)
    expect(tab.locator("#live > div")).to_have_text(["one", "two"])
    assert server.connections() == 1
    loaded = tab.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    modules = [url for url in loaded if "/sse/assets/" in url]
    assert len(modules) == len(set(modules)) > 5
