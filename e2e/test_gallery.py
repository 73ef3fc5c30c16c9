from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from e2e.cdn import NODE_MODULES
from e2e.conftest import OpenTab
from e2e.page_server import PageServer, wait_until

PAGES = ["/", "/todos", "/machine", "/access-log"]
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
AXE = (NODE_MODULES / "axe-core" / "axe.min.js").read_text("utf-8")
HOSTILE = """<img src=x onerror="document.title='run'"><script>document.title='run'</script> &lt; '"""


def todo(tab: Page, title: str) -> Any:
    return tab.locator("#todos li").filter(has_text=title)


def settle(tab: Page) -> None:
    """Wait until htmx has taken in what it has put in: until then, it is not clickable."""
    expect(tab.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)


def test_todos_are_in_step_and_need_no_mouse(open_tab: OpenTab, room: str) -> None:
    one, other, index = open_tab("/todos"), open_tab("/todos"), open_tab("/")
    before = one.locator("#todos li").count()
    title = f"{HOSTILE} {room}"

    one.bring_to_front()
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
    for tab in (one, other):
        expect(tab.locator("#todos-left")).to_have_text(f"{before} of {before + 1} left")
    expect(index.locator("#todos-left progress")).to_have_attribute("value", "1.0")
    settle(one)
    expect(box).to_be_focused()

    one.keyboard.press("Tab")
    one.keyboard.press("Enter")
    for tab in (one, other):
        expect(todo(tab, room)).to_have_count(0)
        expect(tab.locator("#todos li")).to_have_count(before)


def test_the_machine_is_in_step(open_tab: OpenTab) -> None:
    tabs = [open_tab(path) for path in ("/machine", "/machine", "/")]

    def lines() -> set[str | None]:
        return {tab.locator("#processor polyline").get_attribute("points") for tab in tabs}

    seen = lines()
    wait_until(lambda: len(lines()) == 1 and lines().isdisjoint(seen), within=15, what="the same new line in all tabs")
    expect(tabs[0].get_by_role("meter", name="memory")).to_be_visible()
    expect(tabs[0].get_by_role("img", name="seconds")).to_have_count(2)


def test_the_access_log_is_in_step_and_bounded(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tabs = [open_tab("/access-log"), open_tab("/access-log")]
    server.wait_for_connections(2)
    for number in range(30):
        tabs[0].request.get(f"{server.url}/<script>{room}-{number}?sub=secret")
    for tab in tabs:
        rows = tab.locator("#lines tr")
        expect(rows.first).to_contain_text(f"/<script>{room}-29")
        expect(rows.first).to_contain_text("404")
        expect(rows).to_have_count(16)
        expect(rows.last).to_contain_text(f"/<script>{room}-14")
        assert "secret" not in tab.content()
    one, other = [tab.locator("#answered").inner_text() for tab in tabs]
    assert one == other


def test_every_page_shows_how_many_tabs_are_open(open_tab: OpenTab, server: PageServer) -> None:
    server.wait_for_connections(0)
    tabs = [open_tab(path) for path in PAGES]
    for tab in tabs:
        expect(tab.locator("#tabs")).to_have_text("4 tabs open")
    with tabs[0].context.expect_page() as opened:
        tabs[0].get_by_role("link", name="Open in another tab").click()
    expect(tabs[3].locator("#tabs")).to_have_text("5 tabs open")
    opened.value.close()
    for tab in tabs[1:]:
        tab.close()
    expect(tabs[0].locator("#tabs")).to_have_text("1 tab open")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_and_axe_finds_nothing(open_tab: OpenTab, path: str) -> None:
    tab = open_tab(path)
    expect(tab.locator("#tabs")).to_have_text("1 tab open")
    tab.emulate_media(reduced_motion="reduce")
    tab.evaluate(AXE)
    for width in (390, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            violations = tab.evaluate("axe.run()")["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


def test_the_keyboard_goes_to_the_content_first(open_tab: OpenTab) -> None:
    tab = open_tab("/todos")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("main")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Open in another tab")).to_be_focused()
