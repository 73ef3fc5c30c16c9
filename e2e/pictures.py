"""Takes the README's pictures of the gallery anew: `python -m e2e.pictures`, and they lie in `docs/pictures`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import BROWSERS, HTMX, PATIENCE
from e2e.page_server import ROOT, PageServer, wait_until

PICTURES = ROOT / "docs" / "pictures"
PAGES = {"gallery": "/", "todos": "/todos", "machine": "/machine", "access-log": "/access-log"}
TODOS = ["Water the plants", "Book the train to Lyon", "Find out who ate the <b>cake</b>"]
# Seconds of measurements that the pictures show.
SECONDS = 40


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = PageServer("gallery", int(HTMX[0][0]), Path(folder) / "server.log")
        try:
            use(server)
            take_all(open_browser(playwright), server.url)
        finally:
            server.stop()


def open_browser(playwright: Playwright) -> BrowserContext:
    context = launch(playwright).new_context(reduced_motion="reduce")
    context.route(OUTSIDE, Cdn(HTMX[0]).answer)
    expect.set_options(timeout=PATIENCE)
    return context


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(
        executable_path=next(filter(None, map(shutil.which, BROWSERS)), None),
        args=["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [],
    )


def use(server: PageServer) -> None:
    """Have something to show on the list."""
    for number, title in enumerate(TODOS, 4):
        server.post("/todos/add", title=title)
        server.post(f"/todos/delete?id={number - 3}")
    server.post("/todos/check?id=4", done="on")


def take_all(context: BrowserContext, url: str) -> None:
    """Take each page wide and light, and narrow and dark, beside a tab that stays open."""
    other = context.new_page()
    other.goto(f"{url}/machine")
    line = other.locator("#processor polyline")
    wait_until(lambda: len((line.get_attribute("points") or "").split()) >= SECONDS, within=120, what="measurements")
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(url + path)
        expect(page.locator("#tabs")).to_have_text("2 tabs open")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.screenshot(path=PICTURES / f"{name}.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=PICTURES / f"{name}-narrow-dark.png")


if __name__ == "__main__":
    main()
