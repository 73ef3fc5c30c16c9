from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer


def test_users_forms_whose_fields_shadow_their_properties_do_not_stop_a_page(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    first, second = [open_tab(f"/{room}") for _ in range(2)]
    for tab in (first, second):
        expect(tab.locator("#said")).to_have_attribute("data-sse-state", "live")
        expect(tab.locator(".sse-tab-count")).to_have_text("2")
    server.post(f"/{room}/say", text="after")
    for tab in (first, second):
        expect(tab.locator("#said > p")).to_have_text(["after"])
        expect(tab.locator(f"#{room} > li[id] p")).to_have_text(["before", "after"])
        expect(tab.locator("form#first p")).to_have_text(["after"])
        expect(tab.locator("form#first")).to_have_count(1)
    first.get_by_label("Note").press_sequentially("typed")
    expect(second.get_by_label("Note")).to_have_value("typed")


def test_a_page_with_such_forms_heals(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}")
    expect(tab.locator("#said")).to_have_attribute("data-sse-state", "live")
    tab.get_by_label("Note").press_sequentially("typed")
    server.post(f"/{room}/reset", text="healed")
    expect(tab.locator("form#first p")).to_have_text("healed")
    expect(tab.locator("form#mine p")).to_have_text("healed")
    expect(tab.get_by_label("Note")).to_have_value("typed")
    expect(tab.locator("#said")).to_have_attribute("data-sse-state", "live")
    server.post(f"/{room}/say", text="after")
    expect(tab.locator("#said > p")).to_have_text(["after"])
