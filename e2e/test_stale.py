"""A page that cannot be brought up to date says why, and has a button that reloads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import LATEST_HTMX, OpenTab, expect_live
from e2e.page_server import PageServer
from e2e.pages.stale import CHUNKS

pytestmark = LATEST_HTMX

# How many elements show that the page is live: the one that follows a channel, and the status.
LIVE = 2
FINAL = [
    ("redirected", {"status": 303, "name": "Location", "value": "/{room}/elsewhere"}, "or you are signed out"),
    ("redirected", {"status": 302, "name": "Location", "value": "{other}/{room}/elsewhere"}, "it has moved"),
    ("signed-out", {"status": 401}, "Sign in again"),
    ("refused", {"status": 403}, "the server refuses it"),
    ("refused", {"status": 404}, "the server refuses it"),
    ("not-html", {"name": "Content-Type", "value": "application/json"}, "the server sends no page"),
    ("too-large", {"large": True}, "it is too large"),
]  # fmt: skip

OpenLive = Callable[[], Page]
Miss = Callable[[Page], None]


@pytest.fixture
def open_live(open_tab: OpenTab, server: PageServer, room: str) -> OpenLive:
    def open_live() -> Page:
        server.wait_for_connections(0)
        tab = open_tab(f"/{room}")
        tab.evaluate("Math.random = () => 0")
        expect_live(tab, LIVE)
        return tab

    return open_live


@pytest.fixture
def miss(server: PageServer, room: str) -> Miss:
    """Return a function that lets a tab miss something."""

    def miss(tab: Page) -> None:
        tab.evaluate("document.dispatchEvent(new Event('freeze'))")
        server.wait_for_connections(0)
        server.post(f"/{room}/miss")
        tab.evaluate("document.dispatchEvent(new Event('resume'))")

    return miss


def expect_stale(tab: Page, reason: str, words: str, button: str) -> None:
    for id in ("live", "status"):
        expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-reason", reason)
        expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", "stale")
    expect(tab.locator("#status").get_by_role("status")).to_contain_text(words)
    expect(tab.locator("#status").get_by_role("button", name=button)).to_be_visible()


def press_button(tab: Page) -> None:
    tab.keyboard.press("Tab")
    expect(tab.locator("#status").get_by_role("button")).to_be_focused()
    tab.keyboard.press("Enter")


@pytest.mark.parametrize(("reason", "answer", "words"), FINAL)
def test_an_answer_that_is_not_this_page_is_final_and_shown(
    reason: str, answer: dict[str, Any], words: str, open_live: OpenLive, miss: Miss, server: PageServer, room: str,
    problems: list[str],
) -> None:  # fmt: skip
    tab = open_live()
    value = str(answer.get("value", "")).format(room=room, other=server.url.replace("127.0.0.1", "localhost"))
    server.post(f"/{room}/answer", **{**answer, "value": value})
    with tab.expect_console_message(lambda message: "so this page stays as it was" in message.text):
        miss(tab)
    expect_stale(tab, reason, words, "Reload")
    expect_no_serious_violations(tab)
    counts = server.get(f"/{room}/count")
    assert counts["asked"] == []  # a redirect is not followed
    assert counts["sent"] < CHUNKS / 2  # 8 MB, and what the network holds

    server.post(f"/{room}/answer")
    with tab.expect_navigation():
        press_button(tab)
    expect_live(tab, LIVE)
    expect(tab.locator("[data-sse-reason]")).to_have_count(0)
    problems[:] = [
        problem
        for problem in problems
        if "stays as it was" not in problem and "responded with a status of 4" not in problem
    ]


def test_a_server_that_fails_is_asked_again(
    open_live: OpenLive, miss: Miss, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_live()
    tab.evaluate("Math.random = () => 0.9")
    server.post(f"/{room}/answer", status=500)
    miss(tab)
    expect_stale(tab, "unavailable", "the server does not answer", "Try now")
    server.post(f"/{room}/answer")
    tab.evaluate("window.isTheSame = true")
    press_button(tab)
    expect_live(tab, LIVE)
    expect(tab.locator("[data-sse-reason]")).to_have_count(0)
    assert tab.evaluate("window.isTheSame")
    assert all("500" in problem for problem in problems)
    problems.clear()


def test_a_page_that_no_get_brings_again_has_a_button_that_reloads(
    open_live: OpenLive, miss: Miss, problems: list[str]
) -> None:
    tab = open_live()
    with tab.expect_navigation():
        tab.evaluate("document.body.append(Object.assign(document.createElement('form'), { method: 'post' }))")
        tab.evaluate("document.querySelector('body > form').submit()")
    expect_live(tab, LIVE)
    tab.evaluate("Math.random = () => 0")
    with tab.expect_console_message(lambda message: "no GET brings" in message.text):
        miss(tab)
    expect_stale(tab, "no-get", "Out of date", "Reload")
    problems.clear()


def test_a_page_heals_five_times_within_a_minute(
    open_live: OpenLive, miss: Miss, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_live()
    for _ in range(5):
        with tab.expect_request(f"{server.url}/{room}"):
            miss(tab)
        expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    with tab.expect_console_message(lambda message: "has healed 5 times within a minute" in message.text):
        miss(tab)
    expect_stale(tab, "too-often", "it changes too often", "Reload")
    assert f"{server.url}/{room}" not in requests
    with tab.expect_navigation():
        press_button(tab)
    expect_live(tab, LIVE)
    problems[:] = [problem for problem in problems if "has healed 5 times" not in problem]


def test_a_page_that_holds_a_heal_gets_it_by_the_button(open_live: OpenLive, miss: Miss) -> None:
    tab = open_live()
    tab.evaluate("document.addEventListener('sse:before-heal', (event) => event.preventDefault(), { once: true })")
    miss(tab)
    expect_stale(tab, "held", "Out of date", "Try now")
    tab.evaluate("window.isTheSame = true")
    press_button(tab)
    expect_live(tab, LIVE)
    expect(tab.locator("[data-sse-reason]")).to_have_count(0)
    assert tab.evaluate("window.isTheSame")


def test_a_page_that_an_error_keeps_from_healing_can_be_reloaded(
    open_live: OpenLive, miss: Miss, problems: list[str]
) -> None:
    tab = open_live()
    tab.evaluate("void (Document.prototype.importNode = () => { throw Error('odd'); })")
    miss(tab)
    expect_stale(tab, "broken", "Out of date", "Reload")
    with tab.expect_navigation():
        press_button(tab)
    expect_live(tab, LIVE)
    assert [problem for problem in problems if "odd" not in problem] == []
    problems.clear()


def test_the_warning_about_a_cache_names_it(
    open_live: OpenLive, miss: Miss, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_live()
    old = server.get(f"/{room}")
    headers = {"Age": "7", "Via": "1.1 edge"}
    tab.context.route(
        f"{server.url}/{room}",
        lambda route: route.fulfill(body=old, content_type="text/html; charset=utf-8", headers=headers),
    )
    tab.evaluate("Math.random = () => 0.9")
    with tab.expect_console_message(
        lambda message: "a cache answers for the server (Age: 7, Via: 1.1 edge)" in message.text
    ):
        miss(tab)
    expect_stale(tab, "cached", "a cache sends an old page", "Try now")
    problems.clear()


def test_the_warning_about_a_service_worker_names_it(
    open_live: OpenLive, miss: Miss, server: PageServer, problems: list[str]
) -> None:
    tab = open_live()
    tab.evaluate("navigator.serviceWorker.register('/worker').then(() => navigator.serviceWorker.ready)")
    tab.wait_for_function("navigator.serviceWorker.controller !== null")
    tab.reload()  # the worker keeps what it fetches now
    expect_live(tab, LIVE)
    tab.evaluate("Math.random = () => 0.9")
    said = f"the service worker {server.url}/worker answers for the server"
    with tab.expect_console_message(lambda message: said in message.text):
        miss(tab)
    expect_stale(tab, "cached", "a cache sends an old page", "Try now")
    problems.clear()
