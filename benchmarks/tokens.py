"""The main-thread time of a page for each message of a component, for answers of growing length and for a log.

`python benchmarks/tokens.py` takes five to ten minutes. It runs a headless Chromium and uvicorn, and subtracts what the
page spends while it is idle.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import httpx
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import HTMX
from e2e.page_server import PageServer
from e2e.pictures import launch

LENGTHS = [1_000, 20_000, 100_000]
# The maximum number of lines in the log on `e2e/pages/feed.py`. The log is full.
LINES = 100
# Seconds between two messages: longer than a component's interval, in which it sends all changes together.
PERIODS = {"work": 0.07, "feed": 0.13}
# Metrics of the main thread in Chromium, in seconds.
METRICS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
WORDS = "The answer of a model comes in tokens, and each of them is a few letters long. "
# A text with paragraphs of 400 characters, and a text with a single paragraph.
TEXTS = {"": WORDS * 5 + "\n", " in one paragraph": WORDS}


class Cost(NamedTuple):
    """Milliseconds of the main thread for one message: the total, and the parts that Chromium reports."""

    all: float
    script: float
    layout: float
    style: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--htmx", nargs="*", default=HTMX)
    options = parser.parse_args()
    print("| htmx | shown | ms a message | script | layout | style |\n|---|---|---|---|---|---|")
    for htmx in options.htmx:
        for what, rounds in measure_all(htmx, options.messages, options.rounds):
            cost = [median(values) for values in zip(*rounds, strict=True)]
            print(f"| {htmx} | {what} | " + " | ".join(f"{value:.2f}" for value in cost) + " |", flush=True)


def measure_all(htmx: str, messages: int, rounds: int) -> Iterator[tuple[str, list[Cost]]]:
    with browser_and_folder() as (browser, folder):
        with serve("work", htmx, folder) as server:
            for (how, text), length in product(TEXTS.items(), LENGTHS):
                shown = (text * (length // len(text) + 1))[:length]
                found = [measure_answer(browser, server, htmx, shown, messages) for _ in range(rounds)]
                yield f"an answer of {length:,} characters{how}", found
        with serve("feed", htmx, folder) as server:
            yield f"a log of {LINES} lines", [measure_log(browser, server, htmx, messages) for _ in range(rounds)]


@contextmanager
def browser_and_folder() -> Iterator[tuple[Browser, Path]]:
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = launch(playwright)
        yield browser, Path(folder)
        browser.close()


@contextmanager
def serve(page: str, htmx: str, folder: Path) -> Iterator[PageServer]:
    server = PageServer(page, int(htmx[0]), folder / f"{page}-{htmx}.log")
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def open_page(browser: Browser, url: str, htmx: str) -> Iterator[Page]:
    context = browser.new_context()
    context.route(OUTSIDE, Cdn(htmx).answer)
    tab = context.new_page()
    tab.goto(url)
    expect(tab.locator("[data-sse-state=live]")).to_have_count(1)
    yield tab
    context.close()


def measure_answer(browser: Browser, server: PageServer, htmx: str, text: str, messages: int) -> Cost:
    """Return the cost of a token at the end of an answer."""
    room = f"room-{uuid4().hex[:8]}"
    with ExitStack() as stack:
        tab = stack.enter_context(open_page(browser, f"{server.url}/{room}/answer", htmx))
        asking = stack.enter_context(ThreadPoolExecutor(1))
        asking.submit(httpx.post, f"{server.url}/{room}/ask", timeout=None)
        stack.callback(server.post, f"/{room}/end")
        expect(tab.locator(f"#{room}-state")).to_have_text("Writing …")
        server.post(f"/{room}/order", text=text)
        wait_for_length(tab, room, len(text))
        cost = cost_of(tab, PERIODS["work"], messages, lambda _: server.post(f"/{room}/order", text=" token"))
        wait_for_length(tab, room, len(text) + len(" token") * messages)
        return cost


def wait_for_length(tab: Page, room: str, length: int) -> None:
    tab.wait_for_function(f"document.getElementById('{room}-text').textContent.length === {length}")


def measure_log(browser: Browser, server: PageServer, htmx: str, messages: int) -> Cost:
    """Return the cost of a line at the end of a full log."""
    room = f"room-{uuid4().hex[:8]}"
    server.post(f"/{room}/log/write", count=LINES, level="info", text=WORDS)
    with open_page(browser, f"{server.url}/{room}/log", htmx) as tab:

        def write(number: int) -> None:
            server.post(f"/{room}/log/write", count=1, level="info", text=f"new {number}.")

        cost = cost_of(tab, PERIODS["feed"], messages, write)
        expect(tab.locator(".sse-log-line").last).to_contain_text(f"new {messages - 1}.")
        return cost


def cost_of(tab: Page, period: float, messages: int, publish: Callable[[int], object]) -> Cost:
    """Return the cost of a message: the time with messages, less the time of an idle page."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    idle = time_spent(session, period, messages, lambda _: None)
    busy = time_spent(session, period, messages, publish)
    return Cost(*[1000 * (total - base) / messages for total, base in zip(busy, idle, strict=True)])


def time_spent(session: CDPSession, period: float, messages: int, publish: Callable[[int], object]) -> list[float]:
    before = metrics(session)
    for number in range(messages):
        due = time.monotonic() + period
        publish(number)
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(3 * period)
    return [now - then for now, then in zip(metrics(session), before, strict=True)]


def metrics(session: CDPSession) -> list[float]:
    values = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return [values[name] for name in METRICS]


if __name__ == "__main__":
    main()
