from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import OpenTab
from e2e.page_server import PageServer

# Resolves with the `readyState` of an EventSource after its first event.
OPEN = """(address) => new Promise((resolve) => {
  const source = new EventSource(address);
  source.onopen = source.onerror = () => {
    resolve(source.readyState);
    source.close();
  };
})"""
IS_OPEN, IS_CLOSED = 1, 2

FORGERIES: dict[str, Callable[[str], str]] = {
    "another channel": lambda grant: "WyJzZWNyZXQiXQ" + grant[grant.index(".") :],
    "another signature": lambda grant: grant[:-4] + "AAAA",
    "no signature": lambda grant: grant.rpartition(".")[0],
    "a name": lambda grant: "secret",
    "nothing": lambda grant: "",
}


def grant_of(tab: Page) -> str:
    address = tab.locator("#receiver").get_attribute("data-sse-connect")
    assert address
    return address.partition("sub=")[2]


def forget_refusals(problems: list[str]) -> None:
    """Ignore the console errors for responses with 403."""
    problems[:] = [problem for problem in problems if "403" not in problem]


def test_a_page_follows_the_granted_channels(open_tab: OpenTab, room: str) -> None:
    tab = open_tab(f"/{room}/honest")
    assert tab.evaluate(OPEN, f"/sse/stream?sub={grant_of(tab)}") == IS_OPEN


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_grant_opens_no_stream(
    forge: Callable[[str], str], open_tab: OpenTab, room: str, problems: list[str]
) -> None:
    tab = open_tab(f"/{room}/honest")
    address = f"/sse/stream?sub={forge(grant_of(tab))}"
    assert tab.evaluate(OPEN, address) == IS_CLOSED
    assert tab.evaluate("async (address) => (await fetch(address)).status", address) == 403
    forget_refusals(problems)


def test_an_element_without_a_valid_grant_keeps_its_content_and_shows_denied(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/forged?grant=secret")
    expect(tab.locator("#receiver")).to_have_attribute("data-sse-state", "denied")
    expect(tab.locator("#receiver > i")).to_have_text("kept")
    assert server.connections() == 0
    forget_refusals(problems)
