"""WebKitGTK, over WebDriver, in a virtual screen."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from e2e.engines.driver import Browser, EngineMissing, Process, ScriptError, Tab, as_json, free_port, from_json, program
from e2e.page_server import wait_until
from tests.support.patience import patient

ENVIRONMENT = {
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
    "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "GSETTINGS_BACKEND": "memory",
    "NO_AT_BRIDGE": "1",
}
ANSWER = "const done = arguments[arguments.length - 1]; {}.then(done, (error) => done({{ error: String(error) }}));"


class WebKit(Browser):
    name = "webkit"

    def __init__(self) -> None:
        driver, screen = program("WebKitWebDriver"), program("Xvfb")
        display = free_display()
        self._screen = Process(screen, display, "-screen", "0", "1280x900x24", "-nolisten", "tcp")
        port = free_port()
        command = [*([bus, "--"] if (bus := dbus()) else []), driver, f"--port={port}"]
        self._process = Process(*command, **ENVIRONMENT, DISPLAY=display)
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=patient(60))
        wait_until(self._answers, what="WebKitWebDriver", report=self._process.output)
        options = {"binary": minibrowser(), "args": ["--automation", "--enable-write-console-messages-to-stdout=true"]}
        capabilities = {"alwaysMatch": {"browserName": "MiniBrowser", "webkitgtk:browserOptions": options}}
        self._session = f"/session/{self._call('POST', '/session', capabilities=capabilities)['sessionId']}"
        self.call("POST", "/timeouts", script=60_000, pageLoad=60_000, implicit=0)
        self._first = self._current = str(self.call("GET", "/window"))  # closing the last window ends the session
        self._read = 0

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Return the answer to a command of the session.

        Raises:
            ScriptError: if it fails.
        """
        return self._call(method, self._session + path, **body)

    def select(self, window: str) -> None:
        """Have the next commands go to a window."""
        if self._current != window:
            self.call("POST", "/window", handle=window)
            self._current = window

    def open(self, url: str) -> Tab:
        self.select(self._first)
        tab = WebKitTab(self, self.call("POST", "/window/new", type="tab")["handle"])
        tab.goto(url)
        return tab

    def forget_window(self) -> None:
        """Note that the selected window has been closed."""
        self._current = ""

    def errors(self) -> list[str]:
        text = self._process.text()
        new, self._read = text[self._read :], len(text)
        return [
            line for line in new.splitlines() if line.startswith("CONSOLE") and (" ERROR " in line or " WARN " in line)
        ]

    def close(self) -> None:
        with suppress(Exception):
            self.call("DELETE", "")
        self._client.close()
        self._process.end()
        self._screen.end()

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self._client.get("/status").status_code == 200
        return False

    def _call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._client.request(method, path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise ScriptError(f"{method} {path}: {value.get('message') or value}")
        return value


def dbus() -> str | None:
    with suppress(EngineMissing):
        return program("dbus-run-session")
    return None


def free_display() -> str:
    sockets = Path(tempfile.gettempdir(), ".X11-unix")
    number = next(number for number in range(90 + os.getpid() % 1000, 5000) if not (sockets / f"X{number}").exists())
    return f":{number}"


def minibrowser() -> str:
    """Return the path of the browser that comes with the driver."""
    found = next(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"), None)
    if found is None:
        raise EngineMissing("WebKit's MiniBrowser is not installed: run scripts/setup.sh engines")
    return str(found)


class WebKitTab(Tab):
    def __init__(self, browser: WebKit, window: str) -> None:
        self._browser, self._window = browser, window

    def _command(self, method: str, path: str, **body: Any) -> Any:
        self._browser.select(self._window)
        return self._browser.call(method, path, **body)

    def goto(self, url: str) -> None:
        self._command("POST", "/url", url=url)

    def back(self) -> None:
        self._command("POST", "/back")

    def reload(self) -> None:
        self._command("POST", "/refresh")

    def evaluate(self, expression: str) -> Any:
        value = self._command("POST", "/execute/async", script=ANSWER.format(as_json(expression)), args=[])
        if isinstance(value, dict):
            raise ScriptError(value["error"])
        return from_json(value)

    def type(self, text: str) -> None:
        keys = [{"type": way, "value": key} for key in text for way in ("keyDown", "keyUp")]
        self._command("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def close(self) -> None:
        self._command("DELETE", "/window")
        self._browser.forget_window()
