from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import OpenTab, expect_live, forget_lost_connections
from e2e.page_server import PageServer


def test_a_page_that_heals_itself_gets_a_new_grant_after_a_restart(
    open_tab: OpenTab, server: PageServer, room: str, problems: list[str]
) -> None:
    """The grants from before are refused: the page is told of the gap, and goes on to get what is published."""
    tab = open_tab(f"/{room}/list")
    expect_live(tab)
    tab.evaluate("globalThis.resets = []; document.addEventListener('sse:reset', ({ detail }) => resets.push(detail))")
    server.post(f"/{room}/append", text="before")
    expect(tab.locator("#list li")).to_have_text(["as it was", "before"])
    server.kill()
    server.start()
    expect_live(tab)
    tab.wait_for_function("resets.length === 1")
    server.post(f"/{room}/append", text="after")
    expect(tab.locator("#list li")).to_have_text(["as it was", "before", "after"])
    forget_lost_connections(problems, server)
    problems[:] = [problem for problem in problems if "403" not in problem]
