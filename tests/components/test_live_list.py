from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from fasthtml.common import FT, B, Li, Table, Td, Tr, to_xml

from sse_components import Kit, LiveList, LiveRegion, LiveText, MarkupError, SetupError
from sse_components.components.live_content import ItemList, Pace, Region, Text
from sse_components.events.log import Cursor
from tests.support.serving import until

pytestmark = pytest.mark.anyio

HOSTILE = ["<script>x</script>", '"><img src=x onerror=x>', "</textarea></template>", "‮right to left‬"]


def sent(sse: Kit, channel: str) -> list[str]:
    """Return the HTML of what is published on a channel."""
    events = sse.backend.since([channel], Cursor(sse.backend.cursor.epoch, 0))
    lines = [event.frame.decode().split("\n") for event in events]
    return ["\n".join(one.removeprefix("data: ") for one in frame if one.startswith("data: ")) for frame in lines]


def inserted(html: str, *, into: str, swap: str = "beforeend") -> str:
    return f'<div hx-swap-oob="{swap}:#{into}">{html}</div>'


# ---------------------------------------------------------------------- rendering


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("make", "tag", "root"),
    [
        (LiveText, "span", "sse-live-text"),
        (LiveList, "ul", "sse-live-list"),
        (LiveRegion, "div", "sse-live-region"),
    ],
)
def test_a_component_follows_its_channel_and_takes_any_attribute(make: Callable[..., FT], tag: str, root: str) -> None:
    shown = make(id="here")
    assert (shown.tag, shown.attrs["id"], shown.attrs["class"]) == (tag, "here", root)
    assert shown.attrs["data-sse-connect"].startswith("/live/stream?")
    assert shown.attrs["hx-swap"] == "none"
    other = make(id="here", channel="there", cls="wide", title="It", hx_ext="sse,other", data_sse_heal="#here")
    assert other.attrs["class"] == f"{root} wide"
    assert [other.attrs[name] for name in ("title", "hx-ext", "data-sse-heal")] == ["It", "sse,other", "#here"]


@pytest.mark.parametrize("make", [LiveText, LiveList, LiveRegion])
@pytest.mark.parametrize("id", [None, "", "a b", "a.b"])
def test_a_component_needs_an_id_to_be_updated_by(make: Callable[..., FT], id: str | None) -> None:
    with pytest.raises(MarkupError, match=f"^{make.__name__} needs an id of letters, digits, - and _"):
        make(id=id)


@pytest.mark.parametrize("handle", [Text, ItemList])
def test_a_handle_needs_an_id_as_well(handle: Any) -> None:
    with pytest.raises(MarkupError, match="needs an id"):
        handle(Kit(), "a b")
    with pytest.raises(MarkupError, match="needs an id"):
        Region(Kit(), "a b", str)


@pytest.mark.parametrize("make", [LiveText, LiveList, LiveRegion])
def test_a_component_belongs_to_a_page(make: Callable[..., FT]) -> None:
    with pytest.raises(SetupError, match="granted to the page of a request"):
        make(id="here")


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_text(text: str) -> None:
    escaped = to_xml(B(text)).removeprefix("<b>").removesuffix("</b>\n").removesuffix("</b>")
    assert "<" not in escaped
    for shown in (LiveText(text, id="x"), LiveRegion(text, id="x"), LiveList(Li(text, id="a"), id="x", empty=text)):
        html = to_xml(shown)
        assert escaped in html
        assert text not in html or "<" not in text


@pytest.mark.usefixtures("rendered_page")
def test_a_text_says_how_a_screen_reader_hears_of_it() -> None:
    names = ("data-sse-live-text", "data-sse-label", "data-sse-pause")
    heard = LiveText(42, id="cpu", live="assertive", label="Load", announced=0.5, tag="output")
    assert (heard.tag, heard.children) == ("output", (42,))
    assert [heard.attrs[name] for name in names] == ["assertive", "Load", 500]
    assert not any(name in LiveText(42, id="cpu", live="off").attrs for name in names)


def test_what_a_text_cannot_be_is_told() -> None:
    with pytest.raises(MarkupError, match=r"^live must be one of polite, assertive, off, not 'loud'$"):
        LiveText(id="cpu", live="loud")
    with pytest.raises(ValueError, match=r"^announced must be at least 0 seconds, not -1$"):
        LiveText(id="cpu", announced=-1)


@pytest.mark.usefixtures("rendered_page")
def test_a_list_shows_what_is_there_and_what_it_says_without() -> None:
    items = Li("a", id="a"), Li("b", id="b")
    assert LiveList(*items, id="todos").children == items
    shown = LiveList(*items, id="todos", tag="ol", empty="Nothing", max_length=5)
    assert to_xml(shown.children[0], indent=False).strip() == '<li class="sse-live-list-empty">Nothing</li>'
    assert (shown.tag, shown.attrs["data-sse-max"]) == ("ol", 5)
    given = LiveList(id="todos", empty=Li("Nothing", cls="mine")).children[0]
    assert given.attrs["class"] == "mine sse-live-list-empty"
    rows = LiveList(Tr(Td("a"), id="a"), id="rows", tag="tbody", empty=Tr(Td("Nothing", colspan=2)))
    html = to_xml(Table(rows), indent=False)
    assert '<tr class="sse-live-list-empty"><td colspan="2">Nothing</td></tr><tr id="a">' in html


@pytest.mark.usefixtures("rendered_page")
def test_a_list_is_shown_in_the_order_of_its_keys() -> None:
    keys = ["item 10", "B", "1e3", "ä", 9, "a", "item 9", "-1.5", "z", "item"]
    items = [Li(key, id=f"i{number}", data_sse_key=key) for number, key in enumerate(keys)]
    shown = [item.attrs["data-sse-key"] for item in LiveList(*items, id="todos").children]
    assert shown == ["-1.5", 9, "1e3", "a", "ä", "B", "item", "item 9", "item 10", "z"]
    same = [Li(id=id, data_sse_key=1) for id in ("i10", "i9")]
    assert [item.attrs["id"] for item in LiveList(*same, id="todos").children] == ["i9", "i10"]
    mixed = [*items[:3], Li("none", id="none")]
    assert LiveList(*mixed, id="todos").children == tuple(mixed)


@pytest.mark.usefixtures("rendered_page")
def test_what_a_list_cannot_be_is_told() -> None:
    with pytest.raises(MarkupError, match=r"^tag must be one of ul, ol, tbody, not 'dl'$"):
        LiveList(id="todos", tag="dl")
    with pytest.raises(ValueError, match=r"^max_length must be at least 1, not 0$"):
        LiveList(id="todos", max_length=0)
    with pytest.raises(MarkupError, match=r"^empty must be a Tr where the list is a tbody"):
        LiveList(id="todos", tag="tbody", empty="Nothing")
    for item, what in ((Li("a"), "<li>"), ("a", "'a'")):
        with pytest.raises(MarkupError, match=f"^an item of a list needs an id .*: {what} has none$"):
            LiveList(item, id="todos")


# ---------------------------------------------------------------------- text


async def test_a_value_is_shown_at_once_and_of_many_the_last_one(sse: Kit) -> None:
    text = sse.text("cpu", interval=0.05)
    for number in range(100):
        await text.set(f"{number} %")
    assert sent(sse, "cpu") == [inserted("0 %", into="cpu", swap="innerHTML")]
    await until(lambda: len(sent(sse, "cpu")) > 1)
    assert sent(sse, "cpu")[1:] == [inserted("99 %", into="cpu", swap="innerHTML")]
    assert sse.text("cpu") is text


async def test_a_value_may_be_ft_and_go_to_another_channel(sse: Kit) -> None:
    await sse.text("a", channel="numbers").set(B("<1>"))
    await sse.text("b", channel="numbers").set(2)
    a, b = (inserted(html, into=id, swap="innerHTML") for id, html in (("a", "<b>&lt;1&gt;</b>"), ("b", "2")))
    assert sent(sse, "numbers") == [a, b]


# ---------------------------------------------------------------------- list


async def test_each_change_of_a_list_is_one_message(sse: Kit) -> None:
    todos = sse.list("todos")
    await todos.append(Li("a", id="a"), Li("b", id="b"))
    await todos.prepend(Li("c", id="c"))
    await todos.insert(Li("d", id="d"), key=4)
    await todos.insert(Li("e", id="e", data_sse_key="x"))
    await todos.update(Li("<a>", id="a"))
    await todos.update(Li("d", id="d"), key=5)
    await todos.remove("a")
    await todos.remove("#b")
    await todos.remove(Li("c", id="1:c"))
    await todos.clear()
    assert sent(sse, "todos") == [
        inserted('<li id="a">a</li><li id="b">b</li>', into="todos"),
        inserted('<li id="c">c</li>', into="todos", swap="afterbegin"),
        inserted('<li id="d" data-sse-key="4">d</li>', into="todos"),
        inserted('<li data-sse-key="x" id="e">e</li>', into="todos"),
        inserted('<template data-sse-morph><li id="a">&lt;a&gt;</li></template>', into="todos"),
        inserted('<template data-sse-morph><li id="d" data-sse-key="5">d</li></template>', into="todos"),
        inserted("", into="a", swap="delete"),
        inserted("", into="b", swap="delete"),
        inserted("", into="\\31 \\3a c", swap="delete"),
        inserted("", into="todos&gt;[id]", swap="delete"),
    ]


async def test_rows_come_in_what_the_html_parser_needs_around_them(sse: Kit) -> None:
    await sse.list("rows", channel="board").append(Tr(Td("a"), id="a"))
    [html] = sent(sse, "board")
    assert '<tbody hx-swap-oob="beforeend:#rows"><tr id="a"><td>a</td></tr></tbody>' in html


async def test_an_item_without_id_or_key_is_told_and_not_sent(sse: Kit) -> None:
    todos = sse.list("todos")
    for change in (todos.append, todos.prepend, todos.update, todos.remove):
        with pytest.raises(MarkupError, match="an item of a list needs an id"):
            await change(Li("a"))
    with pytest.raises(MarkupError, match=r"^insert needs a sort key"):
        await todos.insert(Li("a", id="a"))
    assert sent(sse, "todos") == []


async def test_an_item_is_not_altered_by_its_key(sse: Kit) -> None:
    item = Li("a", id="a")
    await sse.list("todos").insert(item, key=1)
    assert "data-sse-key" not in item.attrs


# ---------------------------------------------------------------------- region


@pytest.mark.usefixtures("rendered_page")
async def test_a_region_is_a_component_and_its_handle(sse: Kit) -> None:
    numbers = [1]

    @sse.region("board", channel="boards")
    def board() -> Any:
        return [B(len(numbers)), "<i>"]

    assert (board.id, board.channel) == ("board", "boards")
    shown = board(cls="wide", tag="section")
    assert (shown.tag, shown.attrs["id"], shown.attrs["class"]) == ("section", "board", "sse-live-region wide")
    assert shown.children == (B(1), "<i>")
    numbers.append(2)
    await board.refresh()
    assert sent(sse, "boards") == [inserted("<template data-sse-morph><b>2</b>&lt;i&gt;</template>", into="board")]


@pytest.mark.usefixtures("rendered_page")
async def test_a_region_may_be_rendered_by_an_async_function(sse: Kit) -> None:
    @sse.region("board")
    async def board() -> FT:
        await asyncio.sleep(0)
        return B("now")

    assert "<b>now</b>" in to_xml(await board())
    await board.refresh()
    assert sent(sse, "board") == [inserted("<template data-sse-morph><b>now</b></template>", into="board")]


async def test_of_a_burst_a_region_renders_the_first_and_the_last(sse: Kit) -> None:
    states, rendered = list[int](), list[int]()

    @sse.region("board", interval=0.05)
    async def board() -> str:
        rendered.append(states[-1])
        await asyncio.sleep(0)
        return str(states[-1])

    for state in range(50):
        states.append(state)
        await board.refresh()
    await until(lambda: len(rendered) > 1)
    assert rendered == [0, 49]


@pytest.mark.usefixtures("rendered_page")
async def test_nothing_that_is_granted_to_one_page_is_sent_to_all(sse: Kit) -> None:
    @sse.region("board")
    def board() -> FT:
        return LiveText("1", id="one")

    assert "data-sse-connect" in to_xml(board())
    with pytest.raises(SetupError, match="granted to the page of a request"):
        await board.refresh()
    assert sent(sse, "board") == []


# ---------------------------------------------------------------------- pace


def recorder() -> tuple[list[Any], Callable[[Any], Callable[[], Any]]]:
    done: list[Any] = []

    def action(what: Any) -> Callable[[], Any]:
        async def run() -> None:
            await asyncio.sleep(0)
            done.append(what)
            if isinstance(what, Exception):
                raise what

        return run

    return done, action


async def test_what_waits_runs_once_when_the_interval_has_passed() -> None:
    done, action = recorder()
    pace, loop = Pace(0.02), asyncio.get_running_loop()
    begin = loop.time()
    for number in range(3):
        await pace.run(action(number))
    await until(lambda: len(done) > 1)
    assert loop.time() - begin >= 0.02
    await pace.run(action(3))
    assert done == [0, 2]
    await until(lambda: len(done) > 2)
    assert (done, loop.time() - begin >= 0.04) == ([0, 2, 3], True)


async def test_what_takes_long_is_not_overtaken() -> None:
    pace, release, done = Pace(0.001), asyncio.Event(), list[str]()

    async def slow() -> None:
        await release.wait()
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    first = asyncio.create_task(pace.run(slow))
    await asyncio.sleep(0.01)
    await pace.run(quick)
    assert done == []
    release.set()
    await first
    await until(lambda: len(done) > 1)
    assert done == ["slow", "quick"]


async def test_an_error_is_raised_at_once_or_logged_later(caplog: pytest.LogCaptureFixture) -> None:
    done, action = recorder()
    pace = Pace(0.01)
    with pytest.raises(ValueError, match="now"):
        await pace.run(action(ValueError("now")))
    await pace.run(action(ValueError("later")))
    await until(lambda: bool(caplog.records))
    [record] = caplog.records
    assert (record.levelno, str(record.exc_info and record.exc_info[1])) == (logging.ERROR, "later")
    await until(lambda: pace._busy_in is None)
    await pace.run(action("on"))
    assert done[-1] == "on"


async def test_what_runs_later_is_out_of_the_context_of_who_asked() -> None:
    request: ContextVar[str] = ContextVar("request", default="none")
    pace, seen = Pace(0.01), list[str]()

    async def look() -> None:
        seen.append(request.get())

    request.set("mine")
    await pace.run(look)
    await pace.run(look)
    await until(lambda: len(seen) > 1)
    assert seen == ["mine", "none"]


def test_a_pace_goes_on_in_another_loop_when_its_own_has_ended() -> None:
    done, action = recorder()
    pace = Pace(60)
    for number in range(2):
        asyncio.run(pace.run(action(number)))
    assert done == [0, 1]


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_is_above_0(interval: float) -> None:
    with pytest.raises(ValueError, match=r"^interval must be above 0 seconds"):
        Kit().text("cpu", interval=interval)


def test_stopping_drops_what_waits_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Kit() as sse:
            await sse.text("cpu", interval=0.01).set(1)
            await sse.text("cpu").set(2)
        await asyncio.sleep(0.03)

    asyncio.run(run())
    assert caplog.records == []
