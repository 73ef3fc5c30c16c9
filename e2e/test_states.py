"""The state of a connection, as an attribute of the element and as `sse:state` events."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.conftest import LATEST_HTMX, OpenTab
from e2e.fault_proxy import FaultProxy
from e2e.page_server import PageServer
from e2e.pages.states import RETRY
from sse_components.protocol import RETRY_BASE_MS

pytestmark = LATEST_HTMX

WATCH = """
    window.states = [];
    document.addEventListener("sse:state", ({ target, detail }) => states.push({ id: target.id, ...detail }));
    Math.random = () => 0.9;
"""
RANDOM = 0.9
TRIGGERS = [
    "dispatchEvent(new Event('online'))",
    "document.dispatchEvent(new Event('visibilitychange'))",
    "dispatchEvent(new Event('pagehide')), dispatchEvent(new Event('pageshow'))",
]
FINAL = {"401": "denied", "403": "denied", "404": "offline", "204": "offline", "html": "offline"}
AN_HOUR = 3_600_000


@pytest.fixture(autouse=True)
def watch(context: BrowserContext) -> None:
    context.add_init_script(WATCH)


@pytest.fixture
def tab(context: BrowserContext, proxy: FaultProxy, problems: list[str], room: str) -> Page:
    """Return a live tab behind the fault proxy."""
    tab = context.new_page()
    tab.goto(f"{proxy.url}/{room}/live")
    expect_state(tab, "live", "live")
    return tab


def expect_state(tab: Page, id: str, state: str) -> None:
    expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", state)


def states_of(tab: Page, id: str) -> list[dict[str, Any]]:
    return tab.evaluate("(id) => states.filter((state) => state.id === id)", id)  # type: ignore[no-any-return]


def test_a_lost_connection_is_reported_and_reconnects(
    tab: Page, proxy: FaultProxy, server: PageServer, room: str, problems: list[str]
) -> None:
    proxy.reset()
    tab.wait_for_function("states.length > 3")
    server.post("/publish", channel=room, html="<p>new</p>")
    expect(tab.locator("#live")).to_have_text("new")
    connecting, live, lost, found = states_of(tab, "live")
    assert [connecting["state"], live["state"], found["state"]] == ["connecting", "live", "live"]
    assert (lost["state"], lost["status"], lost["final"]) == ("reconnecting", 200, False)
    assert RETRY_BASE_MS < lost["delay"] <= 2 * RETRY_BASE_MS
    problems.clear()


def test_a_refusal_is_final(open_tab: OpenTab, server: PageServer, room: str, problems: list[str]) -> None:
    """Neither processing the page again nor an `online` event reconnects."""
    tab = open_tab(f"/{room}/refused?answers={','.join(FINAL)}")
    for name, state in FINAL.items():
        expect_state(tab, f"of-{name}", state)
        assert states_of(tab, f"of-{name}")[-1]["final"]
    tab.clock.install()
    tab.evaluate("htmx.process(document.body)")
    tab.evaluate("dispatchEvent(new Event('online'))")
    tab.clock.run_for(AN_HOUR)
    for name, state in FINAL.items():
        assert len(server.get(f"/{room}/asked/{name}")) == 1
        expect_state(tab, f"of-{name}", state)
    problems[:] = [problem for problem in problems if "Failed to load resource" not in problem]


def test_retry_after_is_obeyed_despite_triggers_to_reconnect(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_tab(f"/{room}/refused?answers=busy")
    expect_state(tab, "of-busy", "reconnecting")
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#of-busy")).to_have_text("now")
    first, second = server.get(f"/{room}/asked/busy")[:2]
    assert second - first >= 1
    assert states_of(tab, "of-busy")[1]["status"] == 503
    problems[:] = [problem for problem in problems if "503" not in problem]


def test_retry_is_obeyed_until_a_trigger_to_reconnect(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tab = open_tab(f"/{room}/refused?answers=short")
    for number, trigger in enumerate(TRIGGERS, start=1):
        tab.wait_for_function("(losses) => states.filter(({ status }) => status).length === losses", arg=number)
        assert states_of(tab, "of-short")[-1]["delay"] == RETRY + RETRY_BASE_MS * RANDOM
        tab.evaluate(trigger)
        expect(tab.locator("#of-short")).to_have_text(str(number + 1))
    assert len(server.get(f"/{room}/asked/short")) == len(TRIGGERS) + 1


def test_without_a_network_the_state_is_offline(
    tab: Page, context: BrowserContext, proxy: FaultProxy, server: PageServer, room: str, problems: list[str]
) -> None:
    context.set_offline(True)
    proxy.reset()
    expect_state(tab, "live", "offline")
    server.post("/publish", channel=room, html="<p>new</p>")
    context.set_offline(False)
    expect_state(tab, "live", "live")
    expect(tab.locator("#live")).to_have_text("new")
    problems.clear()
