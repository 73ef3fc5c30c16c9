"""Tabs with more live elements than a request has room for, or a connection may follow channels."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import OpenTab, expect_live
from e2e.page_server import PageServer, wait_until
from e2e.pages.many_elements import MOST

TABS = 11


def expect_said(server: PageServer, path: str, tabs: list[Page], text: str) -> None:
    server.post(f"{path}/say", number=7, text=text)
    for tab in tabs:
        expect(tab.locator("#live-7")).to_have_text(text)


def restart(server: PageServer, problems: list[str]) -> None:
    server.kill()
    server.start()
    problems[:] = [problem for problem in problems if "net::ERR_" not in problem and not problem.startswith("failed:")]


def expect_healed(server: PageServer, path: str, tab: Page, count: int) -> None:
    wait_until(lambda: hears(server, path, tab, "again"), what="the page to hear the new server")
    expect_live(tab, count)


def hears(server: PageServer, path: str, tab: Page, text: str) -> bool:
    """Tell whether a page shows what is said now, and said again each time."""
    server.post(f"{path}/say", number=7, text=text)
    return tab.locator("#live-7").text_content() == text


@pytest.mark.parametrize("htmx", ["2.0.7", "4.0.0"], indirect=True)
def test_11_tabs_with_100_elements_each_and_more_than_the_limit(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    """Each page has its own channels. What is beyond the limit is refused, and nothing else."""
    pages = [f"/{room}/{number}" for number in range(TABS)]
    tabs = [open_tab(path) for path in pages]
    for tab in tabs:
        expect_live(tab, 100)
    server.wait_for_connections(1)
    for path, tab in zip(pages, tabs, strict=True):
        expect_said(server, path, [tab], "hello")

    beyond = open_tab(f"/{room}/beyond")
    expect(beyond.locator("[data-sse-reason=limit]")).to_have_count(TABS * 100 + 100 - MOST)
    expect_live(beyond, MOST - TABS * 100)
    expect_said(server, f"/{room}/beyond", [beyond], "here, too")
    beyond.close()

    restart(server, problems)
    for path, tab in zip(pages, tabs, strict=True):
        expect_healed(server, path, tab, 100)
    server.wait_for_connections(1)


def test_5_000_elements_of_10_tabs_send_each_grant_once(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    """Without merging they would have 475 KB of grants, and a request may have 256 KB."""
    path = f"/{room}/same"
    tabs = [open_tab(f"{path}?count=500") for _ in range(10)]
    for tab in tabs:
        expect_live(tab, 500)
    server.wait_for_connections(1)
    expect_said(server, path, tabs, "to all")
    restart(server, problems)
    for tab in tabs:
        expect_healed(server, path, tab, 500)
