"""A page whose application is killed and started again over the same SQLite file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from e2e.conftest import LATEST_HTMX, OpenTab, expect_live, forget_lost_connections
from e2e.page_server import ROOT, PageServer

RESETS = "window.resets = 0; document.addEventListener('sse:reset', () => resets++)"
# A program beside the application, which publishes to its pages.
PROGRAM = """
import asyncio
from fasthtml.common import Li
from e2e.pages.sqlite_log import url
from sse_components import BroadcastManager

async def main():
    async with BroadcastManager(backend=url()) as sse:
        for number in (3, 4):
            await sse.publish("numbers", Li(number), target="numbers", swap="beforeend")

asyncio.run(main())
"""


@LATEST_HTMX
def test_a_page_gets_what_was_published_while_the_application_was_killed_and_does_not_fetch_itself(
    open_tab: OpenTab, context: BrowserContext, server: PageServer, problems: list[str]
) -> None:
    context.add_init_script(RESETS)
    tab = open_tab("/")
    expect_live(tab)
    numbers = tab.locator("#numbers li")
    rendered = tab.locator("#rendered").inner_text()
    for number in (1, 2):
        server.get("/add", number=number)
    expect(numbers).to_have_text([str(number) for number in range(3)])

    server.kill()
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "reconnecting")
    publish_from_a_program(server.folder)
    server.start()
    expect(numbers).to_have_text([str(number) for number in range(5)])
    server.get("/add", number=5)
    expect(numbers).to_have_text([str(number) for number in range(6)])

    publish_from_a_program(server.folder)
    expect(numbers).to_have_text([*(str(number) for number in range(6)), "3", "4"])
    assert tab.evaluate("resets") == 0
    assert tab.locator("#rendered").inner_text() == rendered
    forget_lost_connections(problems, server)


def publish_from_a_program(folder: Path) -> None:
    environment = {**os.environ, "E2E_FOLDER": str(folder), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
