from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.conftest import ALL_HTMX, OpenTab, count_sources, expect_live, wait_for_sources
from e2e.page_server import PageServer

pytestmark = ALL_HTMX

Publish = Callable[..., None]


@pytest.fixture
def publish(server: PageServer, room: str) -> Publish:
    """Return a function that publishes HTML to a channel of the test."""

    def publish(channel: str, html: str, **options: str) -> None:
        server.post("/publish", channel=f"{room}{channel}", html=html, **options)

    return publish


def test_an_element_connects_when_swapped_in_and_disconnects_when_swapped_out(
    open_tab: OpenTab, server: PageServer, room: str, publish: Publish
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/page")
    for number in range(2):
        tab.get_by_role("button", name="Show").press("Enter")
        server.wait_for_connections(1)
        publish("", f"<b>{number}</b>")
        expect(tab.locator("#panel")).to_have_text(str(number))
        tab.get_by_role("button", name="Hide").press("Enter")
        expect(tab.locator("#nothing")).to_be_visible()
        server.wait_for_connections(0)


def test_an_element_that_replaces_itself_keeps_a_single_connection(
    open_tab: OpenTab, server: PageServer, room: str, publish: Publish
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/page")
    for number in range(3):
        tab.get_by_role("button", name="Show").press("Enter")
        expect(tab.locator("#panel")).to_have_text("waiting")
        server.wait_for_connections(1)
        publish("", f"<b>{number}</b>")
        expect(tab.locator("#panel")).to_have_text(str(number))
    server.wait_for_connections(1)


def test_an_element_that_is_processed_again_swaps_once(
    open_tab: OpenTab, server: PageServer, room: str, publish: Publish
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/pair")
    expect_live(tab, 2)
    for _ in range(2):
        tab.evaluate("document.querySelector('#left').title += 'changed'")
        tab.evaluate("htmx.process(document.body)")
    publish("/left", "<b>1</b>")
    publish("/left", "<b>2</b>")
    expect(tab.locator("#left b")).to_have_text(["1", "2"])
    assert count_sources(tab) == 2


def test_adjacent_elements_get_only_their_own_events(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/pair")
    for number in range(3):
        publish("/left", f"<b>left {number}</b>")
        publish("/right", f"<b>right {number}</b>")
    for name in ("left", "right"):
        expect(tab.locator(f"#{name} b")).to_have_text([f"{name} {number}" for number in range(3)])


def test_elements_on_the_same_channel_swap_out_of_band_parts_once(
    open_tab: OpenTab, room: str, publish: Publish
) -> None:
    tab = open_tab(f"/{room}/twins")
    for number in range(3):
        publish("", f'<b>{number}</b><div hx-swap-oob="beforeend:#place"><p>{number}</p></div>')
    publish("", '<div hx-swap-oob="beforeend:#place"><p>alone</p></div>')
    for name in ("left", "right"):
        expect(tab.locator(f"#{name} b")).to_have_text(["0", "1", "2"])
    expect(tab.locator("#place p")).to_have_text(["0", "1", "2", "alone"])

    tab.evaluate("document.querySelector('#left').remove()")
    publish("", '<div hx-swap-oob="beforeend:#place"><p>last</p></div>')
    expect(tab.locator("#place p")).to_have_text(["0", "1", "2", "alone", "last"])


def test_nested_elements_get_only_their_own_events(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/nested")
    publish("/outer", "outer", event="note")
    publish("/outer", "also outer", event="note")
    expect(tab.locator("#outer-note")).to_have_text("also outer")
    publish("/inner", "inner", event="note")
    expect(tab.locator("#inner-note")).to_have_text("inner")
    expect(tab.locator("#inner-fetched")).to_have_text("1 times")
    expect(tab.locator("#outer-note")).to_have_text("also outer")


def test_an_element_that_a_message_replaces_disconnects(
    open_tab: OpenTab, server: PageServer, room: str, publish: Publish
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/nested")
    expect_live(tab, 2)
    publish("/outer", "<i>alone</i>")
    expect(tab.locator("#outer")).to_have_text("alone")
    wait_for_sources(tab, 1)
