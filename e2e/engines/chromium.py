"""Chromium, through Playwright. Its back-forward cache is on, which Playwright switches off."""

from __future__ import annotations

import os
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page, WebError
from playwright.sync_api import Playwright as PlaywrightApi

from e2e.engines.driver import Browser, ScriptError, Tab, as_json, from_json, program


class Chromium(Browser):
    name = "chromium"

    def __init__(self, playwright: PlaywrightApi) -> None:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._browser = playwright.chromium.launch(
            executable_path=program("chromium", "chromium-browser", "google-chrome"),
            args=arguments,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        self._context = self._browser.new_context()
        self._errors: list[str] = []
        self._context.on("weberror", self._on_error)
        self._context.on("console", self._on_console)

    def open(self, url: str) -> Tab:
        tab = ChromiumTab(self._context.new_page())
        tab.goto(url)
        return tab

    def errors(self) -> list[str]:
        for page in self._context.pages:
            page.evaluate("0")  # when this returns, all earlier messages of the page have arrived
        found, self._errors = self._errors, []
        return found

    def close(self) -> None:
        self._browser.close()

    def _on_error(self, error: WebError) -> None:
        self._errors.append(str(error.error))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._errors.append(message.text)


class ChromiumTab(Tab):
    def __init__(self, page: Page) -> None:
        self._page = page

    def goto(self, url: str) -> None:
        self._page.goto(url)

    def back(self) -> None:
        self._page.evaluate("history.back()")  # Playwright would wait for a load, which a page from the cache has not

    def reload(self) -> None:
        self._page.reload()

    def evaluate(self, expression: str) -> Any:
        try:
            return from_json(self._page.evaluate(as_json(expression)))
        except Error as error:
            raise ScriptError(str(error)) from None

    def type(self, text: str) -> None:
        self._page.keyboard.type(text)

    def close(self) -> None:
        self._page.close(run_before_unload=False)
