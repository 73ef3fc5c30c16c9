"""Pages that are shown in unusual ways: each works, or says why not in `data-sse-reason` and in one console line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Frame, Page, expect

from e2e.conftest import BROWSERS, installed_program
from e2e.page_server import PageServer, wait_until
from e2e.plain_chromium import plain_chromium
from tests.support.proxies import request_certificate

# What Chromium says by itself about requests that were refused, and about such frames.
BY_ITSELF = ("Failed to load resource", "An iframe which has both allow-scripts and allow-same-origin")


@pytest.fixture
def lines() -> list[str]:
    """Return what the pages have written to the console."""
    return []


@pytest.fixture
def bare(browser: Browser, lines: list[str]) -> Iterator[BrowserContext]:
    """Return a browser whose requests are not routed: these pages have all files from their own server."""
    context = browser.new_context()
    listen(context, lines)
    yield context
    context.close()


def listen(context: BrowserContext, lines: list[str]) -> None:
    context.on("console", lambda message: lines.append(message.text))
    context.on("weberror", lambda error: lines.append(f"error: {error.error}"))


def expect_works(page: Page | Frame, server: PageServer, room: str) -> None:
    """Expect a page to be live, and to show what is published."""
    expect(page.locator("#live")).to_have_attribute("data-sse-state", "live")
    server.post(f"/{room}/say", text="hello")
    expect(page.locator("#heard")).to_have_text("hello")
    expect(page.locator("[data-sse-reason]")).to_have_count(0)


def expect_refused(page: Page | Frame, lines: list[str], reason: str) -> None:
    """Expect a page that says why it is not live, in each element, and once in the console."""
    live = page.locator("[data-sse-connect]")
    for element in live.all():
        expect(element).to_have_attribute("data-sse-state", "denied")
        expect(element).to_have_attribute("data-sse-reason", reason)
    expect(page.locator("[data-sse-status]")).to_have_attribute("data-sse-state", "denied")
    own = [line for line in lines if not line.startswith(BY_ITSELF)]
    assert len(own) == 1, own
    assert own[0].startswith("sse: ")


def frame(bare: BrowserContext, server: PageServer, path: str, *, host: str = "127.0.0.1", **options: str) -> Frame:
    """Return a frame that shows a page, inside of a page of a host."""
    tab = bare.new_page()
    query = "&".join(f"{name}={value}" for name, value in options.items())
    tab.goto(f"http://{host}:{server.port}/r/frame?src={server.url}{path}&{query}")
    found = tab.frame("inner")
    assert found is not None
    return found


def test_a_page_with_a_password_in_its_address(
    bare: BrowserContext, server: PageServer, room: str, lines: list[str]
) -> None:
    tab = bare.new_page()
    tab.goto(server.url.replace("http://", "http://ann:secret@") + f"/{room}/page")
    expect_works(tab, server, room)
    expect(tab.locator("#count")).to_contain_text("1")
    tab.get_by_role("button", name="Ask").click()
    expect(tab.locator("#answer")).to_have_text("answered")
    assert lines == []


def test_a_stream_of_another_origin_comes_back_though_its_server_takes_no_id(
    bare: BrowserContext, server: PageServer, room: str
) -> None:
    """Browsers ask by OPTIONS whether a page may send `Last-Event-ID`; their `EventSource` sends it without asking."""
    tab = bare.new_page()
    tab.goto(f"{server.url}/{room}/across")
    for number in "123":
        expect(tab.locator("#across")).to_have_text(number)


def test_a_sandboxed_page_works_with_its_origin(
    bare: BrowserContext, server: PageServer, room: str, lines: list[str]
) -> None:
    expect_works(frame(bare, server, f"/{room}/page", sandbox="allow-scripts+allow-same-origin"), server, room)


def test_a_sandboxed_page_without_its_origin_says_so(
    bare: BrowserContext, server: PageServer, room: str, lines: list[str]
) -> None:
    expect_refused(frame(bare, server, f"/{room}/page", sandbox="allow-scripts"), lines, "sandboxed")


def test_a_page_in_another_sites_frame_says_that_it_has_no_cookie(
    bare: BrowserContext, server: PageServer, room: str, lines: list[str]
) -> None:
    expect_refused(frame(bare, server, f"/{room}/page", host="localhost"), lines, "cookie")


@pytest.fixture
def elsewhere(htmx: str, tmp_path: Path) -> Iterator[PageServer]:
    """Serve an application with `same_site='none'` over TLS."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(request_certificate(certificate, key), check=True, stderr=subprocess.DEVNULL)
    certificate.write_text(certificate.read_text() + key.read_text())
    server = PageServer("embedded_elsewhere", int(htmx[0]), tmp_path / "server.log", E2E_CERTIFICATE=str(certificate))
    yield server
    server.stop()


def test_a_page_in_another_sites_frame_works_with_a_cookie_for_it(
    browser: Browser, server: PageServer, elsewhere: PageServer, room: str, lines: list[str]
) -> None:
    context = browser.new_context(ignore_https_errors=True)
    listen(context, lines)
    tab = context.new_page()
    tab.goto(f"http://localhost:{server.port}/r/frame?src={elsewhere.url}/{room}/page")
    inner = tab.frame("inner")
    assert inner is not None
    expect_works(inner, elsewhere, room)
    expect(inner.locator("#count")).to_contain_text("1")
    assert [line for line in lines if not line.startswith(BY_ITSELF)] == []
    context.close()


def test_a_page_whose_cookies_are_blocked_says_so(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    server: PageServer,
    room: str,
    lines: list[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "Default").mkdir()
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(settings))
    arguments = {
        **browser_type_launch_args,
        "executable_path": installed_program(*BROWSERS),
    }  # the shell has no settings
    context = browser_type.launch_persistent_context(tmp_path, **arguments)
    listen(context, lines)
    tab = context.new_page()
    tab.goto(f"{server.url}/{room}/page")
    expect_refused(tab, lines, "cookie")
    context.close()


def test_a_page_that_is_rendered_in_advance_follows_nothing_until_it_is_shown(
    server: PageServer, room: str, tmp_path: Path
) -> None:
    server.new_log()
    with plain_chromium(f"{server.url}/{room}/before", tmp_path) as browser:
        log = ""

        def is_rendered() -> bool:
            nonlocal log
            log += server.new_log()
            return "/hub/hub-client.js" in log and f"GET /{room}/page" in log

        wait_until(is_rendered, what="a page that is rendered in advance")
        browser.wait_for("document.title === 'Before'")
        server.post(f"/{room}/say", text="before it was shown")
        browser.evaluate("document.querySelector('#go').click()")
        browser.wait_for("document.querySelector('#heard')?.innerText === 'before it was shown'")
        assert browser.evaluate("performance.getEntriesByType('navigation')[0].activationStart > 0") is True
        browser.wait_for("document.querySelector('#live')?.dataset.sseState === 'live'")
        browser.wait_for("document.querySelector('#count').innerText.includes('1')")
        server.wait_for_connections(1)
        log += server.new_log()
        assert log.count(f"GET /{room}/page") == 1
