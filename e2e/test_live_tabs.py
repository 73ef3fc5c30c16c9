from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.conftest import ALL_HTMX, OpenTab
from e2e.page_server import PageServer

pytestmark = ALL_HTMX


def add(tab: Page, title: str) -> None:
    tab.get_by_role("textbox").fill(title)
    tab.get_by_role("textbox").press("Enter")


def test_a_change_in_one_tab_shows_in_all_five(open_tab: OpenTab, server: PageServer, room: str, htmx: str) -> None:
    server.wait_for_connections(0)
    lists = [open_tab(f"/{room}/list") for _ in range(3)]
    boards = [open_tab(f"/{room}/board") for _ in range(2)]
    assert lists[0].evaluate("htmx.version") == htmx
    server.wait_for_connections(1)

    titles = ["milk", "<b>bread</b> & butter", "ägg 🥚", "tea", "milk"]
    for title, tab in zip(titles, lists + boards, strict=True):
        before = server.get(f"/{room}/list").count("<li>")
        add(tab, title)
        expect(lists[0].locator("#items li")).to_have_count(before + 1)

    for tab in lists:
        expect(tab.locator("#items li")).to_have_text(titles)
        expect(tab.locator("#count")).to_have_text("5")
    for tab in boards:
        expect(tab.locator("#latest")).to_have_text("milk")
        expect(tab.locator("#items")).to_have_count(0)

    for tab in lists:
        tab.close()
    server.wait_for_connections(1)
    for tab in boards:
        tab.close()
    server.wait_for_connections(0)


def test_an_event_published_while_a_page_loads_is_not_lost(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """The stream starts at the cursor of the page's request, even if it connects late."""
    tab = open_tab(f"/{room}/list")
    for number in range(20):
        server.post(f"/{room}/add", title=number)
    expect(tab.locator("#items li")).to_have_text([str(number) for number in range(20)])
