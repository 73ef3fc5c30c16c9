from __future__ import annotations

from typing import Any

import pytest
from fasthtml.common import Li, Table, Td, Tr, to_xml

from sse_components import HandleError, Kit, LiveList, MarkupError
from tests.support.published import out_of_band, published_html

pytestmark = pytest.mark.anyio

TAB = f"tab_0123456789abcdef.{22 * 'b'}"


@pytest.mark.usefixtures("rendered_page")
def test_a_list_shows_its_items_or_the_text_for_an_empty_list() -> None:
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
def test_a_list_is_sorted_by_its_keys() -> None:
    keys = ["item 10", "B", "1e3", "ä", 9, "a", "item 9", "-1.5", "z", "item"]
    items = [Li(key, id=f"i{number}", data_sse_key=key) for number, key in enumerate(keys)]
    shown = [item.attrs["data-sse-key"] for item in LiveList(*items, id="todos").children]
    assert shown == ["-1.5", 9, "1e3", "a", "ä", "B", "item", "item 9", "item 10", "z"]
    same = [Li(id=id, data_sse_key=1) for id in ("i10", "i9")]
    assert [item.attrs["id"] for item in LiveList(*same, id="todos").children] == ["i9", "i10"]
    mixed = [*items[:3], Li("none", id="none")]
    assert LiveList(*mixed, id="todos").children == tuple(mixed)


@pytest.mark.usefixtures("rendered_page")
def test_invalid_options_of_a_list_are_refused() -> None:
    with pytest.raises(MarkupError, match=r"^tag must be one of ul, ol, tbody, not 'dl'$"):
        LiveList(id="todos", tag="dl")
    with pytest.raises(ValueError, match=r"^max_length must be a whole number of at least 1, not 0$"):
        LiveList(id="todos", max_length=0)
    with pytest.raises(MarkupError, match=r"^empty must be a Tr where the list is a tbody"):
        LiveList(id="todos", tag="tbody", empty="Nothing")
    for item, what in ((Li("a"), "<li>"), ("a", "'a'")):
        with pytest.raises(MarkupError, match=f"^an item of a list needs an id .*: {what} has none$"):
            LiveList(item, id="todos")


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
    assert published_html(sse, "todos") == [
        out_of_band('<li id="a">a</li><li id="b">b</li>', into="todos"),
        out_of_band('<li id="c">c</li>', into="todos", swap="afterbegin"),
        out_of_band('<li id="d" data-sse-key="4">d</li>', into="todos"),
        out_of_band('<li data-sse-key="x" id="e">e</li>', into="todos"),
        out_of_band('<template data-sse-morph><li id="a">&lt;a&gt;</li></template>', into="todos"),
        out_of_band('<template data-sse-morph><li id="d" data-sse-key="5">d</li></template>', into="todos"),
        out_of_band("", into="a", swap="delete"),
        out_of_band("", into="b", swap="delete"),
        out_of_band("", into="\\000031\\00003ac", swap="delete"),
        out_of_band("", into="todos&gt;[id]", swap="delete"),
    ]


async def test_table_rows_are_wrapped_for_the_html_parser(sse: Kit) -> None:
    await sse.list("rows", channel="board").append(Tr(Td("a"), id="a"))
    [html] = published_html(sse, "board")
    assert '<tbody hx-swap-oob="beforeend:#rows"><tr id="a"><td>a</td></tr></tbody>' in html


async def test_an_item_without_id_or_key_is_refused_and_not_sent(sse: Kit) -> None:
    todos = sse.list("todos")
    for change in (todos.append, todos.prepend, todos.update, todos.remove):
        with pytest.raises(MarkupError, match="an item of a list needs an id"):
            await change(Li("a"))
    with pytest.raises(MarkupError, match=r"^insert needs a sort key"):
        await todos.insert(Li("a", id="a"))
    assert published_html(sse, "todos") == []


async def test_an_item_is_not_altered_by_its_key(sse: Kit) -> None:
    item = Li("a", id="a")
    await sse.list("todos").insert(item, key=1)
    assert "data-sse-key" not in item.attrs


@pytest.mark.usefixtures("rendered_page")
def test_a_handle_may_be_passed_as_the_id() -> None:
    assert LiveList(id=Kit().list("todos", channel="board")).attrs["id"] == "todos"
    with pytest.raises(HandleError, match=r"^ItemList 'todos' has channel='board' already"):
        LiveList(id=Kit().list("todos", channel="board"), channel="other")


async def test_an_item_moves_to_another_list_in_order(sse: Kit) -> None:
    todos, done = sse.list("todos"), sse.list("done")
    await todos.move(Li("a", id="a"), to=done)
    todos.move(Li("b", id="b"), to=done, key=7)
    assert published_html(sse, "todos", "done") == [
        out_of_band("", into="a", swap="delete"),
        out_of_band('<li id="a">a</li>', into="done"),
        out_of_band("", into="b", swap="delete"),
        out_of_band('<li id="b" data-sse-key="7">b</li>', into="done"),
    ]
    with pytest.raises(MarkupError, match="an item of a list needs an id"):
        todos.move(Li("c"), to=done)
    assert len(published_html(sse, "todos", "done")) == 4


async def test_every_change_takes_exclude(sse: Kit) -> None:
    begin, todos, item = sse.backend.cursor, sse.list("todos"), Li("a", id="a", data_sse_key=1)
    changes: list[Any] = [todos.append, todos.prepend, todos.insert, todos.update, todos.remove]
    for change in changes:
        change(item, exclude=TAB)
    todos.clear(exclude=TAB)
    todos.move(item, to=sse.list("done", channel="todos"), exclude=TAB)
    frames = [event.frame.decode() for event in sse.backend.since(["todos"], begin)]
    assert len(frames) == 8
    assert all(f"\nexclude: {TAB}\n" in frame for frame in frames)
