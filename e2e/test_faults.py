"""A publisher sends numbered items during each kind of network fault, and while the server is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from e2e.conftest import LATEST_HTMX
from e2e.fault_proxy import FaultProxy
from e2e.numbers import NUMBERS, POLLING, expect_numbers, publish, publishing, wait_for_numbers
from e2e.page_server import PageServer

pytestmark = LATEST_HTMX

# Counts losses and resets of all sources. A reload clears the counts.
WATCH = """
    window.counts = { losses: 0, resets: 0 };
    document.addEventListener("sse:state", ({ detail }) => { if (detail.status !== undefined) counts.losses += 1; });
    document.addEventListener("sse:reset", () => { counts.resets += 1; });
"""
LOSSES: list[Callable[[FaultProxy], None]] = [
    FaultProxy.reset, FaultProxy.cut, FaultProxy.half_open, FaultProxy.black_hole,
]  # fmt: skip
BYTES_PER_SECOND = 1_000


@pytest.fixture
def tabs(context: BrowserContext, proxy: FaultProxy, problems: list[str], room: str) -> Iterator[list[Page]]:
    """Open three tabs through the proxy, and ignore errors of the network."""
    context.add_init_script(WATCH)
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(f"{proxy.url}/{room}")
    yield tabs
    problems[:] = [
        problem for problem in problems if "net::ERR_" not in problem and not problem.startswith(f"failed: {proxy.url}")
    ]


def count_of(tab: Page, what: str) -> int:
    return int(tab.evaluate(f"counts.{what}"))


def wait_for_loss(tabs: list[Page], before: list[int]) -> None:
    for tab, losses in zip(tabs, before, strict=True):
        tab.wait_for_function("(losses) => counts.losses > losses", arg=losses, polling=POLLING)


def test_500_items_while_the_network_fails(tabs: list[Page], proxy: FaultProxy, server: PageServer, room: str) -> None:
    url, shown = f"{server.url}/{room}/add", 0
    for lose in LOSSES:
        before = [count_of(tab, "losses") for tab in tabs]
        with publishing(url, range(shown, shown + 100)):
            wait_for_numbers(tabs[0], shown + 10)
            lose(proxy)
            wait_for_loss(tabs, before)
        proxy.restore()
        shown += 100
        for tab in tabs:
            expect_numbers(tab, shown)
    proxy.throttle(BYTES_PER_SECOND)
    publish(url, range(shown, 500))
    assert all(tab.evaluate(f"{NUMBERS}.length") < 500 for tab in tabs)
    proxy.restore()
    for tab in tabs:
        expect_numbers(tab, 500)
        assert count_of(tab, "resets") == 0


@pytest.mark.parametrize("proxy", ["crlf"], indirect=True)
def test_chunks_may_split_a_line_end(tabs: list[Page], server: PageServer, room: str) -> None:
    publish(f"{server.url}/{room}/add", range(50))
    for tab in tabs:
        expect_numbers(tab, 50)
        assert count_of(tab, "losses") == 0


def test_500_items_while_the_server_is_killed_twice(tabs: list[Page], server: PageServer, room: str) -> None:
    """Each start begins a new log, so a page has to heal to get missed events."""
    for begin, end in ((0, 250), (250, 500)):
        with publishing(f"{server.url}/{room}/add", range(begin, end)):
            wait_for_numbers(tabs[0], begin + 50)
            server.kill()
            server.start()
        for tab in tabs:
            expect_numbers(tab, end)
    for tab in tabs:
        assert count_of(tab, "resets") == 2
