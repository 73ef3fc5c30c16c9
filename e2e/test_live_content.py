from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab
from e2e.page_server import PageServer
from e2e.pages.live_content import PAUSE

# Collects the announcements for screen readers.
LISTEN = """() => {
  const announcer = document.querySelector(".sse-announcer");
  globalThis.announcements = [];
  new MutationObserver(() => announcements.push(announcer.textContent)).observe(announcer, { childList: true });
}"""
# Holds the timer for the pause after an announcement, until the test fires it.
HOLD = """(pause) => {
  const { setTimeout } = globalThis;
  globalThis.held = [];
  globalThis.setTimeout = (run, delay, ...rest) => delay === pause ? held.push(run) : setTimeout(run, delay, ...rest);
}"""
END_PAUSE = "held.splice(0).forEach((run) => run())"
# Counts the elements that move. Elements that do not move keep their focus.
WATCH = """list => {
  globalThis.moved = new Set();
  const count = (records) => records.forEach((record) => record.removedNodes.forEach(({ id }) => id && moved.add(id)));
  new MutationObserver(count).observe(list, { childList: true });
}"""


def open_live(open_tab: OpenTab, path: str, id: str) -> Page:
    tab = open_tab(path)
    expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", "live")
    return tab


def open_two(open_tab: OpenTab, path: str, id: str) -> list[Page]:
    return [open_live(open_tab, path, id) for _ in range(2)]


def expect_untouched(tab: Page) -> None:
    assert tab.evaluate("globalThis.hacked") is None


def test_a_text_changes_in_every_tab_and_is_announced_at_intervals(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    server.post(f"/{room}/text/set", values_="1 %")
    assert f'id="{room}"' in server.get(f"/{room}/text")
    assert ">1 %</span>" in server.get(f"/{room}/text")
    tabs = open_two(open_tab, f"/{room}/text", room)
    for tab in tabs:
        expect(tab.locator(".sse-announcer[aria-live=polite]")).to_have_count(1)
        tab.evaluate(HOLD, PAUSE * 1_000)
        tab.evaluate(LISTEN)
    server.post(f"/{room}/text/set", values_=",".join(f"{number} %" for number in range(2, 100)))
    for tab in tabs:
        expect(tab.locator(f"#{room}")).to_have_text("99 %")
        assert tab.evaluate("announcements") == ["Load: 2 %"]
        tab.evaluate(END_PAUSE)
        assert tab.evaluate("announcements") == ["Load: 2 %", "Load: 99 %"]
        tab.evaluate(END_PAUSE)
        assert tab.evaluate("announcements.length") == 2
    expect_no_serious_violations(tabs[0])

    server.post(f"/{room}/text/hostile")
    for tab in tabs:
        expect(tab.locator(f"#{room}")).to_contain_text("<script>window.hacked = 1</script>")
        expect(tab.locator(f"#{room} *")).to_have_count(0)
        tab.wait_for_function("announcements.at(-1).startsWith('Load: <script>')")
        assert tab.evaluate("Math.max(...announcements.map((text) => text.length))") < 1_100
        expect_untouched(tab)


def test_a_list_is_the_same_in_every_tab(open_tab: OpenTab, server: PageServer, room: str) -> None:
    def change(what: str, id: str = "", **form: Any) -> None:
        server.post(f"/{room}/list/{what}", id=id, **form)

    assert "Nothing to do" in server.get(f"/{room}/list")
    tabs = [open_live(open_tab, f"/{room}/list?tag={tag}", room) for tag in ("ul", "ol")]
    items = [tab.locator(f"#{room} > [id]") for tab in tabs]
    for tab in tabs:
        expect(tab.get_by_text("Nothing to do")).to_be_visible()
    change("append", "a", text="milk")
    for tab, item in zip(tabs, items, strict=True):
        expect(item).to_have_text(["milk"])
        expect(tab.get_by_text("Nothing to do")).to_be_hidden()
    change("append", "b", text="bread")
    change("prepend", "c", text="tea")
    change("append", "a", text="more milk")
    for item in items:
        expect(item).to_have_text(["tea", "bread", "more milk"])
    assert "tea" in server.get(f"/{room}/list")

    # An update keeps the focus; with the keyboard only.
    tabs[0].locator("#b-done").focus()
    tabs[0].keyboard.press("Space")
    tabs[0].keyboard.press("Tab")
    tabs[0].keyboard.type("from the ba")
    tabs[0].keyboard.press("ArrowLeft")
    change("update", "b", text="two breads")
    change("update", "gone", text="nowhere")
    for item in items:
        expect(item).to_have_text(["tea", "two breads", "more milk"])
    expect(tabs[0].locator("#b-note")).to_be_focused()
    tabs[0].keyboard.type("z")
    expect(tabs[0].locator("#b-note")).to_have_value("from the bza")
    expect(tabs[0].locator("#b-done")).to_be_checked()
    expect(tabs[1].locator("#b-done")).not_to_be_checked()

    change("remove", "b")
    for item in items:
        expect(item).to_have_text(["tea", "more milk"])
    change("clear")
    for tab, item in zip(tabs, items, strict=True):
        expect(item).to_have_count(0)
        expect(tab.get_by_text("Nothing to do")).to_be_visible()
    expect_no_serious_violations(tabs[0])
    server.post(f"/{room}/list/all/hostile")
    for tab, item in zip(tabs, items, strict=True):
        expect(item).to_have_count(5)
        expect(item.nth(0)).to_have_text("<script>window.hacked = 1</script>")
        expect(item.nth(2)).to_have_text("</textarea></template></div><b>bold</b>")
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        expect_untouched(tab)


def test_a_list_keeps_its_order_and_length_when_items_come_before_its_component(
    open_tab: OpenTab, context: BrowserContext, server: PageServer, room: str
) -> None:
    held: list[Route] = []
    context.route("**/live-list.js", lambda route: held.append(route))
    server.post(f"/{room}/table/insert", scores_="b=10,a=9")
    tab = open_live(open_tab, f"/{room}/table?max_length=3", room)
    server.post(f"/{room}/table/insert", scores_="c=1,d=20")
    expect(tab.locator("tbody > tr[id]")).to_have_count(4)
    for route in held:
        route.continue_()
    expect(tab.locator("tbody > tr[id] td:first-child")).to_have_text(["c", "a", "b"])


def test_a_table_keeps_its_order_whatever_a_tab_shows(open_tab: OpenTab, server: PageServer, room: str) -> None:
    def insert(scores: str) -> None:
        server.post(f"/{room}/table/insert", scores_=scores)

    def expect_rows(tab: Page, *rows: str) -> None:
        cells = [cell for row in rows for cell in row.split()]
        expect(rows_of(tab).locator("td")).to_have_text(cells)

    def rows_of(tab: Page) -> Locator:
        return tab.locator("tbody > tr[id]")

    empty = open_live(open_tab, f"/{room}/table", room)
    expect(empty.get_by_text("No scores")).to_be_visible()
    insert("b=10,a=9,text-10=x10")
    later = open_live(open_tab, f"/{room}/table?max_length=4", room)
    for tab in (empty, later):
        expect_rows(tab, "a 9", "b 10", "text-10 x10")
        expect(tab.get_by_text("No scores")).to_be_hidden()
        tab.locator("tbody").evaluate(WATCH)
    insert("text-9=x9,c=-1.5,d=1e3,e=10")
    expect_rows(empty, "c -1.5", "a 9", "b 10", "e 10", "d 1e3", "text-9 x9", "text-10 x10")
    expect_rows(later, "c -1.5", "a 9", "b 10", "e 10")
    insert("a=11")
    expect_rows(empty, "c -1.5", "b 10", "e 10", "a 11", "d 1e3", "text-9 x9", "text-10 x10")
    expect_rows(later, "c -1.5", "b 10", "e 10", "a 11")
    assert "row-b" not in empty.evaluate("[...moved]")
    expect_no_serious_violations(empty)


def test_a_full_list_drops_items_at_its_other_end(open_tab: OpenTab, server: PageServer, room: str) -> None:
    short, long = (open_live(open_tab, f"/{room}/list?max_length={most}", room) for most in (3, 0))
    for number in range(5):
        server.post(f"/{room}/list/append", id=f"i{number}", text=str(number))
    expect(short.locator(f"#{room} > [id]")).to_have_text(["2", "3", "4"])
    server.post(f"/{room}/list/prepend", id="first", text="first")
    expect(short.locator(f"#{room} > [id]")).to_have_text(["first", "2", "3"])
    expect(long.locator(f"#{room} > [id]")).to_have_text(["first", "0", "1", "2", "3", "4"])


def test_a_region_is_morphed_in_every_tab(open_tab: OpenTab, server: PageServer, room: str) -> None:
    add = f"/{room}/region/add"
    server.post(add, text=",".join(f"line {number}" for number in range(20)))
    assert "line 19" in server.get(f"/{room}/region")
    typing, voting = open_two(open_tab, f"/{room}/region", room)
    typing.locator("#note").fill("what I typed")
    typing.keyboard.press("ArrowLeft")
    typing.locator("#lines").evaluate("lines => lines.scrollTop = 50")
    # With the keyboard: the focus stays on the button, and the next press works, too.
    voting.locator("#vote").focus()
    for count in range(21, 24):
        expect(voting.get_by_role("button")).to_have_text(f"Vote ({count - 1})")
        voting.keyboard.press("Enter")
        expect(voting.get_by_role("button")).to_have_text(f"Vote ({count})")
        expect(voting.locator("#vote")).to_be_focused()
    expect(typing.get_by_role("button")).to_have_text("Vote (23)")
    expect(typing.locator("#note")).to_be_focused()
    typing.keyboard.type("!")
    expect(typing.locator("#note")).to_have_value("what I type!d")
    assert typing.locator("#lines").evaluate("lines => lines.scrollTop") == 50
    expect(voting.locator("#note")).to_have_value("note 23")
    expect(typing.locator("template")).to_have_count(0)
    typing.get_by_role("button").click()  # htmx has processed the new content
    expect(voting.get_by_role("button")).to_have_text("Vote (24)")

    server.post(add, text="hostile")
    for tab in (typing, voting):
        expect(tab.locator("#lines p")).to_have_count(29)
        expect(tab.locator("#lines p").nth(24)).to_have_text("<script>window.hacked = 1</script>")
        expect_untouched(tab)
    expect_no_serious_violations(voting)


def test_nothing_shows_of_a_transaction_that_fails(open_tab: OpenTab, server: PageServer, room: str) -> None:
    first, second = open_two(open_tab, f"/{room}/transaction", room)
    for title in ("milk", "too much", "bread"):
        first.get_by_role("textbox").fill(title)
        first.get_by_role("textbox").press("Enter")
        if title != "too much":
            expect(second.get_by_text(title)).to_be_visible()
    for tab in (first, second):
        expect(tab.locator(f"#{room} > [id]")).to_have_text(["milk", "bread"])
    assert "too much" not in server.get(f"/{room}/transaction")


@pytest.mark.parametrize("shared", [False, True], ids=["two channels", "one channel"])
def test_an_item_moves_from_list_to_list_on_pages_that_show_one_or_both(
    open_tab: OpenTab, server: PageServer, room: str, *, shared: bool
) -> None:
    channel = room if shared else ""
    path = f"/{room}/moves?channel={channel}"
    both, todo, done = (
        open_live(open_tab, f"{path}&only={only}", f"{room}-{only or 'todo'}") for only in ("", "todo", "done")
    )
    server.post(f"/{room}/moves/move", channel=channel)
    for tab in (both, done):
        expect(tab.locator(f"#{room}-done > li")).to_have_text([f"{room}-item"])
    for tab in (both, todo):
        expect(tab.locator(f"#{room}-todo > li")).to_have_count(0)
