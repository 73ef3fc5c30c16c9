"""Thirty tabs of a browser: from publishing to the page, and bytes on the wire, over one connection and over thirty.

`python benchmarks/tabs.py` takes two minutes. It runs Chromium, six different pages in five tabs each, and uvicorn. A
browser opens six connections to a host, and no more, over HTTP/1.1: thirty of them take six browser profiles here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import HTMX, PATIENCE
from e2e.fault_proxy import FaultProxy
from e2e.page_server import PageServer
from e2e.pages.shared import PAGES
from e2e.pictures import launch

TABS_OF_A_PAGE = 5
CONNECTIONS = {True: 1, False: PAGES * TABS_OF_A_PAGE}
# Seconds between two messages.
PERIOD = 0.1
# A message is the time at which it was sent. The page notes the age of each message when it shows it.
NOTE_AGES = """() => {
  window.ages = [];
  new MutationObserver(() => {
    const sent = Number(document.querySelector("#announcement").textContent);
    ages.push(performance.timeOrigin + performance.now() - sent);
  }).observe(document.body, { childList: true, subtree: true });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        browser = launch(stack.enter_context(sync_playwright()))
        server = PageServer("shared", int(HTMX[0][0]), folder / "server.log")
        stack.callback(server.stop)
        runs = [
            (shared, measure(browser, server, shared, options.messages)) for shared in (True, False) * options.rounds
        ]
    print("| connections | p50 ms | p99 ms | bytes a message |\n|---|---|---|---|")
    for shared in (True, False):
        found = [run for kind, run in runs if kind is shared]
        row = [median(values) for values in zip(*found, strict=True)]
        print(f"| {CONNECTIONS[shared]} | {row[0]:.1f} | {row[1]:.1f} | {row[2]:,.0f} |")


def measure(browser: Browser, server: PageServer, shared: bool, messages: int) -> tuple[float, float, float]:
    """Return the median age, and the 99th percentile, in milliseconds, and the bytes that a message takes."""
    proxy = FaultProxy(server.port)
    with ExitStack() as stack:
        stack.callback(proxy.close)
        tabs = open_tabs(browser, proxy.url, shared, stack)
        server.wait_for_connections(CONNECTIONS[shared])
        for tab in tabs:
            tab.evaluate(NOTE_AGES)
        before = proxy.sent
        last = publish(server, messages)
        ages = sorted(age for tab in tabs for age in collect_ages(tab, last))
        return median(ages), quantiles(ages, n=100)[-1], (proxy.sent - before) / messages


def open_tabs(browser: Browser, url: str, shared: bool, stack: ExitStack) -> list[Page]:
    """Open all pages, in tabs of one browser profile, or each page in a separate profile."""
    tabs = []
    for number in range(PAGES):
        if number == 0 or not shared:
            context = browser.new_context()
            stack.callback(context.close)
            context.route(OUTSIDE, Cdn(HTMX[0]).answer)
        for _ in range(TABS_OF_A_PAGE):
            tab = context.new_page()
            tab.goto(f"{url}/room/{number}?shared={str(shared).lower()}")
            expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live", timeout=PATIENCE)
            tabs.append(tab)
    return tabs


def publish(server: PageServer, messages: int) -> str:
    """Publish the time repeatedly, and return the last message."""
    for _ in range(messages):
        now = json.dumps(time.time() * 1000)
        server.post("/room/announce", text=now)
        time.sleep(PERIOD)
    return now


def collect_ages(tab: Page, last: str) -> list[float]:
    expect(tab.locator("#announcement")).to_have_text(last, timeout=PATIENCE)
    ages: list[float] = tab.evaluate("ages")
    return ages


if __name__ == "__main__":
    main()
