"""Tabs that are hidden, frozen, or in the back-forward cache."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import BROWSERS, LATEST_HTMX, PATIENCE, OpenTab, installed_program
from e2e.numbers import expect_numbers, publish, publishing
from e2e.page_server import PageServer, wait_until

pytestmark = LATEST_HTMX

# Without an initial tab, which sometimes opens while Playwright connects.
HEADLESS = ["--headless", "--no-startup-window", "--disable-background-networking", "--disable-component-update"]
# Counts life cycle events of a page.
WATCH = """
    window.events = [];
    addEventListener("pageshow", ({ persisted }) => events.push(persisted ? "return" : "load"));
    for (const name of ["freeze", "resume"]) document.addEventListener(name, () => events.push(name));
"""


@pytest.fixture
def context(
    playwright: Playwright, browser_type_launch_args: dict[str, Any], htmx: str, tmp_path: Path
) -> Iterator[BrowserContext]:
    """Return a browser without Playwright's settings, which make every tab visible and disable the bfcache."""
    program = installed_program(*BROWSERS) or playwright.chromium.executable_path
    arguments = [*HEADLESS, *browser_type_launch_args.get("args", []), "--remote-debugging-port=0"]
    process = subprocess.Popen([program, *arguments, f"--user-data-dir={tmp_path}"], stderr=subprocess.DEVNULL)
    try:
        port = debugging_port(tmp_path / "DevToolsActivePort")
        browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", no_defaults=True)
        context = browser.contexts[0]
        context.route(OUTSIDE, Cdn(htmx).answer)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(WATCH)
        yield context
        browser.close()
    finally:
        process.terminate()
        process.wait()


def debugging_port(file: Path) -> str:
    wait_until(lambda: file.exists() and "\n" in file.read_text(), within=30, what="the browser")
    return file.read_text().split("\n")[0]


def set_life_cycle(tab: Page, state: str) -> None:
    tab.context.new_cdp_session(tab).send("Page.setWebLifecycleState", {"state": state})


def test_500_items_while_tabs_are_hidden_frozen_and_left(open_tab: OpenTab, server: PageServer, room: str) -> None:
    url = f"{server.url}/{room}/add"
    hidden, frozen, left, shown = tabs = [open_tab(f"/{room}") for _ in range(4)]
    assert [tab.evaluate("document.hidden") for tab in tabs] == [True, True, True, False]

    with publishing(url, range(100)):
        set_life_cycle(frozen, "frozen")
        left.goto(f"{server.url}/{room}/elsewhere")
    publish(url, range(100, 300))
    for tab in (shown, hidden):
        expect_numbers(tab, 300)

    with publishing(url, range(300, 500)):
        left.go_back(wait_until="commit")
        set_life_cycle(frozen, "active")
    for tab in tabs:
        expect_numbers(tab, 500)
    assert left.evaluate("events") == ["load", "freeze", "resume", "return"]
    assert frozen.evaluate("events") == ["load", "freeze", "resume"]
