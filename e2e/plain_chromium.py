"""Chromium without Playwright, whose pages are never rendered in advance: it forbids that to the browsers it drives."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from e2e.conftest import BROWSERS, installed_program
from e2e.page_server import wait_until

OPTIONS = (
    "--headless=new --remote-debugging-port=0 --no-first-run --disable-gpu --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


class PlainChromium:
    """A browser with one page that is driven by the DevTools protocol.

    Args:
        address: where the protocol is spoken, such as `127.0.0.1:9222`.
    """

    def __init__(self, address: str) -> None:
        self._address, self._ids = address, count(1)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page that is shown now."""
        with connect(self._page()["webSocketDebuggerUrl"]) as socket:
            parameters = {"expression": expression, "returnByValue": True, "awaitPromise": True}
            socket.send(json.dumps({"id": next(self._ids), "method": "Runtime.evaluate", "params": parameters}))
            return json.loads(socket.recv())["result"]["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true in the page that is shown then."""
        wait_until(lambda: self.evaluate(expression) is True, what=expression)

    def _page(self) -> dict[str, str]:
        targets = httpx.get(f"http://{self._address}/json/list").json()
        return next(target for target in targets if target["type"] == "page")


@contextmanager
def plain_chromium(url: str, folder: Path) -> Iterator[PlainChromium]:
    """Run the browser, with a page."""
    program = installed_program(*BROWSERS)
    assert program, "Chromium is not installed"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program, *OPTIONS, *sandbox, f"--user-data-dir={folder}", url], stderr=subprocess.DEVNULL
    )
    try:
        port = folder / "DevToolsActivePort"
        wait_until(lambda: port.exists() and "\n" in port.read_text(), what="Chromium")
        yield PlainChromium(f"127.0.0.1:{port.read_text().splitlines()[0]}")
    finally:
        process.terminate()
        process.wait()
