from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from e2e.conftest import OpenTab
from e2e.page_server import PageServer
from e2e.pages.plain_event_source import TEXTS

# This page has no htmx.
pytestmark = pytest.mark.parametrize("htmx", ["2.0.7"], indirect=True)

FOLLOW = """(names) => {
  window.received = [];
  window.source = new EventSource(document.body.dataset.stream);
  for (const name of names) source.addEventListener(name, ({type, data}) => received.push([type, data]));
}"""


def received(tab: Page, count: int) -> Any:
    tab.wait_for_function("(count) => received.length >= count", arg=count)
    return tab.evaluate("received")


def test_a_thousand_events_arrive_in_order(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/bare")
    assert tab.locator("script").count() == 0
    server.post(f"/{room}/numbers", count=10)  # after the page was rendered, and before it connects
    tab.evaluate(FOLLOW, ["message", "odd"])
    received(tab, 10)
    server.post(f"/{room}/numbers", count=1000)
    numbers = [*range(10), *range(1000)]
    wanted = [["odd" if number % 2 else "message", str(number)] for number in numbers]
    assert received(tab, len(wanted)) == wanted


def test_any_text_arrives_unchanged(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/bare")
    tab.evaluate(FOLLOW, ["message", "späť/1.0:ok"])
    server.post(f"/{room}/texts")
    wanted = [["späť/1.0:ok", re.sub("\r\n?", "\n", text)] for text in TEXTS]
    assert received(tab, len(wanted)) == wanted
