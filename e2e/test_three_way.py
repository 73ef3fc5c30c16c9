"""What the server has changed is brought up to date, and nothing else: by a heal, and by the refresh of a region."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.conftest import KIT_ADDRESS, LATEST_HTMX, OpenTab, expect_live
from e2e.page_server import PageServer

pytestmark = LATEST_HTMX

CASES = Path(__file__).parent / "scripts" / "three_way.js"
# `SSE_CASES=100000` tries as many, from another seed each time.
COUNT = int(os.environ.get("SSE_CASES", "1000"))
FIRST = 0 if "SSE_CASES" not in os.environ else random.SystemRandom().randrange(2**31)
RUN = """async ([address, names, first, count]) => {
  const modules = Object.assign({}, ...(await Promise.all(names.map((name) => import(address + name)))));
  document.body.innerHTML = '<div id="app"></div>';
  return runCases(modules, first, count);
}"""
MODULES = ["morph/three-way.js", "morph/server-copy.js", "page/parse-page.js", "htmx/copied-swaps.js"]
# How many elements of the page follow a channel.
LIVE = 3
# The time at which a page heals is random, up to a limit.
NOW = "Math.random = () => 0"

Say = Callable[..., None]
Open = Callable[..., Page]


@pytest.fixture
def say(server: PageServer, room: str) -> Say:
    """Return a function that changes what the server says."""

    def say(**what: str) -> None:
        server.post(f"/{room}/say", **what)

    return say


@pytest.fixture
def open_page(open_tab: OpenTab, server: PageServer, room: str) -> Open:
    def open_page(query: str = "", live: int = LIVE) -> Page:
        server.wait_for_connections(0)
        tab = open_tab(f"/{room}{query}")
        tab.evaluate(NOW)
        expect_live(tab, live)
        return tab

    return open_page


@pytest.fixture
def heal(server: PageServer) -> Callable[[Page], None]:
    """Return a function that starts the server again while a tab is frozen, and waits until the tab has healed."""

    def heal(tab: Page) -> None:
        tab.evaluate("document.dispatchEvent(new Event('freeze'))")
        server.wait_for_connections(0)
        server.kill()
        server.start()
        tab.evaluate(
            "void document.addEventListener('sse:before-heal', () => { window.heals = (window.heals ?? 0) + 1; })"
        )
        tab.evaluate("window.heals = 0")
        tab.evaluate("document.dispatchEvent(new Event('resume'))")
        tab.wait_for_function("window.heals > 0")
        expect_live(tab, LIVE)

    return heal


def test_a_patch_changes_what_the_server_has_changed_and_nothing_else(open_page: Open) -> None:
    """With random pages, and random changes of both sides."""
    tab = open_page()
    tab.add_script_tag(content=CASES.read_text())
    assert tab.evaluate(RUN, [tab.evaluate(KIT_ADDRESS), MODULES, FIRST, COUNT]) == ""


def change(what: str, tab: Page, heal: Any, server: PageServer, room: str, say: Say) -> None:
    """Bring the second version to a tab, by healing it or by refreshing its region."""
    say(n="2")
    if what == "heal":
        heal(tab)
    else:
        server.post(f"/{room}/refresh")
    expect(tab.locator(f"#region-{room} .number")).to_have_text("2")


BY = pytest.mark.parametrize("by", ["heal", "refresh"])
FORM = "<form id=form><input id=typed><select id=chosen><option>a<option>b</select></form>"


@BY
def test_what_htmx_has_loaded_stays(
    by: str, open_page: Open, say: Say, heal: Any, server: PageServer, room: str
) -> None:
    """A form in a dialog, half filled, and content that is loaded when the page is there."""
    content = f"""<p class=number>{{n}}</p>
      <button hx-get='/{room}/fragment' hx-target='next .modal'>Edit</button><div class=modal></div>
      <div class=slow hx-get='/{room}/fragment' hx-trigger=load>Loading…</div>"""
    say(html=content if by == "heal" else "", region=content, fragment=FORM)
    tab = open_page()
    expect(tab.locator(".slow form")).to_have_count(tab.locator(".slow").count())
    for button in tab.get_by_role("button", name="Edit").all():
        button.click()
    expect(tab.locator(".modal form")).to_have_count(tab.locator(".modal").count())
    for number, modal in enumerate(tab.locator(".modal").all()):
        modal.locator("#typed").fill(f"half {number}")
        modal.locator("#chosen").select_option("b")

    change(by, tab, heal, server, room, say)
    assert set(tab.locator(".number").all_text_contents()) == {"2"}
    for number, modal in enumerate(tab.locator(".modal").all()):
        expect(modal.locator("#typed")).to_have_value(f"half {number}")
        expect(modal.locator("#chosen")).to_have_value("b")
    expect(tab.locator(".slow form")).to_have_count(tab.locator(".slow").count())


@BY
def test_what_scripts_have_rendered_stays(
    by: str, open_page: Open, say: Say, heal: Any, server: PageServer, room: str
) -> None:
    """Icons, selects and accordions of Franken UI, which render when their script finds them."""
    say(
        region="""<p class=number>{n}</p><uk-icon icon=rocket></uk-icon>
          <uk-select><select hidden><option value=a>A<option value=b>B</select></uk-select>
          <ul class=uk-accordion data-uk-accordion>
            <li><a class=uk-accordion-title href>One</a><div class=uk-accordion-content>first</div></li>
            <li><a class=uk-accordion-title href>Two</a><div class=uk-accordion-content>second {n}</div></li></ul>"""
    )
    tab = open_page("?franken=1")
    expect(tab.locator("uk-icon svg")).to_have_count(1)
    expect(tab.locator("uk-select button").first).to_be_visible()
    tab.get_by_role("button", name="Two").or_(tab.get_by_role("link", name="Two")).click()
    expect(tab.locator("li.uk-open")).to_contain_text("second")
    tab.evaluate("document.body.classList.add('scripted'); document.body.append(document.createElement('my-widget'))")
    tab.evaluate("window.rendered = document.querySelector('uk-icon svg')")

    change(by, tab, heal, server, room, say)
    assert tab.evaluate("window.rendered.isConnected")
    expect(tab.locator("uk-select button").first).to_be_visible()
    expect(tab.locator("li.uk-open")).to_contain_text("second 2")
    expect(tab.locator("body.scripted > my-widget")).to_have_count(1)
    assert tab.evaluate("document.body.dataset.body") == "1"

    say(region="<p class=number>{n}</p><uk-icon icon=rocket></uk-icon><p class=new><uk-icon icon=heart></uk-icon></p>")
    change(by, tab, heal, server, room, say)
    expect(tab.locator(".new uk-icon svg")).to_have_count(1)
    expect(tab.locator("uk-select")).to_have_count(0)
    assert tab.evaluate("window.rendered.isConnected")


def test_what_scripts_change_while_the_page_is_parsed_stays(open_page: Open, say: Say, heal: Any) -> None:
    say(
        html="""<p id=number>{n}</p><i id=icon>rocket</i><p id=text class=one title=a>text {n}</p><p id=gone>gone</p>
          <ul id=list><li>one</li><li>two</li></ul>
          <script>(() => {
            const $ = (id) => document.getElementById(id);
            $("icon").replaceWith(Object.assign(document.createElement("b"), { id: "icon", textContent: "drawn" }));
            $("icon").classList.add("late");
            $("text").classList.add("two");
            $("text").title = "b";
            $("gone").remove();
            $("list").prepend(Object.assign(document.createElement("li"), { textContent: "zero" }));
            $("list").lastElementChild.firstChild.data = "second";
          })()</script>"""
    )
    tab = open_page()
    say(n="2")
    heal(tab)
    expect(tab.locator("#number")).to_have_text("2")
    expect(tab.locator("#text")).to_have_text("text 2")
    expect(tab.locator("b#icon.late")).to_have_text("drawn")
    expect(tab.locator("#text.one.two")).to_have_attribute("title", "b")
    expect(tab.locator("#gone")).to_have_count(0)
    expect(tab.locator("#list li")).to_have_text(["zero", "one", "second"])


def test_what_was_written_stays_and_so_do_frames_and_media(open_page: Open, say: Say, heal: Any) -> None:
    say(
        html="""<p id=number>{n}</p>
          <div id=written contenteditable>draft</div><div id=changed contenteditable>draft {n}</div>
          <input id=focused><iframe id=frame srcdoc='<p>inside</p>'></iframe>
          <details id=details><summary>More</summary>{n}</details><dialog id=dialog><p>{n}</p></dialog>
          <div id=scroller style='height: 50px; overflow: auto'><div style='height: 500px'>{n}</div></div>
          <audio id=audio loop></audio>"""
    )
    tab = open_page()
    tab.locator("#written").fill("my own words")
    tab.locator("#details summary").click()
    tab.locator("#focused").fill("typing")
    tab.evaluate(
        """async () => {
          const $ = (id) => document.getElementById(id);
          $("frame").contentWindow.isTheSame = true;
          $("focused").setSelectionRange(2, 4);
          $("scroller").scrollTop = 77;
          $("dialog").showModal();
          const sound = new AudioContext().createMediaStreamDestination();
          $("audio").srcObject = sound.stream;
          $("audio").muted = true;
          await $("audio").play();
        }"""
    )
    say(n="2")
    heal(tab)
    expect(tab.locator("#number")).to_have_text("2")
    expect(tab.locator("#written")).to_have_text("my own words")
    expect(tab.locator("#changed")).to_have_text("draft 2")
    expect(tab.locator("#details")).to_have_attribute("open", "")
    expect(tab.locator("#details")).to_contain_text("2")
    expect(tab.locator("#dialog:modal p")).to_have_text("2")
    assert tab.evaluate("document.getElementById('frame').contentWindow.isTheSame")
    assert tab.evaluate("document.getElementById('scroller').scrollTop") == 77
    assert not tab.evaluate("document.getElementById('audio').paused")
    assert tab.locator("#focused").evaluate("({ value, selectionStart }) => [value, selectionStart]") == ["typing", 2]


def test_the_title_and_the_attributes_of_the_page_follow_the_server(open_page: Open, say: Say, heal: Any) -> None:
    say(lang="en", theme="light", body="wide")
    tab = open_page()
    tab.evaluate("document.documentElement.classList.add('js'); document.body.classList.add('menu-open')")
    say(title="after", lang="de", theme="dark", body="wide tall")
    heal(tab)
    expect(tab).to_have_title("after")
    found = tab.evaluate("[document.documentElement.lang, document.documentElement.className, document.body.className]")
    assert [set(text.split()) for text in found] == [{"de"}, {"js", "dark"}, {"wide", "menu-open", "tall"}]

    tab.evaluate("document.title = '(3) after'")
    heal(tab)
    expect(tab).to_have_title("(3) after")


def test_noscript_stays_text(open_page: Open, say: Say, heal: Any, server: PageServer) -> None:
    noscript = "<noscript><style>body {{ display: none }}</style><img src='/pixel-{}'></noscript>"
    say(html=noscript.format("{n}") + "<p id=number>{n}</p>")
    tab = open_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    say(n="2", html=noscript.format("{n}") + "<p id=number>{n}</p>" + noscript.format("new"))
    heal(tab)
    expect(tab.locator("#number")).to_be_visible()
    assert tab.evaluate("[...document.querySelectorAll('noscript')].map((found) => found.children.length)") == [0, 0]
    assert [url for url in asked if "pixel" in url] == []


def test_the_page_decides_what_may_change(open_page: Open, say: Say, heal: Any, server: PageServer, room: str) -> None:
    say(html="<p id=kept data-sse-keep>{n}</p><p id=held>{n}</p><p id=other>{n}</p><p id=gone>gone</p>")
    tab = open_page()
    tab.evaluate(
        """() => {
          window.asked = [];
          document.addEventListener("sse:before-morph", (event) => {
            asked.push([event.target.id, event.detail.fresh?.textContent ?? null]);
            if (["held", "gone"].includes(event.target.id)) event.preventDefault();
          });
          document.addEventListener("sse:before-heal", (event) => {
            window.fresh = event.detail.fresh.querySelector("#held").textContent;
            if (window.refuses) event.preventDefault();
          });
        }"""
    )
    say(n="2", html="<p id=kept data-sse-keep>{n}</p><p id=held>{n}</p><p id=other>{n}</p>")
    heal(tab)
    expect(tab.locator("#app")).to_have_text("1 1 2 gone".replace(" ", ""))
    assert tab.evaluate("asked.filter(([id]) => ['kept', 'held', 'other', 'gone'].includes(id))") == [
        ["gone", None], ["held", "2"], ["other", "2"],
    ]  # fmt: skip
    assert tab.evaluate("window.fresh") == "2"

    say(n="3")
    tab.evaluate("window.refuses = true")
    tab.evaluate("document.dispatchEvent(new Event('freeze'))")
    server.wait_for_connections(0)
    server.post(f"/{room}/miss")
    tab.evaluate("document.dispatchEvent(new Event('resume'))")
    tab.wait_for_function("window.fresh === '3'")
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "stale")
    expect(tab.locator("#other")).to_have_text("2")
    tab.evaluate("window.refuses = false")
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab.locator("#other")).to_have_text("3")
    expect_live(tab, LIVE)


def test_what_was_published_counts_as_said(open_page: Open, say: Say, heal: Any, server: PageServer, room: str) -> None:
    """Items without ids are not doubled, and what scripts have made of them stays."""

    def publish(html: str, target: str, swap: str) -> None:
        server.post(f"/{room}/publish", html=html, target=target, swap=swap)

    say(html="<ul id=list><li>one</li></ul><p id=text>old</p><p id=box>old</p>")
    tab = open_page()
    publish("<li>two</li>", "list", "beforeend")
    publish("<li>zero</li>", "list", "afterbegin")
    publish("<b>new</b>", "box", "innerHTML")
    publish("<p id='text' hx-swap-oob='true'>new</p>", "", "")
    publish("<p id='beside'>beside</p>", "text", "afterend")
    expect(tab.locator("#beside")).to_have_text("beside")
    tab.evaluate("document.querySelectorAll('#list li, #box b').forEach((item) => item.classList.add('scripted'))")
    tab.evaluate("document.querySelector('#list').lastElementChild.append(document.createElement('i'))")

    now = "<p id=text>new</p><p id=beside>beside</p><p id=box><b>new</b></p>"
    say(html=f"<ul id=list><li>zero</li>\n  <li>one</li>\n  <li>two</li>\n  <li>three</li></ul>{now}")
    heal(tab)
    expect(tab.locator("#list li")).to_have_text(["zero", "one", "two", "three"])
    expect(tab.locator("#list li.scripted")).to_have_count(3)
    expect(tab.locator("#box")).to_have_text("new")
    expect(tab.locator("#box b.scripted")).to_have_count(1)
    expect(tab.locator("#list li i")).to_have_count(1)
    expect(tab.locator("#beside")).to_have_count(1)

    publish("", "beside", "delete")
    expect(tab.locator("#beside")).to_have_count(0)
    say(html=f"<ul id=list><li>one</li><li>two</li></ul>{now.replace('<p id=beside>beside</p>', '')}")
    heal(tab)
    expect(tab.locator("#list li")).to_have_text(["one", "two"])
    expect(tab.locator("#beside")).to_have_count(0)
    expect(tab.locator("#list li.scripted")).to_have_count(2)


def test_what_an_element_swaps_itself_counts_as_said(
    open_page: Open, say: Say, heal: Any, server: PageServer, room: str
) -> None:
    say(items="one")
    tab = open_page()
    server.post(f"/{room}/add", item="two")
    server.post(f"/{room}/add", item="three")
    expect(tab.locator("#items p")).to_have_text(["one", "two", "three"])
    tab.evaluate("document.querySelectorAll('#items p').forEach((item) => item.classList.add('scripted'))")
    say(items="two three four")
    heal(tab)
    expect(tab.locator("#items p")).to_have_text(["two", "three", "four"])
    expect(tab.locator("#items p.scripted")).to_have_count(2)


def test_a_region_in_what_htmx_has_loaded_is_refreshed_with_the_same_care(
    open_page: Open, say: Say, server: PageServer, room: str
) -> None:
    say(
        html=f"<div id=loaded hx-get='/{room}/loaded' hx-trigger=load>Loading…</div>",
        fragment="<p class=number>{n}</p><uk-icon icon=rocket></uk-icon>",
    )
    tab = open_page("?franken=1", live=LIVE + 1)
    expect(tab.locator("#loaded uk-icon svg")).to_have_count(1)
    tab.evaluate("window.rendered = document.querySelector('uk-icon svg')")
    say(n="2")
    server.post(f"/{room}/refresh")
    expect(tab.locator("#loaded .number")).to_have_text("2")
    assert tab.evaluate("window.rendered.isConnected")


def test_what_a_response_brought_is_not_inserted_again(open_page: Open, say: Say, heal: Any, room: str) -> None:
    """The reader's own request adds an item, which the server then says, too."""
    say(
        html=f"""<p id=number>{{n}}</p><ul id=list><li>one</li></ul>
          <button hx-get='/{room}/fragment' hx-target='#list' hx-swap=beforeend>Add</button>""",
        fragment="<li>two</li>",
    )
    tab = open_page()
    tab.get_by_role("button", name="Add").click()
    expect(tab.locator("#list li")).to_have_text(["one", "two"])
    tab.evaluate("document.querySelector('#list').lastElementChild.classList.add('scripted')")
    say(
        n="2",
        html=f"""<p id=number>{{n}}</p><ul id=list><li>one</li><li>two</li><li>three</li></ul>
          <button hx-get='/{room}/fragment' hx-target='#list' hx-swap=beforeend>Add</button>""",
    )
    heal(tab)
    expect(tab.locator("#list li")).to_have_text(["one", "two", "three"])
    expect(tab.locator("#list li.scripted")).to_have_text("two")


def test_a_boosted_page_is_what_the_server_says_and_so_is_one_from_the_history(
    open_page: Open, say: Say, heal: Any, server: PageServer, room: str
) -> None:
    other = f"{room}-b"
    say(html=f"<p id=number>A {{n}}</p><a id=go hx-boost=true href='/{other}'>B</a>")
    server.post(f"/{other}/say", html="<p id=number>B {n}</p><ul id=list><li>one</li></ul><input id=typed>")
    tab = open_page()
    tab.locator("#go").click()
    expect(tab.locator("#number")).to_have_text("B 1")
    expect_live(tab, LIVE)
    tab.locator("#typed").fill("half")
    tab.evaluate("document.querySelector('#number').classList.add('scripted')")
    html = "<p id=number>B {n}</p><ul id=list><li>one</li><li>two</li></ul><input id=typed>"
    server.post(f"/{other}/say", n="2", html=html)
    heal(tab)
    expect(tab.locator("#number.scripted")).to_have_text("B 2")
    expect(tab.locator("#list li")).to_have_text(["one", "two"])
    expect(tab.locator("#typed")).to_have_value("half")
    expect(tab.locator("#number")).to_have_count(1)

    tab.go_back()
    expect(tab.locator("#number")).to_have_text("A 1")
    expect_live(tab, LIVE)
    say(n="2")
    heal(tab)
    expect(tab.locator("#number")).to_have_text("A 2")
    expect(tab.locator("#list")).to_have_count(0)
    expect(tab.locator("#go")).to_have_count(1)


@pytest.fixture
def miss(server: PageServer, room: str) -> Callable[[Page], None]:
    """Return a function that lets a tab miss something."""

    def miss(tab: Page) -> None:
        tab.evaluate("document.dispatchEvent(new Event('freeze'))")
        server.wait_for_connections(0)
        server.post(f"/{room}/miss")
        tab.evaluate("document.dispatchEvent(new Event('resume'))")

    return miss


def take_warning(problems: list[str], text: str) -> None:
    """Expect one warning, and remove it."""
    [found] = [problem for problem in problems if text in problem]
    problems.remove(found)


def test_the_answer_to_a_post_is_not_asked_for_by_get(
    open_page: Open, miss: Any, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_page()
    with tab.expect_navigation():
        tab.evaluate("document.body.append(Object.assign(document.createElement('form'), { method: 'post' }))")
        tab.evaluate("document.querySelector('body > form').submit()")
    expect_live(tab, LIVE)
    assert server.get(f"/{room}/asked") == "2"
    with tab.expect_console_message(lambda message: "no GET brings this page again" in message.text):
        miss(tab)
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "stale")
    assert server.get(f"/{room}/asked") == "2"
    take_warning(problems, "no GET brings this page again")


def test_a_page_out_of_a_cache_is_a_failed_attempt(
    open_page: Open, say: Say, miss: Any, context: BrowserContext, server: PageServer, room: str, problems: list[str]
) -> None:
    say(html="<p id=number>{n}</p>")
    tab = open_page()
    old = server.get(f"/{room}")
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        route.fulfill(body=old, content_type="text/html")

    context.route(f"{server.url}/{room}", answer)
    tab.evaluate("Math.random = () => 0.5")
    say(n="2")
    with tab.expect_console_message(lambda message: "from before the gap" in message.text):
        miss(tab)
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "stale")
    expect(tab.locator("#number")).to_have_text("1")
    context.unroute(f"{server.url}/{room}")
    expect(tab.locator("#number")).to_have_text("2")
    expect_live(tab, LIVE)
    assert len(asked) < 5  # it waits longer after each
    take_warning(problems, "from before the gap")


def test_a_page_heals_a_few_times_a_minute(
    open_page: Open, miss: Any, heal: Any, server: PageServer, room: str, problems: list[str]
) -> None:
    tab = open_page()
    for _ in range(5):
        heal(tab)
    before = server.get(f"/{room}/asked")
    with tab.expect_console_message(lambda message: "5 times within a minute" in message.text):
        miss(tab)
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "stale")
    assert server.get(f"/{room}/asked") == before
    take_warning(problems, "5 times within a minute")


def test_a_heal_touches_what_has_changed_and_not_the_rest(open_page: Open, say: Say, heal: Any) -> None:
    def rows(changed: str) -> str:
        cells = [f"<tr id=r{number}><td>{number}<td>{changed if number % 500 == 7 else 1}" for number in range(5000)]
        return f"<table><tbody>{''.join(cells)}</tbody></table>"

    say(html=rows("1"))
    tab = open_page()
    say(html=rows("2"))
    tab.evaluate(
        """() => {
          window.touched = [];
          const options = { subtree: true, childList: true, characterData: true, attributes: true };
          new MutationObserver((records) => touched.push(...records)).observe(document.querySelector("table"), options);
        }"""
    )
    heal(tab)
    expect(tab.locator("#r4507")).to_have_text("45072")
    assert tab.evaluate("touched.map(({ type }) => type)") == ["characterData"] * 10
