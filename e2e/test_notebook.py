from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer


def expect_broadcasts(tabs: list[Page], server: PageServer) -> None:
    server.wait_for_connections(len(tabs))
    assert server.get("/trigger") == "Broadcast sent!"
    server.post("/tell", kind="unheard_of", status="for nobody")
    assert server.post("/tell", kind="status_update", status="<running> & well") == {"reached": len(tabs)}
    for tab in tabs:
        expect(tab.locator("#counter")).to_have_text("42")
        expect(tab.locator("#status-display")).to_have_text("<running> & well")
        expect(tab.locator("#global-sse")).to_have_text("")


def test_complete_integration(open_tab: OpenTab, server: PageServer, htmx: str, problems: list[str]) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab("/") for _ in range(2)]
    expect_broadcasts(tabs, server)
    if htmx.startswith("4"):
        # It still takes these attributes, and warns of each.
        assert len(problems) == 4
        assert all("sse-connect is deprecated" in one or "sse-swap is removed" in one for one in problems)
        problems.clear()


def test_with_the_element_of_the_kit(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    expect_broadcasts([open_tab("/element") for _ in range(2)], server)
