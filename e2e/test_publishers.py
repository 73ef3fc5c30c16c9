from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.pages.publishers import WAYS


def test_every_kind_of_handler_publishes(open_tab: OpenTab, room: str) -> None:
    tabs = [open_tab(f"/{room}/page") for _ in range(2)]
    for number, way in enumerate(WAYS, 1):
        tabs[0].get_by_role("button", name=way, exact=True).press("Enter")
        for tab in tabs:
            expect(tab.locator("#said li")).to_have_text(WAYS[:number])
