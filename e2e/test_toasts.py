from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab, forget_lost_connections
from e2e.page_server import PageServer

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '"><img src=x onerror="window.hacked = 2">'


def open_live(open_tab: OpenTab, path: str) -> Page:
    tab = open_tab(path)
    expect_live(tab)
    return tab


def expect_live(tab: Page) -> None:
    expect(tab.locator("#sse-toasts")).to_have_attribute("data-sse-state", "live")


def toast(server: PageServer, room: str, text: str, level: str = "error", **options: object) -> None:
    server.post(f"/{room}/toast", text=text, level=level, **options)


def alerts(tab: Page) -> Locator:
    return tab.get_by_role("alert").locator(".sse-toast-text")


def test_a_toast_that_is_closed_in_one_tab_is_closed_in_all(open_tab: OpenTab, server: PageServer, room: str) -> None:
    tabs = [open_live(open_tab, f"/{room}/toasts") for _ in range(2)]
    first, second = tabs
    for text, level in ((SCRIPT, "error"), (IMAGE, "warning"), ("3", "error")):
        toast(server, room, text, level)
    toast(server, room, "x" * 100_000, "info", seconds=600)
    for tab in tabs:
        expect(tab.get_by_role("alert").locator(".sse-toast")).to_have_count(3)
        expect(tab.get_by_role("status").locator(".sse-toast")).to_have_count(1)
        expect(alerts(tab)).to_have_text([SCRIPT, IMAGE, "3"])
        assert tab.evaluate("window.hacked") is None
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect_no_serious_violations(second)

    # The limit is four: a fifth toast removes the oldest one with a time-out.
    toast(server, room, "5")
    for tab in tabs:
        expect(alerts(tab)).to_have_text([SCRIPT, IMAGE, "3", "5"])
        expect(tab.get_by_role("status").locator(".sse-toast")).to_have_count(0)

    # Close with the button and with Escape: the focus moves to the next toast, and finally back to its origin.
    first.get_by_role("link").focus()
    first.keyboard.press("Tab")
    expect(first.get_by_role("button", name="Close").first).to_be_focused()
    first.keyboard.press("Enter")
    for tab in tabs:
        expect(alerts(tab)).to_have_text([IMAGE, "3", "5"])
    for left in (2, 1, 0):
        first.keyboard.press("Escape")
        for tab in tabs:
            expect(tab.locator(".sse-toast")).to_have_count(left)
    expect(first.get_by_role("link")).to_be_focused()

    # Neither a reload nor a new tab shows old toasts.
    toast(server, room, "stays")
    expect(first.get_by_text("stays")).to_be_visible()
    expect(second.get_by_text("stays")).to_be_visible()
    first.reload()
    tabs.append(open_live(open_tab, f"/{room}/toasts"))
    toast(server, room, "later")
    for tab, shown in zip(tabs, [["later"], ["stays", "later"], ["later"]], strict=True):
        expect(alerts(tab)).to_have_text(shown)


def test_the_time_of_a_toast_pauses_while_it_is_hovered_or_focused(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    tab = open_tab(f"/{room}/toasts")
    tab.clock.install()  # this clock also runs in real time, but a toast's time is much longer than the test
    tab.reload()
    expect_live(tab)
    toast(server, room, "short", "info", seconds=50)
    toast(server, room, "long", "success", seconds=600)
    toast(server, room, "for ever", "error")
    shown = tab.locator(".sse-toast-text")
    expect(shown).to_have_text(["short", "long", "for ever"])
    tab.clock.run_for(30_000)
    tab.get_by_text("long").hover()
    tab.clock.run_for(1_000_000)
    expect(shown).to_have_text(["short", "long", "for ever"])
    tab.get_by_role("link").focus()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Close").first).to_be_focused()
    tab.mouse.move(1, 1)
    tab.clock.run_for(1_000_000)
    expect(shown).to_have_text(["short", "long", "for ever"])
    tab.keyboard.press("Shift+Tab")
    tab.clock.run_for(10_000)
    expect(shown).to_have_text(["short", "long", "for ever"])
    tab.clock.run_for(20_000)
    expect(shown).to_have_text(["long", "for ever"])
    tab.clock.run_for(1_000_000)
    expect(shown).to_have_text(["for ever"])


def test_toasts_go_to_a_user_a_session_or_a_tab(
    open_tab: OpenTab,
    context: BrowserContext,
    new_context: Callable[..., BrowserContext],
    server: PageServer,
    room: str,
) -> None:
    first = open_live(open_tab, f"/{room}/login?user=alice")
    second = open_live(open_tab, f"/{room}/toasts")
    elsewhere, bob = (new_context().new_page() for _ in range(2))
    for tab, user in ((elsewhere, "alice"), (bob, "bob")):
        tab.goto(f"{server.url}/{room}/login?user={user}")
        expect_live(tab)
    toast(server, room, "alice", user="alice")
    first.get_by_role("button", name="To this tab").click()
    second.get_by_role("button", name="To this session").click()
    expect(second.get_by_text("this session", exact=True)).to_be_visible()
    toast(server, room, "all")
    for tab, shown in (
        (first, ["alice", "this tab", "this session", "all"]),
        (second, ["alice", "this session", "all"]),
        (elsewhere, ["alice", "all"]),
        (bob, ["all"]),
    ):
        expect(alerts(tab)).to_have_text(shown)


def test_a_toast_is_shown_on_the_page_after_a_redirect(open_tab: OpenTab, server: PageServer, room: str) -> None:
    first, second = (open_live(open_tab, f"/{room}/toasts") for _ in range(2))
    first.get_by_role("textbox").fill("<b>1</b>")
    first.get_by_role("textbox").press("Enter")
    for tab in (first, second):
        expect(tab.get_by_role("status").locator(".sse-toast-text")).to_have_text(["saved: <b>1</b>"])
    first.get_by_role("button", name="Close").click()
    expect(second.locator(".sse-toast")).to_have_count(0)

    second.get_by_role("button", name="Leave").click()
    second.wait_for_url("**/toasts?again=1")
    expect(second.get_by_role("alert").locator(".sse-toast-text")).to_have_text(["left"])
    expect(first.locator(".sse-toast")).to_have_count(0)
    second.reload()
    expect_live(second)
    toast(server, room, "all")
    for tab in (first, second):
        expect(tab.locator(".sse-toast-text")).to_have_text(["all"])


def test_healing_keeps_the_toasts(open_tab: OpenTab, server: PageServer, room: str, problems: list[str]) -> None:
    tab = open_live(open_tab, f"/{room}/toasts")
    toast(server, room, "before")
    expect(alerts(tab)).to_have_text(["before"])
    tab.get_by_role("link").focus()
    tab.keyboard.press("Tab")
    cursor = tab.locator("#sse-toasts").get_attribute("data-sse-cursor") or ""
    server.kill()
    server.start()
    epoch = re.compile(rf"^(?!{re.escape(cursor.partition('-')[0])})")
    expect(tab.locator("#sse-toasts")).to_have_attribute("data-sse-cursor", epoch)
    expect_live(tab)
    toast(server, room, "after")
    expect(alerts(tab)).to_have_text(["before", "after"])
    expect(tab.get_by_role("button", name="Close").first).to_be_focused()
    forget_lost_connections(problems, server)
