from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.axe import expect_no_serious_violations
from e2e.conftest import OpenTab
from e2e.page_server import PageServer

LIVE = "live"
# Distance of a log from its end, in pixels.
BELOW = "region => Math.round(region.scrollHeight - region.clientHeight - region.scrollTop)"
# The text of the first visible line.
FIRST_SEEN = """region => [...region.querySelectorAll(".sse-log-line")]
  .find((line) => line.getBoundingClientRect().bottom > region.getBoundingClientRect().top + 1).textContent"""


def open_live(open_tab: OpenTab, path: str, id: str) -> Page:
    tab = open_tab(path)
    expect(tab.locator(f"#{id}")).to_have_attribute("data-sse-state", LIVE)
    return tab


def write(server: PageServer, room: str, count: int, level: str = "info", text: str = "line") -> None:
    server.post(f"/{room}/log/write", count=count, level=level, text=text)


def test_a_log_is_bounded_and_stays_at_its_end_unless_the_user_scrolls_up(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    write(server, room, 60)
    shown = server.get(f"/{room}/log")
    assert shown.count('data-level="info"') == 60
    assert "line 59" in shown
    first, second = (open_live(open_tab, f"/{room}/log", room) for _ in range(2))
    regions = [tab.get_by_role("log", name="Build") for tab in (first, second)]
    lines = [region.locator(".sse-log-line") for region in regions]
    for region in regions:
        expect(region).to_contain_text("line 59")
        assert region.evaluate(BELOW) <= 1

    # After scrolling up with the keyboard, the visible lines stay in place, and a button scrolls to the end.
    first.get_by_role("combobox").focus()
    first.keyboard.press("Tab")
    expect(regions[0]).to_be_focused()
    first.keyboard.press("Home")
    first.wait_for_function("id => document.getElementById(id).scrollTop === 0", arg=f"{room}-lines")
    expect(regions[0]).to_be_focused()
    write(server, room, 30)
    expect(lines[0]).to_have_count(90)
    expect(first.get_by_role("button")).to_have_text("30 new lines")
    assert regions[0].evaluate("region => region.scrollTop") == 0
    expect(lines[1]).to_have_count(90)
    assert regions[1].evaluate(BELOW) <= 1
    expect(second.locator(".sse-log-new")).to_be_hidden()

    # The oldest lines are removed without moving the visible ones.
    regions[0].evaluate("region => { region.scrollTop = region.querySelectorAll('.sse-log-line')[40].offsetTop }")
    seen = regions[0].evaluate(FIRST_SEEN)
    write(server, room, 20)
    expect(lines[0].last).to_contain_text("line 109")
    expect(lines[0]).to_have_count(100)
    assert regions[0].evaluate(FIRST_SEEN) == seen
    expect(first.get_by_role("button")).to_have_text("50 new lines")
    first.keyboard.press("Tab")
    expect(first.get_by_role("button")).to_be_focused()
    first.keyboard.press("Enter")
    expect(first.get_by_role("button")).to_have_count(0)
    expect(regions[0]).to_be_focused()
    assert regions[0].evaluate(BELOW) <= 1

    # Of a burst, only the visible lines are sent. A page that is opened now shows the same lines.
    write(server, room, 5_000, text="burst")
    for line in lines:
        expect(line.last).to_contain_text("burst 5099")
        expect(line).to_have_count(100)
        expect(line.first).to_contain_text("burst 5000")
    assert regions[1].evaluate(BELOW) <= 1
    assert "burst 5000" in server.get(f"/{room}/log")


def test_a_log_is_filtered_with_the_keyboard_and_escapes_its_lines(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    first, second = (open_live(open_tab, f"/{room}/log", room) for _ in range(2))
    write(server, room, 2)
    server.post(f"/{room}/log/hostile")
    server.post(f"/{room}/log/record")
    for tab in (first, second):
        region = tab.get_by_role("log")
        expect(region.locator(".sse-log-line")).to_have_count(9)
        for text in (
            "<script>window.hacked = 1</script>",
            '"><img src=x onerror="window.hacked = 2">',
            "</textarea></div></template><b>bold</b>",
            "red, a bell ␇ and a NUL ␀",
            "999,500 more characters",
            "ValueError: <b>no</b>",
        ):
            expect(region).to_contain_text(text)
        assert tab.evaluate("window.hacked") is None
        assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
        assert region.evaluate("region => region.textContent.length < 15_000")

    # A long line can be expanded.
    first.get_by_role("log").focus()
    first.keyboard.press("Tab")
    first.keyboard.press("Enter")
    expect(first.locator("details")).to_have_attribute("open", "")
    expect(first.locator("details")).to_contain_text("990,000 more characters are left out")
    assert first.get_by_role("log").evaluate("region => region.scrollWidth <= region.clientWidth")

    first.keyboard.press("Shift+Tab")
    first.keyboard.press("Shift+Tab")
    expect(first.get_by_label("Filter lines by level")).to_be_focused()
    first.keyboard.press("e")
    visible = first.locator(".sse-log-line:visible")
    expect(visible).to_have_count(7)
    expect(first.locator("output")).to_have_text("7 of 9")
    first.keyboard.press("Shift+Tab")
    first.keyboard.type("SCRIPT>")
    expect(visible).to_have_count(1)
    expect(visible).to_contain_text("error")
    write(server, room, 1, "error", "another <script>")
    write(server, room, 1, "info", "no error <script>")
    expect(visible).to_have_count(2)
    expect(second.locator(".sse-log-line:visible")).to_have_count(11)
    expect_no_serious_violations(first)
    assert first.evaluate("window.hacked") is None


def test_a_sparkline_is_drawn_by_the_server_and_kept_up_to_date(
    open_tab: OpenTab, server: PageServer, room: str
) -> None:
    assert "<title>Load &lt;b&gt;: no values yet</title>" in server.get(f"/{room}/spark")
    first, second = (open_live(open_tab, f"/{room}/spark", room) for _ in range(2))
    server.post(f"/{room}/spark/push", values="1 2 nan 7")
    for tab in (first, second):
        line = tab.get_by_role("img", name="Load <b>: latest 7 %, lowest 1 %, highest 7 %")
        expect(line).to_be_visible()
        expect(line.locator(".sse-spark-line")).to_have_attribute("d", "M41.5,37.0 80.0,31.3h0M157.0,3.0h0")
        assert line.evaluate("svg => svg.querySelector('.sse-spark-line').getBBox().width") > 100
        expect(tab.locator(f"#{room}")).to_have_text("Load <b>: latest 7 %, lowest 1 %, highest 7 %7 %")
    server.post(f"/{room}/spark/push", values=" ".join(map(str, range(1_000))))
    for tab in (first, second):
        expect(tab.get_by_role("img", name="Load <b>: latest 999 %, lowest 995 %, highest 999 %")).to_be_visible()
    assert "latest 999 %, lowest 995 %, highest 999 %" in server.get(f"/{room}/spark")
    expect_no_serious_violations(first)
