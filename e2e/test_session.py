from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab
from e2e.page_server import PageServer

# Ways to sign out, and the page that has them.
WAYS = ["Leave", "Leave by form", "Leave by htmx", "Leave here"]


def guard(tab: Page, name: str = "You have been signed out") -> Locator:
    return tab.get_by_role("dialog", name=name)


def sign_in(open_tab: OpenTab, user: str) -> None:
    open_tab(f"/login?user={user}").close()


def expect_live(tab: Page) -> None:
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")
    expect(tab.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("way", WAYS)
def test_signing_out_in_one_tab_shows_in_all_tabs_without_the_server(
    open_tab: OpenTab, server: PageServer, room: str, way: str
) -> None:
    sign_in(open_tab, "ann")
    tabs = [open_tab(f"/{room}/plain") for _ in range(3)]
    tabs[0].get_by_label("Draft").fill("a thought")
    tabs[1].get_by_role("textbox", name="Note").fill("a secret")
    tabs[1].get_by_role("switch", name="Dense").check()
    expect(tabs[0].get_by_role("textbox", name="Note")).to_have_value("a secret")

    tabs[2].get_by_text(way, exact=True).press("Enter")
    for tab in tabs[:2]:
        expect(guard(tab)).to_be_visible()
        expect(guard(tab).get_by_role("link", name="Sign in again")).to_be_focused()
        expect_no_serious_violations(tab)
    tabs[0].keyboard.press("Escape")  # to copy what was typed
    expect(guard(tabs[0])).to_have_count(0)
    expect(tabs[0].get_by_label("Draft")).to_have_value("a thought")
    sign_in(open_tab, "ann")
    back = open_tab(f"/{room}/plain")
    for tab in (*tabs[:2], back):
        expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(back.get_by_role("textbox", name="Note")).to_have_value("")
    expect(back.get_by_role("switch", name="Dense")).to_be_checked()


@pytest.mark.parametrize("way", ["Leave here", "Leave by htmx"])
def test_signing_out_shows_in_other_tabs_though_no_component_of_this_one_is_there_yet(
    open_tab: OpenTab, server: PageServer, context: BrowserContext, room: str, way: str
) -> None:
    sign_in(open_tab, "ann")
    other = open_tab(f"/{room}/plain")
    expect(other.get_by_role("switch", name="Dense")).to_be_enabled()
    tab = context.new_page()
    held: list[Route] = []
    tab.route(re.compile("/components/(session-guard|sign-out)[.]js"), lambda route: held.append(route))
    tab.goto(f"{server.url}/{room}/plain")
    tab.get_by_text(way, exact=True).press("Enter")
    expect(guard(other)).to_be_visible()
    assert len(held) == 2
    for route in held:
        route.continue_()


def test_a_session_that_ends_on_the_server_shows_in_all_tabs_until_the_user_signs_in_again(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    painted = server.get(f"/{room}/plain")
    assert 'data-sse-who=""' in painted  # nobody is signed in
    sign_in(open_tab, "ann")
    tabs = [open_tab(f"/{room}/desk") for _ in range(2)]
    for tab in tabs:
        expect_live(tab)
        assert tab.locator("#sse-session-guard").get_attribute("data-sse-who") not in ("", "ann")
    tabs[1].get_by_label("Draft").fill("a thought")
    tabs[0].get_by_text("End", exact=True).click()
    for tab in tabs:
        expect(tab.locator("#live")).to_have_attribute("data-sse-state", "denied")
        expect(guard(tab)).to_be_visible()

    guard(tabs[0]).get_by_role("link", name="Sign in again").press("Enter")
    tabs[0].wait_for_url("**/login")
    tabs[0].goto(f"{server.url}/{room}/desk")
    for tab in tabs:
        expect_live(tab)
    server.post("/publish", channel=f"{room}/desk", html="<p>again</p>")
    for tab in tabs:
        expect(tab.locator("#live")).to_contain_text("again")
    expect(tabs[1].get_by_label("Draft")).to_have_value("a thought")
    problems[:] = [problem for problem in problems if "403" not in problem]


def test_a_session_that_ends_shows_where_another_origin_signs_users_in(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    sign_in(open_tab, "ann")
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/login"
    tab = open_tab(f"/{room}/desk?sign_in={elsewhere}")
    expect_live(tab)
    tab.get_by_text("End", exact=True).click()
    expect(guard(tab)).to_be_visible()
    problems[:] = [problem for problem in problems if "403" not in problem]


def test_another_user_shows_in_all_tabs_and_a_failed_sign_out_does_not(
    open_tab: OpenTab, room: str, problems: list[str]
) -> None:
    sign_in(open_tab, "ann")
    first = open_tab(f"/{room}/plain")
    with first.expect_response("**/leave-not"):
        first.get_by_text("Leave not", exact=True).click()
    sign_in(open_tab, "bob")
    second = open_tab(f"/{room}/plain")
    dialog = guard(first, "You are now signed in as someone else")
    expect(dialog).to_be_visible()
    expect_no_serious_violations(first)
    dialog.get_by_role("button", name="Stay on this page").press("Enter")
    expect(dialog).to_have_count(0)
    sign_in(open_tab, "eve")
    third = open_tab(f"/{room}/plain")
    expect(dialog.get_by_role("button", name="Reload")).to_be_focused()
    first.keyboard.press("Enter")
    expect(first.locator("#user")).to_have_text("eve")
    expect(first.get_by_role("dialog")).to_have_count(0)
    expect(third.get_by_role("dialog")).to_have_count(0)
    expect(guard(second, "You are now signed in as someone else")).to_be_visible()
    problems[:] = [problem for problem in problems if "409" not in problem]
