from __future__ import annotations

from contextlib import suppress
from typing import Any

from playwright.sync_api import Page, TimeoutError, expect

from e2e.conftest import ALL_HTMX, OpenTab, expect_live, wait_for_sources
from e2e.page_server import PageServer
from e2e.pages.swaps import AROUND, MESSAGES, OUT_OF_BAND, Case

pytestmark = ALL_HTMX

# The content of each box, without htmx's empty `class` attributes and FastHTML's indentation.
BOXES = r"""() => Object.fromEntries([...document.querySelectorAll("[data-case]")].map((box) => {
  const copy = box.cloneNode(true);
  for (const element of copy.querySelectorAll("[class='']")) element.removeAttribute("class");
  return [box.dataset.case, copy.innerHTML.trim().replace(/>\s+/g, ">").replace(/\s+</g, "<")];
}))"""
IS = f"(wanted) => JSON.stringify(({BOXES})()) === JSON.stringify(wanted)"


def expect_boxes(tab: Page, cases: dict[str, Case]) -> None:
    wanted = {name: case.after for name, case in cases.items()}
    with suppress(TimeoutError):
        tab.wait_for_function(IS, arg=wanted)
    found = tab.evaluate(BOXES)
    assert {name: html for name, html in found.items() if html != wanted[name]} == {}


def test_out_of_band(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/out-of-band")
    server.post(f"/{room}/out-of-band/publish")
    expect_boxes(tab, OUT_OF_BAND)
    expect(tab.locator("#receiver > i")).to_have_text("kept")
    spaces: Any = tab.locator("svg *").evaluate_all("shapes => [...new Set(shapes.map(shape => shape.namespaceURI))]")
    assert spaces == ["http://www.w3.org/2000/svg"]


def test_messages(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/messages")
    server.post(f"/{room}/messages/publish")
    expect_boxes(tab, MESSAGES)


def test_messages_around_their_receiver(open_tab: OpenTab, server: PageServer, room: str) -> None:
    server.wait_for_connections(0)
    tab = open_tab(f"/{room}/around")
    expect_live(tab, len(AROUND))
    server.post(f"/{room}/around/publish")
    for swap, texts in AROUND.items():
        expect(tab.locator(f"#{swap} > *")).to_have_text(texts)
    wait_for_sources(tab, 2)  # only the elements that are still on the page
