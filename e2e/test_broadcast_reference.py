from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer


@pytest.mark.parametrize("path", ["/notebook", "/element", "/handler"])
def test_broadcasts_reach_every_tab_through_the_element_builder(
    path: str, open_tab: OpenTab, server: PageServer, htmx: str, problems: list[str]
) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab(path) for _ in range(2)]
    server.wait_for_connections(2)
    assert server.post("/trigger", message_type="counter_update", key="count", value="42") == "2"
    server.post("/trigger", message_type="unknown", key="nothing", value="")
    server.post("/trigger", message_type="status_update", key="status", value="<ready>")
    for tab in tabs:
        expect(tab.locator("#counter")).to_have_text("42")
        expect(tab.locator("#status-display")).to_have_text("<ready>")
        expect(tab.locator("#global-sse")).to_have_text("")
    if path == "/notebook" and htmx.startswith("4"):
        # htmx 4 wants other names of attributes, and says so once a page for each.
        assert len(problems) == 4
        assert all("legacy" in problem or "sse-swap is removed" in problem for problem in problems)
        problems.clear()


def test_a_stream_sends_what_a_builder_has_built(open_tab: OpenTab) -> None:
    tab = open_tab("/built")
    expect(tab.locator("#steps li")).to_have_text(["one", "two", "three"])
    expect(tab.locator("#latest")).to_have_text("line three\nof two")
    expect(tab.locator("#live > i")).to_have_text("kept")
