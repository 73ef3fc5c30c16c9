from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer


def test_complete_integration(open_tab: OpenTab, server: PageServer, htmx: str, problems: list[str]) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab("/") for _ in range(2)]
    server.wait_for_connections(2)
    assert server.get("/trigger") == "Broadcast sent!"
    server.post("/tell", kind="unheard_of", status="for nobody")
    server.post("/tell", kind="status_update", status="<running> & well")
    for tab in tabs:
        expect(tab.locator("#counter")).to_have_text("42")
        expect(tab.locator("#status-display")).to_have_text("<running> & well")
        expect(tab.locator("#global-sse")).to_have_text("")
    if htmx.startswith("4"):
        # It still takes these attributes, and warns of each.
        assert len(problems) == 4
        assert all("sse-connect is deprecated" in problem or "sse-swap is removed" in problem for problem in problems)
        problems.clear()


def test_with_the_element_of_the_kit(open_tab: OpenTab, server: PageServer) -> None:
    """Without `setup_sse`, and so without any script of the kit, it needs htmx's extension only."""
    server.wait_for_connections(0)
    tab = open_tab("/element")
    server.wait_for_connections(1)
    server.get("/trigger")
    expect(tab.locator("#counter")).to_have_text("42")
