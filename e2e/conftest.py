"""Real servers and a real Chromium.

`test_<behaviour>.py` drives `pages/<behaviour>.py`, once for each version of htmx. A test fails when a page reports an
error or a warning, and when its server does; one that wants an error asserts and clears `problems`.
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

# What FastHTML's pages load, and the latest beside; a module has its tests run on `ALL_HTMX` where htmx itself matters.
HTMX = ["2.0.7", "4.0.0"]
LATEST = ["2.0.11", "4.0.1"]
ALL_HTMX = pytest.mark.parametrize("htmx", [*HTMX, *LATEST], indirect=True)
LATEST_HTMX = pytest.mark.parametrize("htmx", LATEST, indirect=True)
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# Half the work of a whole browser, without hidden tabs and the back-forward cache.
SHELL = "chromium-headless-shell"
# Milliseconds to wait for what a page is to show.
PATIENCE = 1000 * patient(20)
# How a request fails that the page itself has ended: it has closed a stream, or was left.
GIVEN_UP = "net::ERR_ABORTED"

OpenTab = Callable[[str], Page]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium where there is one; root has no sandbox."""
    arguments = {**browser_type_launch_args}
    if installed := installed_program(SHELL, *BROWSERS):
        arguments.setdefault("executable_path", installed)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments["args"] = [*arguments.get("args", []), "--no-sandbox"]
    expect.set_options(timeout=PATIENCE)
    return arguments


def installed_program(*names: str) -> str | None:
    """Return the path of the first of some programs that is there."""
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(params=HTMX)
def htmx(request: pytest.FixtureRequest) -> str:
    """Give the version of htmx on the test's pages."""
    return str(request.param)


@pytest.fixture
def new_context(new_context: Callable[..., BrowserContext], htmx: str) -> Callable[..., BrowserContext]:
    """Let every browser context have its CDN. Local addresses are never routed: a route would hold streams back."""

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
    """Give the servers of the module's page, for each generation of htmx that is asked for."""
    page = request.module.__name__.rpartition("test_")[2]
    running: dict[int, PageServer] = {}

    def serve(generation: int) -> PageServer:
        if generation not in running:
            running[generation] = PageServer(page, generation, tmp_path_factory.mktemp(page) / "server.log")
        return running[generation]

    yield serve
    with ExitStack() as stops:  # each of them, even if one does not end in time
        for server in running.values():
            stops.callback(server.stop)
    assert_untroubled("".join(server.new_log() for server in running.values()))


@pytest.fixture
def server(servers: Callable[[int], PageServer], htmx: str) -> Iterator[PageServer]:
    """Give the server of the test's page; what it logs shows when the test fails."""
    server = servers(int(htmx[0]))
    server.new_log()
    yield server
    assert_untroubled(server.new_log())


def assert_untroubled(log: str) -> None:
    sys.stderr.write(log)
    if TROUBLE.search(log):
        pytest.fail("the server has logged an error or a warning", pytrace=False)


@pytest.fixture
def proxy(server: PageServer, request: pytest.FixtureRequest) -> Iterator[FaultProxy]:
    """Give a network in front of the server that can fail; with the parameter `crlf` it rewrites line ends."""
    proxy = FaultProxy(server.port, crlf=getattr(request, "param", "") == "crlf")
    yield proxy
    proxy.close()


@pytest.fixture
def room() -> str:
    """Give a name for the channels of one test, which others on the same server do not use."""
    return f"room-{uuid4().hex[:8]}"


@pytest.fixture
def problems(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Collect what goes wrong in the tabs of the context; what a test leaves in it fails the test."""
    found: list[str] = []

    def on_error(error: WebError) -> None:
        found.append(f"error: {error.error}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(f"{message.type}: {message.text}")

    def on_failure(request: Request) -> None:
        if request.failure != GIVEN_UP:
            found.append(f"failed: {request.url}")

    context.on("weberror", on_error)
    context.on("console", on_console)
    context.on("requestfailed", on_failure)
    yield found
    for page in context.pages:
        page.evaluate("0")  # what the page has reported until now is there when this returns
    assert found == []
    if (call := getattr(request.node, "rep_call", None)) and call.passed:
        for page in context.pages:
            page.close()  # else pytest-playwright takes its picture, for which a tab in the background needs a second


@pytest.fixture
def open_tab(context: BrowserContext, server: PageServer, problems: list[str]) -> OpenTab:
    """Open a path of the test's page in a new tab of one browser."""

    def open_tab(path: str) -> Page:
        tab = context.new_page()
        tab.goto(server.url + path)
        return tab

    return open_tab


def expect_live(tab: Page, count: int = 1) -> None:
    """Expect a page to show this many elements that are live, over however few connections."""
    expect(tab.locator("[data-sse-state=live]")).to_have_count(count)


def wait_for_sources(tab: Page, count: int) -> None:
    """Return when a page knows of this many streams."""
    wait_until(lambda: count_sources(tab) == count, what=f"{count} sources")


def count_sources(tab: Page) -> int:
    """Return how many streams a page itself knows of."""
    return int(
        tab.evaluate(
            """async () => {
              const { src } = document.querySelector("script[src*='/sse/assets/']");
              const [assets] = /.*[/]sse[/]assets[/][^/]+[/]/.exec(src);
              return (await import(`${assets}page/sources.js`)).sources.size;
            }"""
        )
    )


def forget_lost_connections(problems: list[str], server: PageServer) -> int:
    """Take out what browsers say when they lose the server, and return how many requests to the kit were lost."""
    lost = [one for one in problems if one.startswith(f"failed: {server.url}/sse/")]
    said = [one for one in problems if one.startswith("error: Failed to load resource: net::ERR_")]
    problems[:] = [one for one in problems if one not in lost + said]
    return len(lost)
