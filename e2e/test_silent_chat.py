"""Issue 11: an answer may need a minute of silence, and its generator is called once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer, wait_until

MINUTE = 60_000


@pytest.mark.parametrize("source", ["endpoint", "plain", "configured"])
def test_a_minute_of_silence_is_no_death(source: str, open_tab: OpenTab, server: PageServer, room: str) -> None:
    server.post("/think", ready="")
    tab = open_tab(f"/{source}/chat")
    tab.clock.install()
    tab.locator("input").fill(room)
    tab.keyboard.press("Enter")
    wait_until(lambda: server.get("/asked", question=room) == "1", within=15, what="the question")
    expect(tab.locator("#answer")).to_have_attribute("data-sse-state", "live")

    # The page's clock goes on by a minute, in which the stream says nothing; then its tab is looked at again.
    tab.clock.run_for(MINUTE)
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab.locator("#answer")).to_have_attribute("data-sse-state", "live")
    server.post("/think", ready="1")
    tab.clock.run_for(1_000)
    expect(tab.locator("#answer")).to_contain_text(f"It is {room}")
    expect(tab.locator("#answer")).to_have_attribute("data-sse-state", "closed")
    tab.clock.run_for(MINUTE)
    assert server.get("/asked", question=room) == "1"
