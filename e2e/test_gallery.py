from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import HTMX, OpenTab
from e2e.page_server import PageServer, wait_until
from sse_components.gallery.examples import EXAMPLES
from sse_components.gallery.layout import path

PAGES = ["/", *map(path, EXAMPLES)]
HOSTILE = """<img src=x onerror="document.title='run'"><script>document.title='run'</script> &lt; '"""


def open_live(open_tab: OpenTab, *paths: str) -> list[Page]:
    tabs = [open_tab(path) for path in paths]
    for tab in tabs:
        expect_live(tab)
    tabs[0].bring_to_front()
    return tabs


def expect_live(tab: Page) -> None:
    expect(tab.locator("#status")).to_have_attribute("data-sse-state", "live")


def expect_in_all(tabs: list[Page], selector: str, text: str | re.Pattern[str]) -> None:
    for tab in tabs:
        expect(tab.locator(selector)).to_have_text(text)


def button(tab: Page | Locator, name: str) -> Locator:
    return tab.get_by_role("button", name=name, exact=True)


def todo(tab: Page, title: str) -> Any:
    return tab.locator("#todos li").filter(has_text=title)


def settle(tab: Page) -> None:
    """Wait until htmx has settled new content: before that, it does not react to clicks."""
    expect(tab.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)


def test_todos_are_the_same_in_all_tabs_and_need_no_mouse(open_tab: OpenTab, room: str) -> None:
    one, other, index = open_live(open_tab, "/todos", "/todos", "/")
    before = one.locator("#todos li").count()
    title = f"{HOSTILE} {room}"

    one.get_by_label("New todo").focus()
    one.keyboard.type(title)
    one.keyboard.press("Enter")
    for tab in (one, other):
        expect(todo(tab, room).locator("label")).to_have_text(title)
        expect(tab).to_have_title("Todo list · sse_components")
    expect(index.locator("#todos-left")).to_have_text(f"{before + 1} of {before + 1} left")
    expect(one.get_by_label("New todo")).to_have_value("")
    settle(one)
    expect(one.get_by_label("New todo")).to_be_focused()

    box = todo(one, room).get_by_role("checkbox")
    box.focus()
    one.keyboard.press("Space")
    expect(todo(other, room).get_by_role("checkbox")).to_be_checked()
    expect_in_all([one, other], "#todos-left", f"{before} of {before + 1} left")
    expect(index.locator("#todos-left progress")).to_have_attribute("value", "1.0")
    settle(one)
    expect(box).to_be_focused()

    one.keyboard.press("Tab")
    one.keyboard.press("Enter")
    for tab in (one, other):
        expect(todo(tab, room)).to_have_count(0)
        expect(tab.locator("#todos li")).to_have_count(before)


def test_votes_move_up_in_every_tab(open_tab: OpenTab, room: str) -> None:
    one, other, index = open_live(open_tab, "/vote", "/vote", "/")
    name = f"<b>{room}"
    one.get_by_label("Something else").fill(name)
    one.get_by_label("Something else").press("Enter")
    item = one.locator("#votes li").filter(has_text=room)
    expect(item).to_have_text(re.compile("^1"))
    for votes in range(2, 12):
        button(item, f"+1 for {name}").click()
        expect(item).to_have_text(re.compile(f"^{votes}"))
        settle(one)
    expect(button(item, f"+1 for {name}")).to_be_focused()
    for tab in (one, other, index):
        expect(tab.locator("#votes > [id]").first).to_have_text(re.compile(f"^11{re.escape(name)}"))
    button(other.locator("#votes > [id]").first, f"Remove {name}").click()
    for tab in (one, other, index):
        expect(tab.locator("#votes li").filter(has_text=room)).to_have_count(0)


def test_a_move_shows_in_every_tab_and_focus_stays(open_tab: OpenTab) -> None:
    one, other = open_live(open_tab, "/board", "/board")
    button(one, "New game").click()
    expect_in_all([one, other], "#board p", "X to move")
    square = one.locator("#square-4")
    square.focus()
    one.keyboard.press("Enter")
    expect_in_all([one, other], "#square-4", "X")
    expect(square).to_be_focused()
    for at in (0, 3, 2):
        other.locator(f"#square-{at}").click()
        expect(one.locator(f"#square-{at}")).not_to_have_text("")
    other.locator("#square-5").click()
    expect_in_all([one, other], "#board p", "X has won")


def test_all_tabs_show_the_same_measurements(open_tab: OpenTab) -> None:
    tabs = open_live(open_tab, "/machine", "/machine", "/")

    def lines() -> set[str | None]:
        return {tab.locator("#processor .sse-spark-line").get_attribute("d") for tab in tabs}

    seen = lines()
    wait_until(lambda: len(lines()) == 1 and lines().isdisjoint(seen), what="the same new line in all tabs")
    expect(tabs[0].get_by_role("img", name="GiB of memory")).to_be_visible()
    expect(tabs[0].locator("#processor-now")).to_have_text(re.compile(r"^\d+ %$"))


def test_a_job_is_cancelled_from_another_tab(open_tab: OpenTab) -> None:
    tabs = one, other = open_live(open_tab, "/job", "/job")
    button(one, "Start").click()
    expect_in_all([*tabs], ".sse-progress-amount", re.compile("^[1-9]"))
    button(other, "Cancel").click()
    expect_in_all([*tabs], ".sse-progress-detail", re.compile("^Cancelled"))
    button(one, "Start, ASCII only").click()
    expect_in_all([*tabs], ".sse-progress-detail", re.compile("^Failed: 'ascii' codec can't decode"))


def test_an_answer_is_stopped_from_another_tab(open_tab: OpenTab, room: str) -> None:
    tabs = one, other = open_live(open_tab, "/model", "/model")
    one.get_by_label("Ask it").fill(f"class? {HOSTILE} {room}")
    button(one, "Ask").click()
    expect_in_all([*tabs], "#question", f"class? {HOSTILE} {room}")
    expect_in_all([*tabs], "#answer-text", re.compile(r"^(\S+ ){5}"))
    button(other, "Stop").click()
    expect_in_all([*tabs], ".sse-token-stream-state", "Stopped")
    expect(other.locator("#answer-text")).to_have_text(one.locator("#answer-text").inner_text())


def test_log_records_show_in_every_tab(open_tab: OpenTab, room: str) -> None:
    one, other = open_live(open_tab, "/log", "/log")
    one.get_by_label("Write a line").fill(f"{HOSTILE} {room}")
    one.get_by_label("Level", exact=True).select_option("warning")
    button(one, "Write").click()
    for tab in (one, other):
        line = tab.locator(".sse-log-line").filter(has_text=room)
        expect(line).to_have_attribute("data-level", "warning")
        expect(line.locator("bdi")).to_have_text(re.compile(re.escape(HOSTILE)))
    button(other, "Divide by zero").click()
    expect(one.locator(".sse-log-line[data-level=error]").last).to_contain_text("division by zero")


def test_the_access_log_is_bounded_and_the_same_in_all_tabs(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tabs = open_live(open_tab, "/access-log", "/access-log")
    for number in range(30):
        tabs[0].request.get(f"{server.url}/<script>{room}-{number}?sub=secret")
    for tab in tabs:
        rows = tab.locator("#lines tr")
        newest = rows.filter(has_text=f"/<script>{room}-29")
        expect(newest).to_contain_text("404")
        expect(rows.filter(has_text=f"/<script>{room}-10")).to_have_count(0)
        expect(rows).to_have_count(16)
        assert "secret" not in tab.content()
    counts = [tab.locator("#answered") for tab in tabs]
    wait_until(lambda: len({count.inner_text() for count in counts}) == 1, what="the same count in both tabs")


def test_toasts_reach_only_their_recipients(open_tab: OpenTab, room: str) -> None:
    one, other = open_live(open_tab, "/toasts", "/")
    toast = [tab.locator(".sse-toast", has_text=room) for tab in (one, other)]

    def send(text: str, to: str) -> None:
        one.get_by_label("What to say").fill(f"{HOSTILE} {room} {text}")
        one.get_by_label("Level").select_option("error")
        button(one, to).click()

    send("all", "To everyone")
    for shown in toast:
        expect(shown).to_contain_text(f"{HOSTILE} {room} all")
    button(toast[1], "Close").click()
    for shown in toast:
        expect(shown).to_have_count(0)
    send("mine", "To this tab")
    expect(toast[0]).to_contain_text("mine")
    send("ours", "To this browser")
    expect(toast[1]).to_contain_text("ours")
    expect(toast[0]).to_have_count(2)


def test_fields_are_the_same_in_all_tabs(open_tab: OpenTab, room: str) -> None:
    one, other = open_live(open_tab, "/fields", "/fields")
    for label in ("Headline", "Note"):
        one.get_by_label(label).fill(f"{HOSTILE} {room}"[-100:])
        expect(other.get_by_label(label)).to_have_value(f"{HOSTILE} {room}"[-100:])
    lamp = other.get_by_role("switch", name="Lamp")
    was_on = lamp.is_checked()
    one.get_by_role("switch", name="Lamp").press("Space")
    expect(lamp).to_be_checked(checked=not was_on)
    one.get_by_role("switch", name="Dark theme").press("Space")
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_failed_transfer_changes_no_balance(open_tab: OpenTab) -> None:
    one, other = open_live(open_tab, "/transfer", "/transfer")
    balances = [[tab.locator(f"#balance-{name}") for name in ("Ada", "Grace")] for tab in (one, other)]
    before = int(balances[0][0].inner_text())
    one.get_by_label("Amount").fill("1")
    button(one, "From Ada to Grace").click()
    for ada, grace in balances:
        expect(ada).to_have_text(str(before - 1))
        expect(grace).to_have_text(str(101 - before))
    one.get_by_label("Amount").fill("100")
    button(one, "From Grace to Ada").click()
    expect(one.locator(".sse-toast")).to_contain_text("Grace has not got 100")
    for ada, _ in balances:
        expect(ada).to_have_text(str(before - 1))
    expect(other.locator(".sse-toast")).to_have_count(0)
    button(one, "From Grace to Ada").evaluate("(button) => { button.form.amount.value = 1; button.click(); }")
    expect(balances[1][0]).to_have_text(str(before))


def test_a_sign_out_shows_in_every_tab(open_tab: OpenTab, room: str, problems: list[str]) -> None:
    [one] = open_live(open_tab, "/sign-in")
    one.get_by_label("Your name").fill(f"<b>{room}")
    one.get_by_label("Your name").press("Enter")
    expect(one.locator(".stage strong")).to_have_text(f"<b>{room}")
    [other] = open_live(open_tab, "/presence")
    expect(other.locator(".sse-person").filter(has_text=room)).to_have_text(re.compile("2 tabs"))
    button(one, "Sign out").click()
    expect(one.locator(".stage")).to_contain_text("Nobody is signed in")
    expect(other.get_by_role("dialog")).to_contain_text("You have been signed out")
    button(other, "Stay on this page").click()
    expect(other.get_by_role("dialog")).to_have_count(0)
    problems[:] = [problem for problem in problems if "403" not in problem]


def test_a_broken_connection_heals(
    open_tab: OpenTab, server: PageServer, problems: list[str], new_context: Any
) -> None:
    one, other = open_live(open_tab, "/connection", "/todos")
    stranger = new_context().new_page()
    stranger.goto(f"{server.url}/todos")
    expect_live(stranger)
    for tab in (other, stranger):
        tab.evaluate(WATCH)

    button(other, "Break it").click()
    panel = other.get_by_role("region", name="Break the connection")
    button(panel, "Drop").click()
    expect_passed(other, "reconnecting")

    button(panel, "Delay").click()
    expect(other.locator("#status")).to_contain_text(re.compile(r"Reconnecting.*in \d s", re.DOTALL))
    expect(one.locator("#status")).to_have_attribute("data-sse-state", "reconnecting")
    for tab in (one, other):
        expect_live(tab)
    assert stranger.evaluate("passed") == []

    button(panel, "Restart").click()
    expect_passed(stranger, "stale")
    for tab in (one, other, stranger):
        expect_live(tab)
    seen = int(one.locator("#numbers li").last.inner_text())
    expect(one.locator("#numbers")).to_contain_text(str(seen + 2))
    numbers = [int(text) for text in one.locator("#numbers li").all_inner_texts()]
    assert numbers == list(range(numbers[0], numbers[0] + 12))
    problems[:] = [problem for problem in problems if "503" not in problem]


# The states that a page has gone through.
WATCH = """() => {
  window.passed = [];
  document.addEventListener("sse:state", ({ detail }) => passed.push(detail.state));
}"""


def expect_passed(tab: Page, state: str) -> None:
    """Expect a page to go through a state, and to be live again."""
    wait_until(lambda: state in tab.evaluate("passed"), what=state)
    wait_until(lambda: tab.evaluate("passed.at(-1)") == "live", what="live again")
    expect_live(tab)


def test_every_page_shows_how_many_tabs_are_open(open_tab: OpenTab) -> None:
    tabs = open_live(open_tab, "/", "/presence", "/presence")
    for tab in tabs:
        expect(tab.locator("#tabs")).to_have_text("3 tabs open", use_inner_text=True)
    expect(tabs[1].locator(".sse-person")).to_have_text("Guest3 tabs")
    expect(tabs[1].locator("main .sse-tabs")).to_have_text("2 tabs", use_inner_text=True)
    with tabs[0].context.expect_page() as opened:
        tabs[0].get_by_role("link", name="Open in another tab").click()
    expect(tabs[1].locator("#tabs")).to_have_text("4 tabs open", use_inner_text=True)
    opened.value.close()
    for tab in tabs[1:]:
        tab.close()
    expect(tabs[0].locator("#tabs")).to_have_text("1 tab open", use_inner_text=True)


@pytest.mark.parametrize("htmx", HTMX[:1], indirect=True)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_and_axe_finds_nothing_serious(open_tab: OpenTab, path: str) -> None:
    [tab] = open_live(open_tab, path)
    tab.emulate_media(reduced_motion="reduce")
    for width in (390, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        button(tab, "Pages" if width == 390 else "Break it").click()
        expect_no_serious_violations(tab)


def test_the_keyboard_goes_to_the_content_first_and_to_the_pages_on_a_narrow_screen(open_tab: OpenTab) -> None:
    [tab] = open_live(open_tab, "/todos")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("main")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Open in another tab")).to_be_focused()

    tab.set_viewport_size({"width": 390, "height": 800})
    expect(tab.get_by_role("link", name="Vote")).to_be_hidden()
    button(tab, "Pages").press("Enter")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Todo list")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(button(tab, "Pages")).to_be_focused()
    button(tab, "Pages").press("Enter")
    tab.get_by_role("link", name="Vote").press("Enter")
    expect(tab).to_have_title("Vote · sse_components")
