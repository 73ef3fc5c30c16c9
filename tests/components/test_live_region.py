from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from fasthtml.common import FT, B, to_xml

from sse_components import HandleError, Kit, LiveRegion, LiveText, MarkupError, Region, SetupError
from tests.support.published import out_of_band, published_html
from tests.support.serving import until

pytestmark = pytest.mark.anyio


def morphed(html: str) -> str:
    return out_of_band(f"<template data-sse-morph>{html}</template>", into="board")


@pytest.mark.usefixtures("rendered_page")
async def test_a_region_is_a_component_and_its_handle(sse: Kit) -> None:
    numbers = [1]

    @sse.region("board", channel="boards")
    def board() -> Any:
        return [B(len(numbers)), "<i>"]

    assert (board.id, board.channel) == ("board", "boards")
    for shown in (board(cls="wide", tag="section"), LiveRegion(board, cls="wide", tag="section")):
        assert (shown.tag, shown.attrs["id"], shown.attrs["class"]) == ("section", "board", "sse-live-region wide")
        assert shown.children == (B(1), "<i>")
    assert LiveRegion("first", id=board).attrs["id"] == "board"
    numbers.append(2)
    assert await board.refresh() != ""
    assert published_html(sse, "boards") == [morphed("<b>2</b>&lt;i&gt;")]


@pytest.mark.usefixtures("rendered_page")
async def test_a_region_may_be_rendered_by_an_async_function(sse: Kit) -> None:
    @sse.region("board")
    async def board() -> FT:
        await asyncio.sleep(0)
        return B("now")

    assert "<b>now</b>" in to_xml(await board())
    with pytest.raises(MarkupError, match=r"^an async function renders the region 'board': write `await region\(\)`"):
        LiveRegion(board)
    await board.refresh()
    assert published_html(sse, "board") == [morphed("<b>now</b>")]


async def test_a_burst_of_refreshes_renders_only_the_first_and_the_last(sse: Kit) -> None:
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


async def test_a_slow_function_is_not_called_again_before_it_has_returned(sse: Kit) -> None:
    calls, release = list[str](), asyncio.Event()

    @sse.region("board", interval=0.001)
    async def board() -> str:
        calls.append("begin")
        await release.wait()
        calls.append("end")
        return "board"

    first = board.refresh()
    await until(lambda: calls == ["begin"])
    board.refresh()
    release.set()
    await first
    await until(lambda: len(published_html(sse, "board")) == 2)
    assert calls == ["begin", "end", "begin", "end"]


async def test_a_thread_that_waits_for_a_refresh_keeps_the_order_of_its_messages(sse: Kit) -> None:
    @sse.region("board")
    def board() -> str:
        return "board"

    def work() -> None:
        sse.publish("board", "before")
        board.refresh().result(5)
        sse.publish("board", "after").result(5)

    await asyncio.to_thread(work)
    assert published_html(sse, "board") == ["before", morphed("board"), "after"]


async def test_a_live_component_in_a_region_needs_an_application(sse: Kit) -> None:
    @sse.region("board")
    def board() -> FT:
        return LiveText("1", id="one")

    with pytest.raises(SetupError, match=r"in an app with setup_sse\(app\) only$"):
        await board.refresh()
    assert published_html(sse, "board") == []


async def test_an_error_is_raised_by_await_or_otherwise_logged(sse: Kit, caplog: pytest.LogCaptureFixture) -> None:
    errors = ["awaited", "nobody looks", "later"]

    @sse.region("board", interval=0.01)
    async def board() -> str:
        await asyncio.sleep(0)
        raise ValueError(errors.pop(0))

    with pytest.raises(ValueError, match="awaited"):
        await board.refresh()
    assert caplog.records == []
    for logged in ("nobody looks", "later"):
        board.refresh()
        await until(lambda: logged in caplog.text)  # noqa: B023
    for record in caplog.records:
        assert f"called at {__file__}:" in record.getMessage()


async def test_an_error_after_a_commit_is_logged_with_the_line_of_the_call(
    sse: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    @sse.region("board")
    async def board() -> str:
        raise ValueError("no board")

    db = sqlite3.connect(":memory:", isolation_level=None)
    with sse.after_commit(db):
        board.refresh()
    await until(lambda: "no board" in caplog.text)
    assert f"called at {__file__}:" in caplog.text
    db.close()


async def test_an_error_of_a_sync_function_is_raised_by_await_and_by_result(sse: Kit) -> None:
    @sse.region("board")
    def board() -> str:
        raise ValueError("no board")

    with pytest.raises(ValueError, match="no board"):
        await board.refresh()
    with pytest.raises(ValueError, match="no board"):
        await asyncio.to_thread(lambda: Region(sse, "other", board.render).refresh().result(5))


def test_invalid_options_are_refused() -> None:
    sse = Kit()
    with pytest.raises(MarkupError, match=r"^a region needs an id"):
        sse.region("a b")
    with pytest.raises(ValueError, match=r"^interval must be a number above 0, not -1"):
        sse.region("board", interval=-1)
    sse.region("board", channel="a")
    with pytest.raises(HandleError, match="Region 'board' has channel='a' already, and cannot have channel='b'"):
        sse.region("board", channel="b")


@pytest.mark.usefixtures("rendered_page")
async def test_a_region_may_be_fetched_by_each_tab(sse: Kit) -> None:
    assert LiveRegion("mine", id="orders", fetch="/orders").attrs["data-sse-fetch"] == "/orders"
    assert await sse.refresh("orders") != ""
    changed = '<template data-sse-morph data-sse-spread="0"></template>'
    assert published_html(sse, "orders") == [out_of_band(changed, into="orders")]


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize("address", ["orders", "//elsewhere.example/orders", "https://elsewhere.example/", str])
def test_only_a_path_of_the_application_can_be_fetched(address: Any) -> None:
    with pytest.raises(MarkupError, match=r"^fetch must be a handler with a route, or its path, not "):
        LiveRegion("mine", id="orders", fetch=address)
