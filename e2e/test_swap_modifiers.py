"""Issue 11: whatever htmx allows as a swap works on both generations, out of band and in place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.conftest import ALL_HTMX, OpenTab, expect_live
from e2e.page_server import PageServer, wait_until

pytestmark = ALL_HTMX


@pytest.mark.parametrize("swap", ["beforeend scroll:bottom", "append scroll:bottom", "beforeend transition:true"])
def test_an_insertion_with_modifiers(swap: str, open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/page")
    expect_live(tab)
    target = "rows" if "transition" in swap else "box"
    server.post(f"/{room}/publish", html="row", target=target, swap=swap)
    expect(tab.locator(f"#{target} > li").last).to_have_text("new")
    if "scroll" in swap:
        tab.wait_for_function("document.querySelector('#box').scrollTop > 100")


@pytest.mark.parametrize("swap", ["morph", "outerMorph", "morph:outerHTML"])
def test_a_morph_out_of_band_keeps_what_is_typed(swap: str, open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/page")
    expect_live(tab)
    tab.locator("#field").fill("typed")
    tab.evaluate("window.field = document.querySelector('#field')")
    server.post(f"/{room}/publish", html="form", target="form", swap=swap)
    expect(tab.locator("#text")).to_have_text("new")
    assert tab.evaluate("window.field === document.querySelector('#field')")
    expect(tab.locator("#field")).to_have_value("typed")


def test_a_swap_that_names_its_target(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/page")
    expect_live(tab)
    server.post(f"/{room}/publish", html="text", swap="innerHTML:#text")
    expect(tab.locator("#text")).to_have_text("new")


@pytest.mark.parametrize("swap", ["innerHTML transition:true", "innerMorph", "morph:innerHTML", "innerHTML:#live"])
def test_a_message_that_is_swapped_in_place(swap: str, open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/page?swap={swap.replace('#', '%23')}")
    expect_live(tab)
    server.post(f"/{room}/say")
    expect(tab.locator("#live > #inside")).to_have_text("new")


def test_a_builder_with_ids_that_look_like_selectors(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    tab = open_tab("/built")
    expect_live(tab)
    server.wait_for_connections(1)
    server.post("/build")
    expect(tab.locator("[id='file.txt:1']")).to_have_text("new")
    expect(tab.locator("#rows li")).to_have_text(["zero", "one", "two"])


def test_an_event_closes_an_element_of_the_kit_for_good(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/answer")
    expect_live(tab)
    server.post(f"/{room}/finish")
    expect(tab.locator("#live > p")).to_have_text(["last"])
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "closed")
    wait_until(lambda: server.get(f"/{room}/followers") == "0", within=15, what="the end of the stream")
    tab.evaluate("htmx.process(document.querySelector('#live'))")
    server.post(f"/{room}/finish")
    expect(tab.locator("#live > p")).to_have_text(["last"])
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "closed")
