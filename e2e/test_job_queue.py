"""Issue 11: a builder that returns `build()`, broadcasts from threads, and data that is not JSON."""

from __future__ import annotations

from datetime import datetime

from playwright.sync_api import expect

from e2e.conftest import OpenTab, expect_live
from e2e.page_server import PageServer


def test_two_tabs_follow_a_job(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    server.post("/reset")
    tabs = [open_tab("/") for _ in range(2)]
    for tab in tabs:
        expect_live(tab)
    server.wait_for_connections(2)
    assert server.post("/reset") == "2 queues"

    tabs[0].get_by_text("Start").click()
    for tab in tabs:
        expect(tab.locator("#jobs li")).to_have_text(["job 1: waiting"])
        expect(tab.locator("#summary")).to_have_text("1 running")
    for percent, running in ((50, 1), (100, 0)):
        server.post("/step")
        for tab in tabs:
            expect(tab.locator("[id='job:1']")).to_have_text(f"job 1: {percent} % since {datetime.now():%Y}")
            expect(tab.locator("#summary")).to_have_text(f"{running} running")
            expect(tab.locator("#feed")).to_have_text("")
