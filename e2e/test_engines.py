"""The core of the kit in Chromium, Firefox and WebKit, on both generations of htmx."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Playwright

from e2e.conftest import assert_no_trouble
from e2e.engines.chromium import Chromium
from e2e.engines.driver import SKIPPED, Browser, Tab
from e2e.engines.firefox import Firefox
from e2e.engines.webkit import WebKit
from e2e.page_server import PageServer, wait_until
from sse_components.gallery.examples import EXAMPLES
from sse_components.gallery.layout import path

LIVE = "document.querySelector('#live').dataset.sseState"
NUMBERS = "[...document.querySelectorAll('#items li')].map((item) => Number(item.textContent))"
COUNT = "document.querySelector('#count').textContent.match(/\\d+/)?.[0]"
FIELD = "document.activeElement.id + ': ' + document.activeElement.value"
STATUS = "document.querySelector('#status').dataset.sseState"

ENGINES: dict[str, Callable[[Playwright], Browser]] = {
    "chromium": Chromium,
    "firefox": lambda _: Firefox(),
    "webkit": lambda _: WebKit(),
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, playwright: Playwright) -> Iterator[Browser]:
    """Return a browser with an engine. One that is missing fails the test, unless `SSE_SKIP_ENGINES` names it."""
    name = str(request.param)
    if name in os.environ.get(SKIPPED, "").split(","):
        pytest.skip(f"{SKIPPED} names {name}")
    browser = ENGINES[name](playwright)
    yield browser
    browser.close()


@pytest.fixture
def serve(htmx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], PageServer]]:
    """Return a function that starts the server of a page."""
    running: list[PageServer] = []

    def serve(page: str) -> PageServer:
        log = tmp_path_factory.mktemp(page) / "server.log"
        running.append(PageServer(page, int(htmx[0]), log, E2E_HTMX=htmx))
        return running[-1]

    yield serve
    for server in running:
        server.stop()
        assert_no_trouble(server.new_log())


@pytest.fixture
def site(serve: Callable[[str], PageServer]) -> PageServer:
    return serve("engines")


def open_live(engine: Browser, site: PageServer, *paths: str) -> list[Tab]:
    tabs = [engine.open(site.url + path) for path in paths]
    for tab in tabs:
        tab.expect(LIVE, "live")
    return tabs


def close(*tabs: Tab) -> None:
    for tab in tabs:
        tab.close()


def expect_left(site: PageServer, room: str, stay: int) -> None:
    """Expect that all tabs but some have left a room, long before their leases expire."""
    wait_until(lambda: site.get(f"/{room}/tabs")["tabs"] == stay, what=f"{stay} tabs in the room")


def test_eight_tabs_of_two_pages_share_a_connection_and_heal_after_a_restart(
    engine: Browser, site: PageServer, room: str, htmx: str
) -> None:
    tabs = open_live(engine, site, *[f"/{room}/{number % 2}" for number in range(8)])
    assert tabs[0].evaluate("htmx.version") == htmx
    site.wait_for_connections(1)
    for tab in tabs:
        tab.expect(COUNT, "8")
    typing = tabs[-1]
    typing.evaluate("document.querySelector('#field').focus()")
    typing.type("half a sen")
    for number in range(3):
        site.post(f"/{room}/0/add", number=number)
        site.post(f"/{room}/1/add", number=10 + number)
    tabs[0].expect(NUMBERS, [0, 1, 2])
    site.kill()
    site.start()
    site.post(f"/{room}/1/add", number=13)  # before any tab is back: only a heal brings it
    for number, tab in enumerate(tabs):
        tab.expect(NUMBERS, [10, 11, 12, 13] if number % 2 else [0, 1, 2])
        tab.expect(STATUS, "live")
    assert typing.evaluate(FIELD) == "field: half a sen"
    site.wait_for_connections(1)
    engine.errors()  # of the server that was away
    close(*tabs)
    expect_left(site, room, 0)
    site.wait_for_connections(0)


def test_a_page_that_is_left_is_nowhere_and_comes_back_alive(engine: Browser, site: PageServer, room: str) -> None:
    """The browser keeps it for the way back, and freezes its worker with it."""
    (tab,) = open_live(engine, site, f"/{room}/0")
    tab.expect(COUNT, "1")
    tab.evaluate("void (window.isTheSame = true)")
    for number in range(2):
        tab.goto(f"{site.url}/away")
        expect_left(site, room, 0)
        site.wait_for_connections(0)
        site.post(f"/{room}/0/add", number=number)
        tab.back()
        tab.expect(LIVE, "live")
        assert tab.evaluate("window.isTheSame") is True, "the page was not kept for the way back"
        tab.expect(NUMBERS, list(range(number + 1)))
        tab.expect(COUNT, "1")
    tab.reload()
    tab.expect(LIVE, "live")
    tab.expect(COUNT, "1")
    site.wait_for_connections(1)
    assert engine.errors() == []
    close(tab)
    expect_left(site, room, 0)


def test_tabs_that_are_closed_one_after_the_other_are_gone(engine: Browser, site: PageServer, room: str) -> None:
    if engine.name == "webkit":
        pytest.skip("WebKitGTK loses the last words of some tabs that its driver closes: docs/browsers.md")
    stays, *others = open_live(engine, site, *[f"/{room}/{number % 3}" for number in range(7)])
    stays.expect(COUNT, "7")
    for left, tab in enumerate(others, 1):
        tab.close()
        expect_left(site, room, 7 - left)
    stays.expect(COUNT, "1")
    assert engine.errors() == []
    close(stays)


def test_the_gallery_has_no_errors(engine: Browser, serve: Callable[[str], PageServer]) -> None:
    gallery = serve("gallery")
    for page in ["/", *map(path, EXAMPLES)]:
        tab = engine.open(gallery.url + page)
        tab.expect(STATUS, "live")
        tab.close()
    assert engine.errors() == []
