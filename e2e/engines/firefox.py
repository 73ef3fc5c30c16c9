"""Firefox, over WebDriver BiDi, which it speaks itself."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from typing import Any

import websocket

from e2e.engines.driver import Browser, Process, ScriptError, Tab, as_json, from_json, program
from tests.support.patience import patient

PREFERENCES = {
    "remote.active-protocols": 1,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#",
}


class Firefox(Browser):
    name = "firefox"

    def __init__(self) -> None:
        firefox = program("firefox-esr", "firefox")
        options = "--headless --no-remote --remote-debugging-port=0 --profile {home}"
        self._process = Process(
            "sh", "-c", f'{write_preferences()} exec "{firefox}" {options}', MOZ_CRASHREPORTER_DISABLE="1"
        )
        address = self._process.find(r"WebDriver BiDi listening on (ws://\S+)")
        self._socket = websocket.create_connection(f"{address}/session", timeout=patient(60), suppress_origin=True)
        self._numbers = itertools.count(1)
        self._errors: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])

    def call(self, method: str, **params: Any) -> Any:
        """Return the result of a command.

        Raises:
            ScriptError: if it fails.
        """
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := json.loads(self._socket.recv())).get("id") != number:
            self._note(message)
        if message["type"] == "error":
            raise ScriptError(f"{method}: {message['message']}")
        return message["result"]

    def open(self, url: str) -> Tab:
        tab = FirefoxTab(self, self.call("browsingContext.create", type="tab")["context"])
        tab.goto(url)
        return tab

    def errors(self) -> list[str]:
        self.call("session.status")
        found, self._errors = self._errors, []
        return found

    def close(self) -> None:
        with suppress(Exception):
            self.call("browser.close")
        self._socket.close()
        self._process.end()

    def _note(self, event: dict[str, Any]) -> None:
        entry = event.get("params", {})
        if event.get("method") == "log.entryAdded" and entry["level"] in ("error", "warn"):
            self._errors.append(str(entry.get("text")))


def write_preferences() -> str:
    """Return the shell command that writes the preferences into the home of the process."""
    lines = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    return f"cat > {{home}}/user.js <<'END'\n{lines}END\n"


class FirefoxTab(Tab):
    def __init__(self, browser: Firefox, context: str) -> None:
        self._browser, self._context = browser, context

    def goto(self, url: str) -> None:
        self._browser.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def back(self) -> None:
        self._browser.call("browsingContext.traverseHistory", context=self._context, delta=-1)

    def reload(self) -> None:
        self._browser.call("browsingContext.reload", context=self._context, wait="complete")

    def evaluate(self, expression: str) -> Any:
        target = {"context": self._context}
        answer = self._browser.call("script.evaluate", expression=as_json(expression), awaitPromise=True, target=target)
        if answer["type"] == "exception":
            raise ScriptError(answer["exceptionDetails"]["text"])
        return from_json(answer["result"].get("value"))

    def type(self, text: str) -> None:
        keys = [{"type": way, "value": key} for key in text for way in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": keys}]
        self._browser.call("input.performActions", context=self._context, actions=actions)

    def close(self) -> None:
        self._browser.call("browsingContext.close", context=self._context)
