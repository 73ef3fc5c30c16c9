from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import OpenTab

# What a tab keeps or shares under a name, beside what the application itself keeps.
NAMES = """async () => [
  ...Object.keys(localStorage), ...Object.keys(sessionStorage),
  ...(await navigator.locks.query()).held.map(({ name }) => name)].filter((name) => name.startsWith("sse"))"""


# Remembers what the field shows before any module has run.
EARLY = (
    """addEventListener("DOMContentLoaded", () => { window.early = document.querySelector("[name=note]")?.value; })"""
)


PUT_BACK = """kept => { for (const [key, value] of Object.entries(kept))
    if (key.startsWith("sse:field")) localStorage.setItem(key, value); }"""


def sign_in(open_tab: OpenTab, app: str, room: str, user: str) -> Page:
    tab = open_tab(f"/{app}/login?user={user}&next=/{app}/{room}/desk")
    expect_live(tab)
    return tab


def expect_live(tab: Page) -> None:
    expect(tab.locator("[data-sse-state=live]")).to_have_count(2)


def note(tab: Page) -> str:
    return tab.get_by_role("textbox", name="Note").input_value()


def send(tab: Page, app: str, room: str, action: str, text: str) -> None:
    """Send a request from the page, as its own scripts do."""
    tab.evaluate(
        "([path, text]) => fetch(path, { method: 'POST', body: new URLSearchParams({ text }) })",
        [f"/{app}/{room}/{action}", text],
    )


def test_two_applications_on_one_origin_do_not_touch_each_other(open_tab: OpenTab, room: str) -> None:
    first, second = sign_in(open_tab, "a", room, "ann"), sign_in(open_tab, "b", room, "bob")
    first.get_by_role("textbox", name="Note").fill("of a")
    first.get_by_role("switch", name="Dark").check()
    second.get_by_role("textbox", name="Note").fill("of b")
    again = open_tab(f"/a/{room}/desk")
    expect(again.get_by_role("textbox", name="Note")).to_have_value("of a")
    expect(again.locator("html")).to_have_attribute("data-theme", "dim")
    expect_live(again)
    assert (note(first), note(second)) == ("of a", "of b")
    expect(second.locator("html")).to_have_attribute("data-theme", "bright")

    # A page of one application says nothing about who is signed in to the other.
    for tab in (first, second, again):
        expect(tab.get_by_role("dialog")).to_have_count(0)
    send(first, "a", room, "toast", "toast of a")
    expect(again.locator(".sse-toast")).to_have_count(1)
    send(second, "b", room, "say", "said in b")
    expect(second.locator("#heard")).to_have_text("said in b")
    again.get_by_role("button", name="Close").click()
    expect(first.locator(".sse-toast")).to_have_count(0)
    expect(first.locator("#heard")).to_be_empty()
    expect(second.locator(".sse-toast")).to_have_count(0)

    of_a, of_b = set(first.evaluate(NAMES)), set(second.evaluate(NAMES))
    assert of_a == of_b  # one origin has one storage
    spaces = {tab.locator("script[data-sse-namespace]").get_attribute("data-sse-namespace") for tab in (first, second)}
    applications = {str(space).partition(".")[0] for space in spaces}
    assert len(applications) == 2
    assert [name for name in of_a if not any(application in name for application in applications)] == []


def test_signing_out_of_one_application_keeps_the_fields_of_the_other(open_tab: OpenTab, room: str) -> None:
    first, second = sign_in(open_tab, "a", room, "ann"), sign_in(open_tab, "b", room, "bob")
    second.get_by_role("textbox", name="Note").fill("of b")
    first.goto(first.url.replace(f"{room}/desk", "logout"))
    next_user = sign_in(open_tab, "a", room, "eve")
    expect(second.get_by_role("dialog")).to_have_count(0)
    assert (note(next_user), note(open_tab(f"/b/{room}/desk"))) == ("", "of b")


@pytest.mark.parametrize("signs_out", [True, False])
def test_the_next_user_of_a_computer_never_sees_a_field_of_the_last_one(
    open_tab: OpenTab, room: str, signs_out: bool
) -> None:
    tab = sign_in(open_tab, "a", room, "ann")
    tab.get_by_role("textbox", name="Note").fill("ann's secret")
    tab.get_by_role("switch", name="Dense").check()
    tab.get_by_role("switch", name="Dark").check()
    send(tab, "a", room, "toast", "ann's toast")
    expect(tab.locator(".sse-toast")).to_have_count(1)
    if signs_out:
        tab.goto(tab.url.replace(f"{room}/desk", "logout"))
    tab.add_init_script(EARLY)
    tab.goto(tab.url.partition("/a/")[0] + f"/a/login?user=bob&next=/a/{room}/desk")
    expect_live(tab)
    assert tab.evaluate("window.early") == note(tab) == ""
    expect(tab.locator(".sse-toast")).to_have_count(0)
    expect(tab.get_by_role("switch", name="Dense")).not_to_be_checked()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dim")  # it is the browser's
    assert "secret" not in tab.evaluate("JSON.stringify(localStorage)")

    # The open page of the last user does not get what the next one types, nor the other way round.
    tab.get_by_role("textbox", name="Note").fill("bob's secret")
    back = sign_in(open_tab, "a", room, "ann")
    assert "secret" not in note(back)
    expect(tab.get_by_role("dialog", name="You are now signed in as someone else")).to_be_visible()


@pytest.mark.parametrize("is_copy", [False, True])
def test_a_page_from_the_history_shows_nothing_of_its_user_to_the_next_one(
    open_tab: OpenTab, room: str, is_copy: bool
) -> None:
    tab = open_tab(f"/a/login?user=ann&next=/a/{room}/desk?of=ann")
    expect_live(tab)
    tab.get_by_role("textbox", name="Note").fill("ann's secret")
    copy = tab.request.get(tab.url).text()
    kept = tab.evaluate("({ ...localStorage })")
    tab.goto(tab.url.partition("/a/")[0] + f"/a/login?user=bob&next=/a/{room}/desk?of=bob")
    expect_live(tab)
    # Even if the browser has it still, as when a tab of hers has stored it a moment ago.
    tab.evaluate(PUT_BACK, kept)
    tab.add_init_script(EARLY)
    if is_copy:  # what a browser has in its cache
        tab.route("**/desk?of=ann", lambda route: route.fulfill(body=copy, content_type="text/html"), times=1)
    tab.go_back()
    says_so = tab.get_by_role("dialog", name="You are now signed in as someone else")
    # A copy that is fetched again before its scripts are there is the next user's page then.
    expect(says_so.or_(tab.locator("#user", has_text="bob")).first).to_be_visible()
    if not is_copy:
        expect(says_so).to_have_count(0)
    assert tab.evaluate("performance.getEntriesByType('navigation')[0].type") == "back_forward"
    assert tab.evaluate("window.early") == note(tab) == ""


def test_a_tab_of_the_last_user_gets_nothing_more_of_theirs(open_tab: OpenTab, room: str) -> None:
    of_ann = sign_in(open_tab, "a", room, "ann")
    of_ann.get_by_role("textbox", name="Note").fill("a thought of ann")
    elsewhere = sign_in(open_tab, "b", room, "ann")
    of_bob = sign_in(open_tab, "a", room, "bob")  # without signing out
    expect(of_ann.get_by_role("dialog", name="You are now signed in as someone else")).to_be_visible()
    for app, tab in (("a", of_bob), ("b", elsewhere)):
        send(tab, app, room, "tell", "ann: private")
        send(tab, app, room, "tell", "bob: to you")
    expect(of_bob.locator(".sse-toast")).to_have_count(1)
    expect(of_bob.locator(".sse-toast")).to_contain_text("to you")
    expect(elsewhere.locator(".sse-toast")).to_contain_text("private")
    assert "private" not in of_ann.content()
    assert "private" not in of_bob.content()
