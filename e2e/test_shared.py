"""One connection for each browser, however many tabs and pages are open, and if some of them fail."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from e2e.conftest import OpenTab, count_sources
from e2e.numbers import expect_numbers, publish, publishing, wait_for_numbers
from e2e.page_server import PageServer, wait_until
from e2e.pages.shared import PAGES

TABS = 30
# The number of connections that a browser opens to a host over HTTP/1.1.
WALL = 6
NOW = "performance.timeOrigin + performance.now()"
# When the browser wanted the page, and when a connection was free to ask for it.
ASKED = """() => {
  const { fetchStart, requestStart } = performance.getEntriesByType("navigation")[0];
  return [performance.timeOrigin + fetchStart, performance.timeOrigin + requestStart];
}"""


def expect_live(tab: Page) -> None:
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")


def worker_of(context: BrowserContext, server: PageServer) -> tuple[CDPSession, str]:
    """Return a CDP session with the browser, and the target id of the worker."""
    assert context.browser
    browser = context.browser.new_browser_cdp_session()
    targets = browser.send("Target.getTargets", {"filter": [{"type": "shared_worker"}]})["targetInfos"]
    (found,) = [target["targetId"] for target in targets if target["url"].startswith(server.url)]
    return browser, found


def in_worker(context: BrowserContext, server: PageServer, script: str) -> None:
    """Run a script in the worker, without waiting for its end."""
    browser, worker = worker_of(context, server)
    session = browser.send("Target.attachToTarget", {"targetId": worker, "flatten": False})["sessionId"]
    message = f'{{"id": 1, "method": "Runtime.evaluate", "params": {{"expression": "{script}"}}}}'
    browser.send("Target.sendMessageToTarget", {"sessionId": session, "message": message})


def test_30_tabs_of_6_pages_over_one_connection(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    """Each page gets only its own channel, while tabs open and close, and after the server is killed."""
    server.wait_for_connections(0)
    tabs = [(number % PAGES, open_tab(f"/{room}/{number % PAGES}")) for number in range(TABS)]
    for _, tab in tabs:
        expect_live(tab)
    server.wait_for_connections(1)
    server.post(f"/{room}/announce", text="hello")
    for _, tab in tabs:
        expect(tab.locator("#announcement")).to_have_text("hello")

    random.Random(room).shuffle(tabs)
    with publishing(f"{server.url}/{room}/add", range(300)):
        for _, tab in tabs[:10]:
            tab.close()
        tabs = tabs[10:]
        wait_for_numbers(tabs[0][1], 5)
        server.kill()
        server.start()
        for _, tab in tabs[:5]:
            tab.reload()
    for _, tab in tabs:
        expect_numbers(tab, 300 // PAGES)
    server.wait_for_connections(1)
    problems[:] = [problem for problem in problems if "net::ERR_" not in problem and not problem.startswith("failed:")]


@pytest.mark.parametrize("fate", ["self.close()", "for(;;);"], ids=["dies", "hangs"])
def test_the_worker_dies_or_hangs(
    fate: str, open_tab: OpenTab, context: BrowserContext, server: PageServer, room: str
) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab(f"/{room}/0") for _ in range(3)]
    for tab in tabs:
        expect_live(tab)
    with publishing(f"{server.url}/{room}/add", range(0, 300, PAGES)):
        wait_for_numbers(tabs[0], 5)
        in_worker(context, server, fate)
    for tab in tabs:
        expect_numbers(tab, 50)
        assert count_sources(tab) == 1


WITHOUT_WORKER: dict[str, str] = {
    "no SharedWorker": "delete globalThis.SharedWorker;",
    "none for this page": "SharedWorker = class { constructor() { throw new DOMException('', 'SecurityError'); } };",
    "no answer": """
        SharedWorker = class extends SharedWorker {
          constructor() { super(URL.createObjectURL(new Blob([""]))); }
        };""",
    "no script": "SharedWorker = class extends SharedWorker { constructor() { super('/sse/assets/nothing.js'); } };",
}


@pytest.mark.parametrize("script", WITHOUT_WORKER.values(), ids=WITHOUT_WORKER)
def test_a_page_without_a_worker_connects_by_itself(
    script: str, context: BrowserContext, open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    server.wait_for_connections(0)
    context.add_init_script(script)
    tabs = [open_tab(f"/{room}/0") for _ in range(2)]
    publish(f"{server.url}/{room}/add", range(0, 60, PAGES))
    for tab in tabs:
        expect_numbers(tab, 10)
    server.wait_for_connections(2)
    problems[:] = [problem for problem in problems if "404" not in problem]


def test_without_sharing_the_seventh_tab_waits_for_a_connection(
    context: BrowserContext, open_tab: OpenTab, server: PageServer, room: str
) -> None:
    """This shows why tabs share a connection."""
    server.wait_for_connections(0)
    for _ in range(WALL):
        expect_live(open_tab(f"/{room}/0?shared=false"))
    server.wait_for_connections(WALL)
    url = f"{server.url}/{room}/0?shared=false"
    seventh = context.new_page()
    with seventh.expect_request(url):
        seventh.evaluate("url => { location.href = url; }", url)
    closed = context.pages[0].evaluate(NOW)
    context.pages[0].close()
    expect_live(seventh)
    wanted, sent = seventh.evaluate(ASKED)
    assert wanted < closed <= sent


def test_the_tab_of_the_request_can_be_excluded_or_addressed_alone(open_tab: OpenTab, room: str) -> None:
    """The tab shares its connection with others."""
    tabs = [open_tab(f"/{room}/{page}") for page in range(3)]
    for tab in tabs:
        expect_live(tab)
    tabs[0].get_by_role("button").click()
    for tab in tabs[1:]:
        expect(tab.locator("#heard li")).to_have_text(["others"])
    expect(tabs[0].locator("#heard li")).to_have_text(["you alone"])


def close(tab: Page) -> None:
    tab.close()


def leave(tab: Page) -> None:
    tab.goto("about:blank")


@pytest.mark.parametrize("go", [close, leave])
def test_closing_the_last_tab_ends_the_connection(
    go: Callable[[Page], None], open_tab: OpenTab, server: PageServer, room: str
) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab(f"/{room}/{page}") for page in range(2)]
    for tab in tabs:
        expect_live(tab)
    for tab in tabs:
        go(tab)
    wait_until(lambda: server.connections() == 0, what="no connection")
