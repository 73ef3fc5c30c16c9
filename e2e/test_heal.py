"""Healing: a page fetches itself when the log no longer has the events that it missed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.conftest import LATEST_HTMX, OpenTab, count_sources, expect_live
from e2e.page_server import PageServer

pytestmark = LATEST_HTMX

# Records states and resets, and shortens random delays to a tenth.
WATCH = """
    window.states = [];
    window.resets = [];
    document.addEventListener("sse:state", ({ target, detail }) => states.push({ id: target.id, ...detail }));
    document.addEventListener("sse:reset", ({ target, detail }) => resets.push({ id: target.id, ...detail }));
    const { random } = Math;
    Math.random = () => random() / 10;
"""
TRIGGER = "document.dispatchEvent(new Event('visibilitychange'))"
# The last state of the element that has a gap: the others may reconnect meanwhile.
LAST = "states.findLast(({ id }) => id === 'live-0')"

OpenLive = Callable[..., Page]
Miss = Callable[..., None]


@pytest.fixture
def open_live(open_tab: OpenTab, context: BrowserContext, server: PageServer, room: str) -> OpenLive:
    """Return a function that opens a page with three live elements, after the pages of earlier tests are gone."""
    context.add_init_script(WATCH)

    def open_live(path: str = "") -> Page:
        server.wait_for_connections(0)
        tab = open_tab(f"/{room}{path}")
        expect_live(tab, 3)
        return tab

    return open_live


@pytest.fixture
def miss(server: PageServer, room: str) -> Miss:
    """Return a function that publishes more events than the log keeps while a tab is frozen."""

    def miss(tab: Page, *, numbers: int = 0, notes: int = 0) -> None:
        tab.evaluate("document.dispatchEvent(new Event('freeze'))")
        server.wait_for_connections(0)
        server.post(f"/{room}/publish", numbers=numbers, notes=notes)
        tab.evaluate("document.dispatchEvent(new Event('resume'))")

    return miss


def expect_state(tab: Page, state: str, id: str = "live-0") -> None:
    expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", state)


def expect_items(tab: Page, count: int) -> None:
    expect(tab.locator("#items li")).to_have_text([str(number) for number in range(count)])


def test_a_page_heals_with_a_single_request(open_live: OpenLive, server: PageServer, room: str, miss: Miss) -> None:
    tab = open_live()
    tab.evaluate("window.isTheSame = true")
    miss(tab, numbers=8, notes=5)
    expect_items(tab, 8)
    expect(tab.locator("#notes li")).to_have_text([f"note {number}" for number in range(5)])
    expect(tab.locator("#rendered")).to_have_text("2")
    for id in ("live-0", "live-1", "reference"):
        expect_state(tab, "live", id)
    assert tab.evaluate("resets.map(({ id, channels }) => [id, channels]).sort()") == [
        ["live-0", [room]], ["live-1", [f"{room}/notes"]],
    ]  # fmt: skip

    server.post(f"/{room}/publish", numbers=1, notes=1)
    expect_items(tab, 9)
    expect(tab.locator("#notes li").last).to_have_text("note 5")
    assert len(server.get(f"/{room}/asked")) == 2
    assert tab.evaluate("isTheSame")
    server.post(f"/{room}/broadcast")
    expect(tab.locator("#reference")).to_contain_text(room)
    expect_live(tab, 3)
    tab.get_by_role("button", name="Leave").click()
    server.wait_for_connections(0)


def test_heal_may_be_limited_to_a_region(open_live: OpenLive, server: PageServer, room: str, miss: Miss) -> None:
    tab = open_live("?heal=%23region")
    miss(tab, numbers=8)
    expect_items(tab, 8)
    expect_state(tab, "live")
    expect(tab.locator("#rendered")).to_have_text("1")
    server.post(f"/{room}/publish", numbers=1)
    expect_items(tab, 9)
    assert len(server.get(f"/{room}/asked")) == 2


@pytest.mark.parametrize("heal", ["event", "page"])
def test_a_page_may_handle_a_gap_itself(
    heal: str, open_live: OpenLive, server: PageServer, room: str, miss: Miss
) -> None:
    tab = open_live(f"?heal={heal}")
    if heal == "page":
        tab.evaluate("document.addEventListener('sse:reset', (event) => event.preventDefault())")
    miss(tab, numbers=8)
    tab.wait_for_function("resets.length > 0")
    server.post(f"/{room}/publish", numbers=1)
    expect(tab.locator("#items li")).to_have_text(["8"])
    expect_state(tab, "live")
    [reset] = tab.evaluate("resets")
    assert reset["channels"] == [room]
    assert re.fullmatch(r"[0-9a-f]+-\d+", reset["cursor"])
    assert "stale" not in tab.evaluate("states.map(({ state }) => state)")
    assert len(server.get(f"/{room}/asked")) == 1


def test_healing_keeps_the_users_input_focus_and_scroll_position(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss
) -> None:
    tab = open_live("/form")
    tab.locator("#typed").fill("typed")
    tab.locator("#text").fill("typed, too")
    tab.locator("#box").check()
    tab.locator("#radio-b").check()
    tab.locator("#chosen").select_option("c")
    tab.locator("summary").click()
    tab.locator("#focused").fill("typing")
    tab.evaluate("document.querySelector('#focused').setSelectionRange(2, 4)")
    tab.evaluate("document.querySelector('#scroller').scrollTop = 300")
    tab.evaluate("scrollTo(0, 1000)")
    top = "(element) => element.getBoundingClientRect().top"
    before = tab.locator("#below").evaluate(top)

    miss(tab, numbers=8)
    expect(tab.locator("#version")).to_have_text("version 2")
    expect_items(tab, 8)
    expect(tab.locator("#typed")).to_have_value("typed")
    expect(tab.locator("#text")).to_have_value("typed, too")
    expect(tab.locator("#box")).to_be_checked()
    expect(tab.locator("#radio-b")).to_be_checked()
    expect(tab.locator("#chosen")).to_have_value("c")
    expect(tab.locator("#details")).to_have_attribute("open", "")
    expect(tab.locator("#preserved")).to_have_text("version 1")
    expect(tab.locator("#focused")).to_be_focused()
    expect(tab.locator("#focused")).to_have_value("typing")
    caret = "(field) => [field.selectionStart, field.selectionEnd]"
    assert tab.locator("#focused").evaluate(caret) == [2, 4]
    assert tab.evaluate("document.querySelector('#scroller').scrollTop") == 300
    assert tab.locator("#below").evaluate(top) == before

    expect(tab.locator("#untouched")).to_have_value("version 2")
    expect(tab.locator("#untouched")).to_have_attribute("title", "version 2")
    expect(tab.locator("#details p")).to_have_text("version 2")
    expect(tab.locator("#chosen option")).to_have_text(["a 2", "b 2", "c 2"])
    expect(tab.locator("#unchosen")).to_have_value("b")


def test_an_event_published_while_the_page_is_rendered_is_shown_once(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss
) -> None:
    """This includes an event that another element, whose stream had no gap, has already shown."""
    tab = open_live()
    server.post(f"/{room}/will", meanwhile=True)
    miss(tab, numbers=8)
    expect_items(tab, 10)
    expect(tab.locator("#notes li")).to_have_text(["meanwhile"])
    expect_state(tab, "live")
    server.post(f"/{room}/publish", numbers=1)
    expect_items(tab, 11)
    expect(tab.locator("#notes li")).to_have_text(["meanwhile"])


def test_events_waiting_to_be_swapped_are_not_added_to_the_healed_page(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss
) -> None:
    """Htmx 4 pauses after each message while others are queued. Here, the test decides when the pause ends."""
    tab = open_live()
    tab.evaluate(
        """() => {
          const { setTimeout } = window;
          window.held = [];
          window.setTimeout = (go, delay) => (delay === 1 && held ? held.push(go) : setTimeout(go, delay));
        }"""
    )
    server.post(f"/{room}/fill")
    server.post(f"/{room}/publish", notes=5)
    expect(tab.locator("#filling")).to_have_text("new")
    miss(tab, numbers=8)
    expect_items(tab, 8)
    tab.evaluate("held.splice(0).forEach((go) => go()), held = null")
    server.post(f"/{room}/publish", notes=1)
    expect(tab.locator("#notes li").last).to_have_text("note 5")
    expect(tab.locator("#notes li")).to_have_count(6)


def test_a_page_that_cannot_be_fetched_stays_stale_until_the_next_trigger(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss, problems: list[str]
) -> None:
    tab = open_live()
    tab.clock.install()
    server.post(f"/{room}/answer", status=404)
    server.post(f"/{room}/answer", status=303, header="Location", value=f"/{room}/elsewhere")
    miss(tab, numbers=8)
    tab.clock.run_for(2_000)
    tab.wait_for_function(f"{LAST}.status === 404")
    last = tab.evaluate(LAST)
    assert (last["state"], last["final"]) == ("stale", True)
    tab.clock.run_for(3_600_000)
    assert len(server.get(f"/{room}/asked")) == 2
    expect_state(tab, "stale")
    expect_items(tab, 0)

    tab.evaluate(TRIGGER)
    tab.wait_for_function(f"{LAST}.reason === 'redirected'")
    expect_state(tab, "stale")
    tab.evaluate(TRIGGER)
    expect_items(tab, 8)
    expect_state(tab, "live")
    warnings = [problem for problem in problems if "so this page stays as it was" in problem]
    assert len(warnings) == 2
    problems[:] = [problem for problem in problems if problem not in warnings and "404" not in problem]


def test_an_error_while_morphing_is_reported_and_healing_is_retried(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss, problems: list[str]
) -> None:
    tab = open_live()
    tab.evaluate("void (window.importNode = Document.prototype.importNode)")
    tab.evaluate("void (Document.prototype.importNode = () => { throw new Error('broken'); })")
    miss(tab, numbers=8)
    tab.wait_for_function("states.at(-1).final")
    expect_state(tab, "stale")
    tab.evaluate("void (Document.prototype.importNode = window.importNode)")
    tab.evaluate(TRIGGER)
    expect_items(tab, 8)
    expect_state(tab, "live")
    assert any("broken" in problem for problem in problems)
    problems.clear()


def test_healing_obeys_retry_after(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss, problems: list[str]
) -> None:
    tab = open_live()
    server.post(f"/{room}/answer", status=503, header="Retry-After", value="1")
    miss(tab, numbers=8)
    tab.wait_for_function("states.at(-1).status === 503")
    tab.evaluate(TRIGGER)
    expect_items(tab, 8)
    expect_state(tab, "live")
    [trouble] = tab.evaluate("states.filter(({ status }) => status)")
    assert (trouble["state"], trouble["final"]) == ("stale", False)
    _, refused, answered = server.get(f"/{room}/asked")
    assert answered - refused >= 1
    problems[:] = [problem for problem in problems if "503" not in problem]


def test_pages_heal_after_a_random_delay(open_live: OpenLive, server: PageServer, room: str, miss: Miss) -> None:
    tab = open_live()
    tab.evaluate("Math.random = () => 0.5")
    tab.evaluate("document.addEventListener('sse:reset', () => { window.resetAt = performance.now(); })")
    miss(tab, numbers=8)
    expect_items(tab, 8)
    asked_at = "performance.getEntriesByName(location.href, 'resource')[0].startTime"
    assert tab.evaluate(f"{asked_at} - resetAt") >= 1_000


def test_an_element_that_is_missing_on_the_healed_page_disconnects(
    open_live: OpenLive, server: PageServer, room: str, miss: Miss
) -> None:
    tab = open_live()
    server.post(f"/{room}/will", over=True)
    miss(tab, numbers=8)
    expect_items(tab, 8)
    assert count_sources(tab) == 1
    server.wait_for_connections(1)
