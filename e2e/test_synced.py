from __future__ import annotations

from playwright.sync_api import BrowserContext, Locator, Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab, count_sources
from e2e.page_server import PageServer

HOSTILE = '</textarea><script>document.title = "bad"</script>"><img src=x onerror="this.title=1"> \u202e\u05d0\u05d1\n'
# Records how much of the page was parsed when <html> got its theme.
WATCH_THEME = """new MutationObserver((_, observer) => {
  if (!document.documentElement?.hasAttribute("data-theme")) return;
  window.themedBefore = document.querySelector("h1") === null;
  observer.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true });"""


def field(tab: Page, label: str) -> Locator:
    return tab.get_by_role("textbox", name=label, exact=True)


def open_browser_tab(open_tab: OpenTab, room: str) -> Page:
    """Open the page with browser fields, and wait until their script is attached."""
    tab = open_tab(f"/{room}/browser")
    entry = tab.locator("script[src$='/index.js']").get_attribute("src")
    tab.evaluate("(entry) => import(new URL('components/synced-browser.js', new URL(entry, location)))", entry)
    return tab


def caret(one: Locator) -> list[int]:
    return list(one.evaluate("(field) => [field.selectionStart, field.selectionEnd]"))


def test_a_field_is_the_same_in_all_tabs_of_a_browser_without_the_server(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    painted = server.get(f"/{room}/browser")
    assert 'value="untitled"' in painted
    assert "\n\n first\n</textarea>" in painted  # the parser removes the first newline
    one, other = [open_browser_tab(open_tab, room) for _ in range(2)]
    assert count_sources(one) == 0
    expect(field(one, "Note")).to_have_value("\n first\n")

    field(other, "Title").focus()
    field(other, "Title").evaluate("(field) => field.setSelectionRange(2, 4)")
    field(one, "Title").fill("Untitled, by me")
    for tab in (one, other):
        expect(field(tab, "Title")).to_have_value("Untitled, by me")
        expect(field(tab, "Title again")).to_have_value("Untitled, by me")
    assert caret(field(other, "Title")) == [2, 4]
    field(one, "Title").fill("By me: Untitled, by me")
    expect(field(other, "Title")).to_have_value("By me: Untitled, by me")
    assert caret(field(other, "Title")) == [9, 11]
    field(one, "Title").fill("Untitled, by me")
    field(one, "Note").fill(HOSTILE)
    field(other, "Title again").press("End")
    field(other, "Title again").press_sequentially("!")
    expect(field(one, "Title")).to_have_value("Untitled, by me!")
    expect(field(other, "Note")).to_have_value(HOSTILE)
    field(one, "Note").fill("x" * 1_000_000)
    expect(field(other, "Note")).to_have_value("x" * 1_000_000)
    field(one, "Note").fill(HOSTILE)

    late = open_tab(f"/{room}/browser")
    assert field(late, "Note").input_value() == HOSTILE
    assert field(late, "Title").input_value() == "Untitled, by me!"
    late.get_by_role("button", name="Start again").press("Enter")
    for tab in (one, other, late):
        expect(field(tab, "Title")).to_have_value("untitled")
        assert tab.title() == "Synced"
        expect_no_serious_violations(tab)


def test_a_change_during_typing_waits_and_all_tabs_end_with_the_last_value(open_tab: OpenTab, room: str) -> None:
    one, other = [open_browser_tab(open_tab, room) for _ in range(2)]
    field(one, "Title").press_sequentially("a")
    field(other, "Title").fill("from there")
    field(one, "Title").press_sequentially("b")
    typed = field(one, "Title").input_value()
    assert typed == "untitledab" or typed == "abuntitled"
    expect(field(other, "Title")).to_have_value(typed)
    field(other, "Title").fill("the last")
    expect(field(one, "Title")).to_have_value("the last")
    for tab in (one, other):
        expect(field(tab, "Title again")).to_have_value("the last")


def test_a_toggle_sets_the_theme_in_all_tabs_before_the_first_paint(
    open_tab: OpenTab, context: BrowserContext, room: str
) -> None:
    context.add_init_script(WATCH_THEME)
    one, other = [open_browser_tab(open_tab, room) for _ in range(2)]
    switch = one.get_by_role("switch", name="Dark theme")
    expect(switch).not_to_be_checked()
    expect(one.get_by_role("switch", name="Dense")).to_be_checked()
    expect(one.locator("html.dense:not([data-theme])")).to_have_count(1)
    one.emulate_media(color_scheme="dark")  # the system's theme applies until the user chooses one
    expect(switch).to_be_checked()
    one.emulate_media(color_scheme="light")
    expect(switch).not_to_be_checked()

    one.keyboard.press("Tab")
    expect(switch).to_be_focused()
    one.keyboard.press("Space")
    one.keyboard.press("Tab")
    one.keyboard.press("Space")
    for tab in (one, other):
        expect(tab.get_by_role("switch", name="Dark theme")).to_be_checked()
        expect(tab.locator("html.airy:not(.dense)[data-theme=dark]")).to_have_count(1)
        expect_no_serious_violations(tab)
    late = open_tab(f"/{room}/browser")
    assert late.evaluate("themedBefore")
    expect(late.get_by_role("switch", name="Dark theme")).to_be_checked()


def test_a_tab_from_the_back_forward_cache_gets_the_latest_value(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    one, other = [open_browser_tab(open_tab, room) for _ in range(2)]
    one.goto(f"{server.url}/{room}/server")
    field(other, "Title").fill("meanwhile")
    one.go_back()
    expect(field(one, "Title")).to_have_value("meanwhile")


BLOCKED = """for (const name of ["localStorage", "sessionStorage", "BroadcastChannel"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });
}"""


def test_fields_work_in_a_browser_without_storage(open_tab: OpenTab, context: BrowserContext, room: str) -> None:
    context.add_init_script(BLOCKED)
    tab = open_tab(f"/{room}/browser")
    field(tab, "Title").fill("for this tab")
    expect(field(tab, "Title again")).to_have_value("for this tab")
    tab.get_by_role("switch", name="Dark theme").check()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_server_field_is_the_same_in_the_tabs_of_all_users(open_tab: OpenTab, server: PageServer, room: str) -> None:
    painted = server.get(f"/{room}/server")
    assert 'value="first"' in painted
    one, other = open_tab(f"/{room}/server"), open_tab(f"/{room}/server")
    for tab in (one, other):
        expect(tab.locator("[data-sse-state=live]")).to_have_count(3)
    field(other, "Note").focus()
    field(one, "Text").fill(HOSTILE.replace("\n", " "))
    expect(field(other, "Text")).to_have_value(HOSTILE.strip())
    expect(field(one, "Text")).to_have_value(HOSTILE.strip())  # as the handler stores it
    expect(field(other, "Note")).to_be_focused()
    one.get_by_role("switch", name="Lamp").press("Space")
    expect(other.get_by_role("switch", name="Lamp")).to_be_checked()
    assert f'id="{room}-lamp"' in server.get(f"/{room}/server")
    other.get_by_role("switch", name="Lamp").press("Space")
    expect(one.get_by_role("switch", name="Lamp")).not_to_be_checked()
    field(one, "Text").fill("x" * 1_000_000)
    expect(field(other, "Text")).to_have_value("x" * 1_000_000)
    for tab in (one, other):
        assert tab.title() == "Synced"
        expect_no_serious_violations(tab)


def test_two_tabs_that_write_at_the_same_time_end_with_the_same_value(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    """Typed text stays until the server has published it. In the end, all tabs show the last published value."""
    one, other, third = [open_tab(f"/{room}/server") for _ in range(3)]
    for tab in (one, other, third):
        expect(tab.locator("[data-sse-state=live]")).to_have_count(3)
    for tab, text in ((one, "mine"), (other, "yours")):
        with tab.expect_request("**/slow"):
            field(tab, "Note").fill(text)
    field(one, "Note").press("End")
    field(one, "Note").press_sequentially(" and more")
    server.post(f"/{room}/open")
    expect(field(third, "Note")).to_have_value("mine and more")
    for tab in (one, other):
        expect(field(tab, "Note")).to_have_value("mine and more")


def test_a_value_that_the_server_refuses_stays_in_its_tab(
    open_tab: OpenTab, room: str, problems: list[str], htmx: str
) -> None:
    one, other = open_tab(f"/{room}/server"), open_tab(f"/{room}/server")
    for tab in (one, other):
        expect(tab.locator("[data-sse-state=live]")).to_have_count(3)
    with one.expect_response("**/write"):
        field(one, "Text").fill("refused")
    field(other, "Text").fill("allowed")
    expect(field(one, "Text")).to_have_value("allowed")
    problems[:] = [problem for problem in problems if "422" not in problem]


def test_an_input_method_composition_is_not_interrupted(open_tab: OpenTab, room: str) -> None:
    one, other = [open_browser_tab(open_tab, room) for _ in range(2)]
    field(one, "Title").focus()
    session = one.context.new_cdp_session(one)
    session.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
    expect(field(other, "Title")).to_have_value("にuntitled")
    field(other, "Title").fill("elsewhere")
    session.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    session.send("Input.insertText", {"text": "日本"})
    expect(field(other, "Title")).to_have_value("日本untitled")
