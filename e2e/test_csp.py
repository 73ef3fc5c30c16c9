from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from e2e.conftest import LATEST_HTMX, OpenTab, forget_lost_connections
from e2e.page_server import PageServer

VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", ({effectiveDirective}) => violations.push(effectiveDirective));"""
# Causes a violation, to check that violations are reported.
A_VIOLATION = """() => new Promise((resolve) => {
  document.addEventListener("securitypolicyviolation", ({effectiveDirective}) => resolve(effectiveDirective));
  document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>");
})"""


@LATEST_HTMX
def test_pages_work_under_a_strict_content_security_policy(
    open_tab: OpenTab, context: BrowserContext, server: PageServer, room: str, problems: list[str]
) -> None:
    context.add_init_script(VIOLATIONS)
    tab = open_tab(f"/{room}")
    expect_process(tab, server)
    say(tab, server, room, "hello")

    server.kill()
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "reconnecting")
    server.start()
    expect_process(tab, server)
    say(tab, server, room, "healed")

    assert tab.evaluate("violations") == []
    forget_lost_connections(problems, server)
    assert tab.evaluate(A_VIOLATION) == "style-src-attr"
    tab.evaluate("0")  # when this returns, the browser's messages have arrived
    assert all("Content Security Policy" in problem for problem in problems)
    problems.clear()


def expect_process(tab: Page, server: PageServer) -> None:
    """Wait until the page is live and has the content of the current server process."""
    expect(tab.locator("#process")).to_have_text(str(server.process_id))
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")


def say(tab: Page, server: PageServer, room: str, text: str) -> None:
    server.post(f"/{room}/say", text=text)
    expect(tab.locator("#live")).to_contain_text(text)
    expect(tab.locator("#said")).to_have_text(text)
