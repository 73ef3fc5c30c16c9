"""New content comes to life in the same way, published or by a heal, a refresh, or an update of a list."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.conftest import LATEST_HTMX, OpenTab, expect_live
from e2e.page_server import PageServer

pytestmark = LATEST_HTMX

LIVE = 3


@pytest.mark.parametrize("way", ["publish", "heal", "refresh", "update"])
def test_new_content_comes_to_life(way: str, open_tab: OpenTab, server: PageServer, room: str) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}")
    tab.evaluate("Math.random = () => 0")
    expect_live(tab, LIVE)

    def bring(text: str = "") -> None:
        if way != "heal":
            server.post(f"/{room}/bring", way=way, text=text)
            return
        tab.evaluate("document.dispatchEvent(new Event('freeze'))")
        server.wait_for_connections(0)
        server.post(f"/{room}/bring", way=way, text=text)
        tab.evaluate("document.dispatchEvent(new Event('resume'))")

    bring()
    expect(tab.locator(".new .alpine")).to_have_text("2")
    expect(tab.locator(".new .marked em")).to_have_text("marked")
    expect_live(tab, LIVE)
    assert tab.evaluate("[ran, place, made.sortable, made.marked]") == [1, "new", 1, 1]
    tab.locator(".hyper").click()
    expect(tab.locator(".hyper.clicked")).to_have_count(1)
    tab.locator(".loads").click()
    expect(tab.locator(".target")).to_have_text("loaded")
    assert tab.evaluate("Sortable.get(document.querySelector('.sortable')) !== undefined")
    if way == "publish":
        return

    # What is there already stays, and is not initialized again.
    bring("<p class=later>later</p>")
    expect(tab.locator(".later")).to_have_count(1)
    expect_live(tab, LIVE)
    assert tab.evaluate("[ran, made.sortable, made.marked]") == [1, 1, 1]
    expect(tab.locator(".hyper.clicked")).to_have_count(1)
    expect(tab.locator(".target")).to_have_text("loaded")
    expect(tab.locator(".new .marked em")).to_have_text("marked")

    # A script that has changed is another one.
    bring("<script>window.ran += 10</script>")
    tab.wait_for_function("window.ran === 11")
    expect_live(tab, LIVE)
