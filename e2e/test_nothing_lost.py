from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.conftest import LATEST_HTMX, OpenTab, count_sources
from e2e.numbers import expect_numbers
from e2e.page_server import PageServer

pytestmark = LATEST_HTMX

GROWN = ["old", "before the query", "after the query"]


def test_an_event_published_while_a_page_is_rendered_is_shown_once(open_tab: OpenTab, room: str) -> None:
    """The stream starts at the cursor of the request, so it also sends events that the page contains already."""
    tab = open_tab(f"/{room}/growing")
    for place in ("#end", "#own-end", "#target"):
        expect(tab.locator(f"{place} > p")).to_have_text(GROWN)
    for place in ("#begin", "#own-begin"):
        expect(tab.locator(f"{place} > p")).to_have_text(GROWN[::-1])
    expect(tab.locator("section:has(#of-above) > p")).to_have_text([*GROWN, "here"])
    expect(tab.locator("section:has(#of-below) > p")).to_have_text(["here", *GROWN[::-1]])


def go(tab: Page, name: str) -> None:
    tab.get_by_role("link", name=name).click()
    tab.wait_for_url(f"**/{name}")


def test_boosted_navigation_and_the_back_button_lose_nothing(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """Going back shows a snapshot or requests the page. Either way, it has one connection and each item once."""
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/list")
    tab.evaluate("window.isTheSame = true")
    server.wait_for_connections(1)
    for number in range(3):
        server.post(f"/{room}/add", number=number)
    expect_numbers(tab, 3)

    go(tab, "board")
    expect(tab.locator("#count")).to_have_text("3")
    server.post(f"/{room}/add", number=3)
    expect(tab.locator("#count")).to_have_text("4")
    server.wait_for_connections(1)
    tab.go_back()
    expect_numbers(tab, 4)

    go(tab, "nothing")
    expect(tab.locator("#nothing")).to_be_visible()
    server.wait_for_connections(0)
    server.post(f"/{room}/add", number=4)
    tab.go_back()
    expect_numbers(tab, 5)
    tab.go_forward()
    expect(tab.locator("#nothing")).to_be_visible()
    tab.go_back()
    server.post(f"/{room}/add", number=5)
    expect_numbers(tab, 6)
    server.wait_for_connections(1)
    assert count_sources(tab) == 1
    assert tab.evaluate("isTheSame")


def test_an_element_that_is_added_later_duplicates_nothing(open_tab: OpenTab, server: PageServer, room: str) -> None:
    """Out-of-band parts are swapped once per page, however many elements follow the channel."""
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/early")
    server.post(f"/{room}/append", text="first")
    expect(tab.locator("#items li")).to_have_text(["first"])
    tab.get_by_role("button").click()
    expect(tab.locator("#late-items li")).to_have_text(["meanwhile"])
    server.post(f"/{room}/append", text="last")
    expect(tab.locator("#late-items li")).to_have_text(["meanwhile", "last"])
    expect(tab.locator("#items li")).to_have_text(["first", "meanwhile", "last"])


def test_an_element_that_is_processed_twice_has_a_single_connection(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/early")
    server.wait_for_connections(1)
    tab.evaluate(
        """() => {
          const copy = document.querySelector("#early").cloneNode();
          copy.id = "copy";
          document.body.append(copy);
          for (let time = 0; time < 3; time += 1) htmx.process(document.body);
        }"""
    )
    expect(tab.locator("#copy")).to_have_attribute("data-sse-state", "live")
    server.post(f"/{room}/append", text="only")
    expect(tab.locator("#items li")).to_have_text(["only"])
    assert count_sources(tab) == 2
