from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer


def test_a_single_message_passes_every_middleware_at_once(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/page")
    with tab.expect_response("**/sse/stream") as streams:
        tab.reload()
    assert streams.value.headers["x-stamp"] == "stamped"
    assert streams.value.headers["cache-control"] == "no-store, no-transform"
    expect(tab.locator("#visits")).to_have_text("2")
    expect(tab.locator("#receiver")).to_have_attribute("data-sse-state", "live")
    for number in range(3):
        server.post("/publish", channel=room, html=f"<b>{number}</b>")
        expect(tab.locator("#receiver b")).to_have_text(str(number))


def test_a_closed_tab_is_noticed_behind_every_middleware(open_tab: OpenTab, server: PageServer, room: str) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/page")
    server.wait_for_connections(1)
    tab.close()
    server.wait_for_connections(0)
