"""The examples in the documentation: a short page for each component, which works in two tabs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import sse_components.components as components
from e2e.conftest import HTMX, assert_no_trouble
from e2e.page_server import ROOT, PageServer

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
LINES = 15
# The visible content of a page: its text, its fields and its drawings.
SHOWN = """() => [document.body.innerText,
  ...[...document.querySelectorAll("input, textarea")].map((field) => [field.checked, field.value]),
  ...[...document.querySelectorAll("svg, progress")].map((drawing) => drawing.outerHTML)].join()"""

pytestmark = pytest.mark.parametrize("htmx", HTMX[:1], indirect=True)


@pytest.fixture
def server(example: Path, tmp_path: Path) -> Iterator[PageServer]:
    """Serve a single example."""
    server = PageServer(str(example), 2, tmp_path / "server.log")
    yield server
    server.kill()  # some examples still handle a request, for which a graceful stop would wait
    server.stop()
    assert_no_trouble(server.new_log())


def use(tab: Page) -> None:
    """Use the first control of a page."""
    field = tab.locator("main input:not([type=checkbox]), main textarea").first
    switch = tab.get_by_role("switch").first
    if field.count():
        field.fill("newcomer")
        field.press("Tab")
    if tab.get_by_role("button").count():
        tab.locator("button:visible").first.click()
    elif switch.count():
        switch.click()
    elif not field.count():
        tab.get_by_role("link").first.click()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_a_change_in_one_tab_shows_in_the_other(
    example: Path, server: PageServer, context: object, problems: list[str]
) -> None:
    lines = example.read_text("utf-8").partition("# ///\n")[2].splitlines()
    assert 0 < len([line for line in lines if line.strip()]) <= LINES
    here, there = (context.new_page() for _ in range(2))  # type: ignore[attr-defined]
    for tab in (there, here):
        tab.goto(server.url)
        expect(tab.locator("[data-sse-connect]:not([data-sse-state=live])")).to_have_count(0)
        if not tab.locator("[data-sse-connect]").count():
            tab.wait_for_load_state("networkidle")  # then the scripts of its components are loaded, too
    before = there.evaluate(SHOWN)
    use(here)
    there.wait_for_function(f"(before) => ({SHOWN})() !== before", arg=before, polling=50)


@pytest.mark.parametrize("example", EXAMPLES[:1], ids=["all"])
def test_every_component_has_an_example(example: Path, htmx: str) -> None:
    names = {path.stem.replace("_", "") for path in example.parent.glob("*.py")}
    assert {name.lower() for name in components.__all__} - names == {"sse"}
