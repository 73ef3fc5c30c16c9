"""Issue 11: htmx's events fire with the kit's scripts as without them; a stream that is closed stays closed."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from e2e.conftest import OpenTab, forget_lost_connections
from e2e.page_server import PageServer


def heard(tab: Page, name: str) -> list[list[Any]]:
    return [event for event in tab.evaluate("window.heard") if event[0] == name]


def test_the_light_tells_what_the_stream_does(
    open_tab: OpenTab, server: PageServer, htmx: str, problems: list[str]
) -> None:
    tab = open_tab("/")
    light = tab.locator("#light")
    expect(light).to_have_text("Live")
    expect(tab.locator("#load")).to_have_text("8 %")
    assert heard(tab, "Open") == [["Open", "feed", ""]]

    expect(tab.locator("#disk")).to_have_text("disk 90 %")

    server.kill()
    expect(light).to_have_text("Lost")
    expect(tab.locator("#disk")).to_have_text("disk 90 %")  # it swaps the event `error`, and no loss
    server.start()
    expect(light).to_have_text("Live")
    assert len(heard(tab, "Open")) == 2
    losses = len(heard(tab, "Error"))
    assert losses > 0
    if htmx.startswith("4"):
        assert len(heard(tab, "htmx:sse:after:connection")) == 2
        assert len(heard(tab, "htmx:sse:error")) == losses
    problems[:] = [problem for problem in problems if "/measure" not in problem]
    forget_lost_connections(problems, server)

    calls = server.get("/calls")
    server.post("/stop")
    expect(light).to_have_text("Closed")
    expect(tab.locator("#feed")).to_have_attribute("data-sse-state", "closed")
    assert heard(tab, "Close") == [["Close", "feed", "message"]]
    tab.evaluate("""() => {
      htmx.process(document.querySelector("#feed"));
      dispatchEvent(new Event("online"));
    }""")
    expect(tab.locator("#feed")).to_have_attribute("data-sse-state", "closed")
    assert server.get("/calls") == calls
