"""Takes screenshots of the gallery: `python -m e2e.pictures` writes those of the README to `docs/pictures`.

`python -m e2e.pictures shots` writes each page, wide and narrow, light and dark, to the folder `shots` instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import BROWSERS, HTMX, PATIENCE, installed_program
from e2e.page_server import ROOT, PageServer, wait_until
from e2e.png import reduce_colours
from sse_components.gallery.examples import EXAMPLES, toasts
from sse_components.gallery.layout import path

PICTURES = ROOT / "docs" / "pictures"
# Toasts are last, because they stay in the browser on the next page.
ORDER = sorted(EXAMPLES, key=lambda example: example is toasts)
PAGES = {"gallery": "/", **{path(example)[1:]: path(example) for example in ORDER}}
SIZES = {"": (1280, 800), "-narrow": (390, 844)}
SCHEMES: dict[str, Literal["light", "dark"]] = {"": "light", "-dark": "dark"}
README = ["", "-narrow-dark"]
TODOS = ["Water the plants", "Book the train to Lyon", "Find out who ate the <b>cake</b>"]
# Points of the machine's line to wait for, one a second.
SECONDS = 40


def main() -> None:
    everything = len(sys.argv) > 1
    folder = Path(sys.argv[1]) if everything else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as logs, sync_playwright() as playwright:
        server = PageServer("gallery", int(HTMX[0][0]), Path(logs) / "server.log")
        try:
            context = open_browser(playwright, server.url)
            use(server)
            take_all(context, folder, [*names()] if everything else README)
        finally:
            server.stop()


def open_browser(playwright: Playwright, url: str) -> BrowserContext:
    context = launch(playwright).new_context(base_url=url, reduced_motion="reduce")
    context.route(OUTSIDE, Cdn(HTMX[0]).answer)
    expect.set_options(timeout=PATIENCE)
    return context


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(
        executable_path=installed_program(*BROWSERS),
        args=["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [],
    )


def use(server: PageServer) -> None:
    """Fill the gallery with content."""
    for number, title in enumerate(TODOS, 4):
        server.post("/todos/add", title=title)
        server.post(f"/todos/delete?id={number - 3}")
    server.post("/todos/check?id=4", done="on")
    for at in (4, 0, 6, 2, 1):
        server.post(f"/board/play?at={at}")
    for name in ("The sea", "The sea", "A city at night", "The sea"):
        server.post("/vote/add", option=name)
        server.post(f"/vote/up?name={name}")
    server.post("/log/divide")
    server.post("/model/ask", prompt="What is a class?")
    server.post("/transfer/pay", payer="Ada", amount=30)
    server.post("/fields/write", text="Opening hours: 9 to 5")
    server.post("/fields/switch", on="on")


def take_all(context: BrowserContext, folder: Path, which: list[str]) -> None:
    """Take screenshots of each page, while another tab is open."""
    other, page = context.new_page(), context.new_page()
    other.goto("/sign-in")
    other.get_by_label("Your name").fill("Ada")
    other.get_by_role("button", name="Sign in").click()
    other.goto("/machine")
    line = other.locator("#processor .sse-spark-line")
    wait_until(lambda: (line.get_attribute("d") or "").count(",") >= SECONDS, within=120, what="measurements")
    for name, address in PAGES.items():
        page.goto(address)
        prepare(page, name)
        for ending in which:
            take(page, folder / f"{name}{ending}.png", *names()[ending])
        if which == README and name not in ("gallery", "todos", "access-log"):
            take_part(page, folder / f"{name}-part.png", ".sse-toasts" if name == "toasts" else ".stage")


def prepare(page: Page, name: str) -> None:
    """Bring a page into a state that is worth a screenshot."""
    expect(page.locator("#status")).to_have_attribute("data-sse-state", "live")
    expect(page.locator("#tabs")).to_have_text("2 tabs open", use_inner_text=True)
    if name == "toasts":
        for level, text in (
            ("success", "Tea is ready"),
            ("warning", "The milk is nearly gone"),
            ("error", "No biscuits"),
        ):
            page.get_by_label("What to say").fill(text)
            page.get_by_label("Level").select_option(level)
            page.get_by_role("button", name="To this browser").click()
            expect(page.locator(".sse-toast", has_text=text)).to_be_visible()
    if name == "job":
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator(".sse-progress-detail")).to_contain_text("left")
    if name == "fields":
        page.get_by_label("Note").fill("Bread, olives, a lemon.\nCall Lyon about the keys.")


def take(page: Page, file: Path, size: tuple[int, int], scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    file.write_bytes(reduce_colours(page, page.screenshot()))


def take_part(page: Page, file: Path, selector: str) -> None:
    """Take the main part of a page, low enough for a table row."""
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
    part = page.locator(selector)
    part.scroll_into_view_if_needed()
    box = part.bounding_box()
    assert box is not None
    file.write_bytes(reduce_colours(page, page.screenshot(clip={**box, "height": min(box["height"], 330)})))


def names() -> dict[str, tuple[tuple[int, int], Literal["light", "dark"]]]:
    """Return the size and colour scheme for each suffix of a file name."""
    return {shape + tone: (size, scheme) for shape, size in SIZES.items() for tone, scheme in SCHEMES.items()}


if __name__ == "__main__":
    main()
