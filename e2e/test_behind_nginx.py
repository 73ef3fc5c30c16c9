"""nginx on another port than 80, for a name without TLS: browsers send no `Sec-Fetch-Site` there, only their origin."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType, Page, expect

from e2e.cdn import Cdn
from e2e.conftest import HTMX, PATIENCE
from e2e.page_server import PageServer, wait_until
from tests.support.proxies import NGINX, program
from tests.support.serving import HOST, free_port

NAME = "app.test"
SERVER = """server {{
    listen {host}:{port};
    location / {{ proxy_pass http://{host}:{upstream}; proxy_http_version 1.1; proxy_set_header Host {value}; }}
}}"""

pytestmark = pytest.mark.parametrize("htmx", HTMX[:1])
Serve = Callable[..., PageServer]


@pytest.fixture(scope="module")
def knowing(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """Give a browser that finds the name at the loopback's address."""
    rules = f"--host-resolver-rules=MAP {NAME} {HOST}"
    args = [*browser_type_launch_args.get("args", []), rules]
    browser = browser_type.launch(**{**browser_type_launch_args, "args": args})
    yield browser
    browser.close()


@pytest.fixture
def tab(knowing: Browser, htmx: str) -> Iterator[Page]:
    context = knowing.new_context()
    context.route(re.compile("^https:"), Cdn(htmx).answer)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@contextmanager
def serving(folder: Path, *, host: str, known_port: bool) -> Iterator[tuple[PageServer, str]]:
    """Serve the page behind nginx; yield the application, and the address that browsers know."""
    port = free_port()
    address = f"http://{NAME}:{port}"
    (folder / "origins").write_text(address if known_port else "")
    server = PageServer("behind_nginx", 2, folder / "server.log")
    user = "user root;" if os.geteuid() == 0 else ""
    block = SERVER.format(host=HOST, port=port, upstream=server.port, value=host)
    (folder / "nginx.conf").write_text(NGINX.format(user=user, server=block, settings=""))
    with (folder / "output").open("w") as output:
        command = [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        nginx = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        wait_until(partial(listens, port), what="nginx")
        yield server, address
    finally:
        nginx.terminate()
        nginx.wait()
        server.stop()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@pytest.mark.parametrize(("host", "known"), [("$http_host", False), ("$host", True)])
def test_a_page_is_live_with_the_port_in_the_host_or_with_its_origin_allowed(
    host: str, known: bool, tab: Page, tmp_path: Path
) -> None:
    with serving(tmp_path, host=host, known_port=known) as (server, address):
        tab.goto(address)
        expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")
        server.post("/publish", channel="news", html="news")
        expect(tab.locator("#live")).to_have_text("news")
        assert "was refused" not in server.new_log()


def test_a_host_without_the_port_is_refused_and_the_log_says_once_what_to_write(tab: Page, tmp_path: Path) -> None:
    with serving(tmp_path, host="$host", known_port=False) as (server, address):
        for _ in range(2):
            tab.goto(address)
            expect(tab.locator("#live")).to_have_attribute("data-sse-state", "denied")
        lines = [line for line in server.new_log().splitlines() if "was refused" in line]
    [line] = lines
    assert f"the origin '{address}', and its Host is '{NAME}'" in line
    assert "`proxy_set_header Host $http_host;`" in line
    assert f"setup_sse(app, origins=['{address}'])" in line
