from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.conftest import ALL_HTMX, OpenTab
from e2e.page_server import PageServer

pytestmark = ALL_HTMX

Publish = Callable[..., None]


@pytest.fixture
def publish(server: PageServer, room: str) -> Publish:
    """Return a function that publishes HTML to the test's channel."""

    def publish(html: str, **options: str) -> None:
        server.post("/publish", channel=room, html=html, **options)

    return publish


def test_a_named_event_is_swapped_by_the_elements_that_name_it(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/named")
    publish("<p>nobody's</p>", event="other")
    publish("<p>nobody's</p>")
    publish("<p>half</p>", event="progress")
    publish("<p>all</p>", event="done")
    publish("<p>new</p>", event="once")
    publish("<p>nobody's</p>", event="once")
    expect(tab.locator("#one p")).to_have_text(["half"])
    expect(tab.locator("#other p")).to_have_text(["old", "half", "all"])
    expect(tab.locator("#child p")).to_have_text(["new"])
    expect(tab.locator("i")).to_have_text("kept")
    expect(tab.get_by_text("nobody's")).to_have_count(0)


def test_an_event_sends_a_request(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/fetching")
    publish("ignored", event="other")
    publish("ignored", event="progress")
    expect(tab.locator("#fetched")).to_have_text("1 times")
    publish("ignored", event="progress")
    expect(tab.locator("#fetched")).to_have_text("2 times")


def test_out_of_band_parts_are_swapped_once_for_all_receivers(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/receivers")
    publish('<b>first</b><div hx-swap-oob="beforeend:#beside"><p>a</p></div>')
    publish('<div hx-swap-oob="beforeend:#beside"><p>b</p></div>')
    expect(tab.locator("#beside p")).to_have_text(["a", "b"])
    expect(tab.locator("#one")).to_have_text("first")
    expect(tab.locator("#other")).to_have_text("first")


def test_a_message_may_mix_out_of_band_parts_and_content(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/message")
    lost = '<div hx-swap-oob="innerHTML:#nowhere">lost</div>'
    publish(f'<p>new</p>{lost}<div hx-swap-oob="innerHTML:#beside"><p>also new</p></div><p>er</p>')
    expect(tab.locator("#receiver p")).to_have_text(["new", "er"])
    expect(tab.locator("#beside p")).to_have_text(["also new"])
    publish(f"<p>last</p>{lost}")
    expect(tab.locator("#receiver p")).to_have_text(["last"])


def test_an_empty_message_clears_its_receiver(open_tab: OpenTab, room: str, publish: Publish) -> None:
    tab = open_tab(f"/{room}/message")
    publish("")
    expect(tab.locator("#receiver p")).to_have_count(0)


def test_a_hidden_page_does_not_fall_behind(open_tab: OpenTab, room: str, publish: Publish) -> None:
    """Timers of a hidden page are slow, so no message may depend on a timer."""
    tab = open_tab(f"/{room}/message")
    tab.evaluate(
        """() => {
          Object.defineProperty(Document.prototype, "hidden", { get: () => true });
          window.setTimeout = () => 0;
        }"""
    )
    for number in range(3):
        publish(f'<p id="same" class="number-{number}">{number}</p>')
    expect(tab.locator("#same")).to_have_text("2")
