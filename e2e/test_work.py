from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab
from e2e.numbers import POLLING
from e2e.page_server import PageServer
from e2e.pages.work import HOSTILE
from tests.support.patience import patient

# Whether an element has exactly this text: `to_have_text` ignores white space, and would log a megabyte.
SHOWS = "([at, all]) => document.querySelector(at).textContent === all"
# Whether the text has the same height, and is copied in the same way, as without elements in it.
AS_PLAIN = """(text) => {
  const plain = text.cloneNode();
  plain.textContent = text.textContent;
  text.after(plain);
  const isAsHigh = plain.offsetHeight === text.offsetHeight;
  plain.remove();
  getSelection().selectAllChildren(text);
  return [isAsHigh, getSelection().toString().trim() === text.textContent.trim()];
}"""
Begin = Callable[..., Future[str]]


@pytest.fixture
def begin(server: PageServer) -> Iterator[Begin]:
    """Return a function that starts a request which lasts until the test ends it, and returns its future."""
    with ThreadPoolExecutor() as threads, httpx.Client(base_url=server.url, timeout=patient(60)) as client:
        yield lambda path, **form: threads.submit(lambda: client.post(path, data=form).raise_for_status().text)


def open_live(open_tab: OpenTab, path: str) -> Page:
    tab = open_tab(path)
    expect(tab.locator("[data-sse-state=live]")).to_have_count(1)
    return tab


def expect_harmless(tab: Page, room: str) -> None:
    """Expect that no part of a hostile text became an element."""
    assert tab.locator(f"#{room} script, #{room} img").count() == 0


def test_every_tab_shows_a_job_until_somebody_cancels_it(
    open_tab: OpenTab, server: PageServer, begin: Begin, room: str
) -> None:
    path, now = f"/{room}/bar", f"#{room}-now"
    assert "Not started" in server.get(path)
    tabs = [open_live(open_tab, path) for _ in range(2)]
    for tab in tabs:
        expect(tab.get_by_role("progressbar")).to_have_accessible_name(f"Import {HOSTILE}")
        expect(tab.get_by_role("button")).to_have_count(0)
    expect_no_serious_violations(tabs[0])

    job = begin(f"/{room}/work", total=4)
    expect(tabs[0].locator(now)).to_have_attribute("data-job", "running")
    server.post(f"/{room}/order", text=2)
    for tab in tabs:
        expect(tab.locator(now)).to_contain_text("50 %")
        expect(tab.get_by_role("status")).to_have_text(f"Import {HOSTILE} 50 %")
        expect(tab.locator(now)).to_contain_text(f"{HOSTILE} · row 2 {HOSTILE}")
        assert tab.get_by_role("progressbar").evaluate("bar => bar.position") == 0.5
        expect_harmless(tab, room)
    assert 'value="500"' in server.get(path)
    expect_no_serious_violations(tabs[0])

    tabs.append(open_live(open_tab, path))
    tabs[1].reload()
    expect(tabs[1].locator("[data-sse-state=live]")).to_have_count(1)
    server.post(f"/{room}/order", text=1)
    for tab in tabs:
        expect(tab.locator(now)).to_contain_text("75 %")

    button = tabs[1].get_by_role("button", name="Cancel")
    tabs[1].keyboard.press("Tab")
    expect(button).to_be_focused()
    tabs[1].keyboard.press("Enter")
    assert job.result() == "cancelled"
    for tab in tabs:
        expect(tab.locator(now)).to_contain_text("Cancelled")
        expect(tab.locator(now)).to_contain_text("75 %")
        expect(tab.get_by_role("status")).to_contain_text("Cancelled")
        expect(tab.get_by_role("button")).to_have_count(0)
    expect_no_serious_violations(tabs[0])


def test_a_job_without_a_total_shows_its_outcome(
    open_tab: OpenTab, server: PageServer, begin: Begin, room: str
) -> None:
    tab, now = open_live(open_tab, f"/{room}/bar"), f"#{room}-now"
    begin(f"/{room}/work")
    expect(tab.locator(now)).to_have_attribute("data-job", "running")
    server.post(f"/{room}/order", text=1_234)
    expect(tab.locator(now)).to_contain_text("1,234")
    expect(tab.locator("progress:indeterminate")).to_have_count(1)
    server.post(f"/{room}/end")
    expect(tab.locator(now)).to_contain_text("100 %")
    expect(tab.locator(now)).to_contain_text("Done")

    failing = begin(f"/{room}/work")
    expect(tab.locator(now)).to_have_attribute("data-job", "running")
    server.post(f"/{room}/order", text="raise")
    expect(tab.locator(now)).to_contain_text(f"Failed: no rows {HOSTILE}")
    expect(tab.locator("progress:indeterminate")).to_have_count(0)
    expect_harmless(tab, room)
    assert "Failed: no rows &lt;script&gt;" in server.get(f"/{room}/bar")
    assert "500 Internal Server Error" in str(failing.exception())
    assert "ValueError: no rows" in server.new_log()


def test_every_tab_shows_an_answer_as_it_is_generated(
    open_tab: OpenTab, server: PageServer, begin: Begin, room: str
) -> None:
    path, text = f"/{room}/answer", f"#{room}-text"
    assert "Ask me" in server.get(path)
    tabs = [open_live(open_tab, path) for _ in range(2)]
    expected = ""

    def order(token: str, whole: str | None = None) -> None:
        nonlocal expected
        server.post(f"/{room}/order", text=token)
        expected += whole or token

    def expect_all() -> None:
        for tab in tabs:
            tab.wait_for_function(SHOWS, arg=[text, expected], polling=POLLING)
            expect_harmless(tab, room)

    answer = begin(f"/{room}/ask")
    expect(tabs[0].locator(f"#{room}-state")).to_have_text("Writing …")
    expect(tabs[0].locator("[aria-busy=true]")).to_have_count(1)
    order(f"  Two  spaces\n\n\tand {HOSTILE}. ")
    expect_all()
    expect(tabs[0].get_by_role("status")).to_contain_text("Two spaces")
    expect_no_serious_violations(tabs[0])

    order("count", "".join(f"{number} " for number in range(3_000)))
    tabs[1].reload()
    tabs.append(open_tab(path))
    order("x" * 1_000_000)
    expect_all()
    for tab in tabs:
        assert tab.locator(f"{text} > *").count() < 1_100
        assert tab.locator(text).evaluate("text => text.scrollWidth <= text.clientWidth")

    tabs[1].get_by_role("button", name="Stop").focus()
    tabs[1].keyboard.press("Enter")
    assert answer.result() == expected
    assert server.get(f"/{room}/ended") == "1"
    for tab in tabs:
        expect(tab.locator(f"#{room}-state")).to_have_text("Stopped")
        expect(tab.get_by_role("status")).to_contain_text("Answer stopped")
        expect(tab.locator("[aria-busy=true]")).to_have_count(0)
        expect(tab.get_by_role("button")).to_have_count(0)
    expect_all()

    expected = ""
    begin(f"/{room}/ask")
    expect(tabs[0].locator(f"#{room}-state")).to_have_text("Writing …")
    order("Anew\n\n")
    expect_all()
    for tab in tabs:
        tab.evaluate("globalThis.block = document.querySelector('[aria-busy=true]')")
    order("and on")
    expect_all()
    for tab in tabs:
        assert tab.evaluate("block.isConnected"), "a token is new text, and no new element"
    order("\n" + "a line of some words\n" * 200 + "a long paragraph " * 200 + "\n\n\nthe end\n")
    expect_all()
    server.post(f"/{room}/order", text="raise")
    expect(tabs[0].locator(f"#{room}-state")).to_have_text(f"Failed: no rows {HOSTILE}")
    expect(tabs[0].locator("[aria-busy=true]")).to_have_count(0)
    expect_all()
    expect_no_serious_violations(tabs[0])
    for tab in tabs:
        assert tab.locator(text).evaluate(AS_PLAIN) == [True, True]
    assert "ValueError: no rows" in server.new_log()
