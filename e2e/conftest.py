"""Tests in Chromium, with pages served by uvicorn.

`test_<behaviour>.py` drives `pages/<behaviour>.py`, once for each version of htmx. A test fails when a page or its
server logs an error or a warning. A test that expects an error asserts it and removes it from `problems`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, expect

from e2e.cdn import OUTSIDE, Cdn
from e2e.fault_proxy import FaultProxy
from e2e.page_server import TROUBLE, PageServer, wait_until
from tests.support.patience import patient

# The versions that FastHTML's pages load, and the latest ones. Modules that depend on htmx itself run on `ALL_HTMX`.
HTMX = ["2.0.7", "4.0.0"]
LATEST = ["2.0.11", "4.0.1"]
ALL_HTMX = pytest.mark.parametrize("htmx", [*HTMX, *LATEST], indirect=True)
LATEST_HTMX = pytest.mark.parametrize("htmx", LATEST, indirect=True)
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# It needs half the CPU of the full browser, but has no hidden tabs and no back-forward cache.
SHELL = "chromium-headless-shell"
# Milliseconds to wait for a page.
PATIENCE = 1000 * patient(20)
# The failure of a request that the page itself has ended, by closing a stream or by navigating.
ABORTED = "net::ERR_ABORTED"

# In a page: the address of the kit's modules.
KIT_ADDRESS = "document.querySelector('script[src*=\"/sse/assets/\"]').src.match(/.*[/]sse[/]assets[/][^/]+[/]/)[0]"

OpenTab = Callable[[str], Page]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium, if it is installed. Chromium refuses to run as root with a sandbox."""
    arguments = {**browser_type_launch_args}
    if installed := installed_program(SHELL, *BROWSERS):
        arguments.setdefault("executable_path", installed)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments["args"] = [*arguments.get("args", []), "--no-sandbox"]
    expect.set_options(timeout=PATIENCE)
    return arguments


def installed_program(*names: str) -> str | None:
    """Return the path of the first of these programs that is installed."""
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(params=HTMX)
def htmx(request: pytest.FixtureRequest) -> str:
    """Return the version of htmx on the test's pages."""
    return str(request.param)


@pytest.fixture
def new_context(new_context: Callable[..., BrowserContext], htmx: str) -> Callable[..., BrowserContext]:
    """Give every browser context its CDN. Local URLs are not routed, because Playwright would buffer streams."""

    def make(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.route(OUTSIDE, Cdn(htmx).answer)
        context.set_default_timeout(PATIENCE)
        return context

    return make


@pytest.fixture(scope="module")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], PageServer]]:
    """Return a function that returns the server of the module's page for a major version of htmx."""
    page = request.module.__name__.rpartition("test_")[2]
    running: dict[int, PageServer] = {}

    def serve(generation: int) -> PageServer:
        if generation not in running:
            running[generation] = PageServer(page, generation, tmp_path_factory.mktemp(page) / "server.log")
        return running[generation]

    yield serve
    with ExitStack() as stops:  # stop all servers, even if stopping fails for some
        for server in running.values():
            stops.callback(server.stop)
    assert_no_trouble("".join(server.new_log() for server in running.values()))


@pytest.fixture
def server(servers: Callable[[int], PageServer], htmx: str) -> Iterator[PageServer]:
    """Return the server of the test's page. Its log is printed if the test fails."""
    server = servers(int(htmx[0]))
    server.new_log()
    yield server
    assert_no_trouble(server.new_log())


def assert_no_trouble(log: str) -> None:
    sys.stderr.write(log)
    if TROUBLE.search(log):
        pytest.fail("the server has logged an error or a warning", pytrace=False)


@pytest.fixture
def proxy(server: PageServer, request: pytest.FixtureRequest) -> Iterator[FaultProxy]:
    """Return a proxy before the server that can simulate faults. With the parameter `crlf`, it rewrites line ends."""
    proxy = FaultProxy(server.port, crlf=getattr(request, "param", "") == "crlf")
    yield proxy
    proxy.close()


@pytest.fixture
def room() -> str:
    """Return a unique name for the channels of a test."""
    return f"room-{uuid4().hex[:8]}"


@pytest.fixture
def problems(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Collect errors, warnings and failed requests of all tabs. The test fails if any are left."""
    found: list[str] = []

    def on_error(error: WebError) -> None:
        found.append(f"error: {error.error}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(f"{message.type}: {message.text}")

    def on_failure(request: Request) -> None:
        if request.failure != ABORTED:
            found.append(f"failed: {request.url}")

    context.on("weberror", on_error)
    context.on("console", on_console)
    context.on("requestfailed", on_failure)
    yield found
    for page in context.pages:
        page.evaluate("0")  # when this returns, all earlier messages of the page have arrived
    assert found == []
    if (call := getattr(request.node, "rep_call", None)) and call.passed:
        for page in context.pages:
            page.close()  # otherwise pytest-playwright takes a screenshot, which takes a second in a background tab


@pytest.fixture
def open_tab(context: BrowserContext, server: PageServer, problems: list[str]) -> OpenTab:
    """Return a function that opens a path of the test's page in a new tab."""

    def open_tab(path: str) -> Page:
        tab = context.new_page()
        tab.goto(server.url + path)
        return tab

    return open_tab


def expect_live(tab: Page, count: int = 1) -> None:
    """Expect a page to have this many live elements. They may share connections."""
    expect(tab.locator("[data-sse-state=live]")).to_have_count(count)


def wait_for_sources(tab: Page, count: int) -> None:
    """Wait until a page has this many sources."""
    wait_until(lambda: count_sources(tab) == count, what=f"{count} sources")


def count_sources(tab: Page) -> int:
    """Return the number of sources on a page."""
    return int(tab.evaluate(f"import({KIT_ADDRESS} + 'page/sources.js').then(({{ sources }}) => sources.size)"))


def forget_lost_connections(problems: list[str], server: PageServer) -> int:
    """Remove the problems that a lost server causes, and return how many requests to the kit have failed."""
    requests = [problem for problem in problems if problem.startswith(f"failed: {server.url}/sse/")]
    errors = [problem for problem in problems if problem.startswith("error: Failed to load resource: net::ERR_")]
    problems[:] = [problem for problem in problems if problem not in requests + errors]
    return len(requests)
