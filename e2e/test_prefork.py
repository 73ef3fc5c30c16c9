"""gunicorn imports the application and then forks its workers: a page learns that another worker has taken over."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from e2e.conftest import LATEST, OpenTab, expect_live, forget_lost_connections
from e2e.page_server import PageServer, wait_until

pytestmark = pytest.mark.parametrize("htmx", LATEST[:1], indirect=True)


class Gunicorn(PageServer):
    """Serves one page with a worker of gunicorn."""

    SOCKET = "fd://{}"

    def command(self, page: str, generation: int) -> list[str]:
        app = (f"e2e.pages.{page}:app", "-k", "uvicorn_worker.UvicornWorker", "--preload", "--bind")
        return [sys.executable, "-m", "gunicorn", *app]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    server = Gunicorn("prefork", 2, tmp_path / "server.log")
    yield server
    server.stop()


def test_a_page_misses_nothing_when_a_worker_is_killed_and_replaced(
    open_tab: OpenTab, server: PageServer, problems: list[str]
) -> None:
    tab = open_tab("/")
    expect_live(tab)
    killed = add(server, "one")
    expect(tab.locator("#items li")).to_have_text(["one"])
    tab.context.set_offline(True)
    os.kill(killed, signal.SIGKILL)
    # In the log of the successor it has the place that `one` had in the log before.
    wait_until(lambda: replaced(server, killed, "two"), what="another worker")
    tab.context.set_offline(False)
    expect(tab.locator("#items li")).to_have_text(["one", "two"])
    expect_live(tab)
    add(server, "three")
    expect(tab.locator("#items li")).to_have_text(["one", "two", "three"])
    forget_lost_connections(problems, server)


def add(server: PageServer, text: str) -> int:
    """Add an item, and return the process that has published it."""
    return int(server.post("/add", text=text)["process"])


def replaced(server: PageServer, killed: int, text: str) -> bool:
    """Have the successor of a killed worker add an item, if there is one."""
    try:
        return add(server, text) != killed
    except httpx.TransportError:
        return False
