"""Any source as an async iterator, any item as a frame."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import anyio
import pytest
from fasthtml.common import Div, NotStr, P, Safe

from sse_components.errors import WireError
from sse_components.events.wire import Frame
from sse_components.generators.sources import frame
from sse_components.generators.streams import SSEStream, sse_generator
from sse_components.generators.throttle import create_throttled_stream
from sse_components.html.oob import OOBStreamBuilder, oob
from tests.support.streams import (
    CLOSED,
    CONNECTED,
    HEARTBEAT,
    PACE,
    QUIET,
    SOURCES,
    SWIFT,
    Countdown,
    Source,
    collect,
    count_up_async,
    first_data,
    numbers,
)

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------------- frames


class Card:
    def __ft__(self) -> Any:
        return P("card")


class Html:
    def __html__(self) -> str:
        return "<b>html</b>"


@dataclass
class Row:
    id: int
    title: str


class Jsonable:
    def to_dict(self) -> dict[str, int]:
        return {"a": 1}


class Message:
    def to_sse(self, event_type: str | None = None) -> str:
        return "event: told\ndata: by itself\n\n"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Div("a", id="b"), 'data: <div id="b">a</div>\n\n'),
        ((P("a"), "<", P("b")), "data: <p>a</p>&lt;<p>b</p>\n\n"),
        ([P("a"), P("b")], "data: <p>a</p><p>b</p>\n\n"),
        (Card(), "data: <p>card</p>\n\n"),
        (Html(), "data: <b>html</b>\n\n"),
        (NotStr("<i>x</i>"), "data: <i>x</i>\n\n"),
        (Safe("<i>x</i>"), "data: <i>x</i>\n\n"),
        (oob(P("a", id="x")), 'data: <p id="x" hx-swap-oob="outerHTML:#x">a</p>\n\n'),
        (OOBStreamBuilder().add_element(P("a")), "data: <p>a</p>\n\n"),
        (OOBStreamBuilder().add_element(P("a")).build(), "data: <p>a</p>\n\n"),
        (P("one\r\ntwo\u2028three"), "data: <p>one\ndata: two\u2028three</p>\n\n"),
        ("one\ntwo", "data: one\ndata: two\n\n"),
        ("", "data: \n\n"),
        ("data: x\n\n", "data: data: x\ndata: \ndata: \n\n"),
        ("née ☃".encode(), "data: née ☃\n\n"),
        (Frame("event: x\ndata: y\n\n"), "event: x\ndata: y\n\n"),
        (Message(), "event: told\ndata: by itself\n\n"),
        ({"a": "é", "b": None}, 'data: {"a": "é", "b": null}\n\n'),
        ([1, "a", {"b": True}], 'data: [1, "a", {"b": true}]\n\n'),
        ((1, 2), "data: [1, 2]\n\n"),
        ([], "data: []\n\n"),
        (3, "data: 3\n\n"),
        (0.5, "data: 0.5\n\n"),
        (False, "data: false\n\n"),
        (Row(1, "x"), 'data: {"id": 1, "title": "x"}\n\n'),
        ({"rows": [Jsonable()]}, 'data: {"rows": [{"a": 1}]}\n\n'),
    ],
)
async def test_an_item_becomes_a_frame(item: Any, expected: str) -> None:
    assert await collect(SSEStream(QUIET).stream([item])) == [expected]


def test_a_frame_can_have_an_event_and_an_id() -> None:
    assert frame({"a": 1}, event="tick", id="7") == 'id: 7\nevent: tick\ndata: {"a": 1}\n\n'


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (object(), TypeError),
        (Row, TypeError),
        (math.nan, ValueError),
        (b"\xff", UnicodeDecodeError),
        ("\ud800", WireError),
    ],
)
def test_what_has_no_form_is_refused_and_never_sent_as_a_repr(item: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        frame(item)


# ---------------------------------------------------------------------- sources


@pytest.mark.parametrize("kind", SOURCES)
async def test_every_kind_of_source_gives_all_its_items_in_order(kind: str) -> None:
    frames = await collect(sse_generator(SOURCES[kind](5), interval=0))
    assert frames == [CONNECTED, *(f"data: {number}\n\n" for number in range(5)), CLOSED]


@pytest.mark.parametrize(
    "source",
    [
        numbers,
        lambda: numbers(),
        lambda: (number for number in range(3)),
        lambda: iter([0, 1, 2]),
        range(3),
        (0, 1, 2),
    ],
)
async def test_what_stands_for_a_source(source: Any) -> None:
    frames = await collect(sse_generator(source, interval=0))
    assert frames == [CONNECTED, "data: 0\n\n", "data: 1\n\n", "data: 2\n\n", CLOSED]


async def test_a_source_that_cannot_be_closed() -> None:
    stream = sse_generator(Countdown(3))
    assert await first_data(stream) == "data: 2\n\n"
    await stream.aclose()


async def test_a_callable_that_returns_a_list_yields_it() -> None:
    jobs = iter([["a"], ["a", "b"]])
    frames = await collect(sse_generator(lambda: next(jobs), interval=0))
    assert frames[1:-1] == ['data: ["a"]\n\n', 'data: ["a", "b"]\n\n']


async def test_a_callable_may_return_a_coroutine() -> None:
    poll = count_up_async(2)
    assert (await collect(sse_generator(lambda: poll(), interval=0)))[1:-1] == ["data: 0\n\n", "data: 1\n\n"]


@pytest.mark.parametrize("source", ["text", b"bytes", {"a": 1}, Div("a"), NotStr("a"), 42, None])
def test_what_is_no_source_is_refused_at_once(source: Any) -> None:
    for make in (sse_generator, SSEStream().stream, create_throttled_stream):
        with pytest.raises(TypeError, match="a source is an async generator, a queue, a list"):
            make(source)


async def test_none_is_not_sent_and_not_transformed() -> None:
    frames = await collect(SSEStream(QUIET).stream(iter([None, 1, None, 2]), lambda number: number * 10))
    assert frames == ["data: 10\n\n", "data: 20\n\n"]


async def test_a_builder_with_nothing_in_it_sends_nothing() -> None:
    assert await collect(SSEStream(QUIET).stream(iter([OOBStreamBuilder().build(), 1]))) == ["data: 1\n\n"]


async def test_a_transform_is_sync_or_async_and_can_leave_items_out() -> None:
    async def even(number: int) -> Any:
        return None if number % 2 else P(number)

    assert await collect(SSEStream(QUIET).stream(numbers(3), even)) == ["data: <p>0</p>\n\n", "data: <p>2</p>\n\n"]


@pytest.mark.parametrize("kind", ["list", "callable", "async callable"])
async def test_interval_lies_between_the_items_of_a_list_and_between_calls(kind: str) -> None:
    times = []
    async for text in sse_generator(SOURCES[kind](3), PACE):
        if text.startswith("data: "):
            times.append(asyncio.get_running_loop().time())
    assert len(times) == 3
    assert all(later - sooner > 0.99 * PACE for sooner, later in pairwise(times))


async def test_a_source_that_blocks_holds_up_nobody() -> None:
    gate = threading.Event()

    def blocks() -> Iterator[str]:
        gate.wait()
        yield "through"

    stream = sse_generator(blocks(), heartbeat=SWIFT)
    assert [await anext(stream) for _ in range(3)] == [CONNECTED, HEARTBEAT, HEARTBEAT]
    gate.set()
    assert await first_data(stream) == "data: through\n\n"
    await stream.aclose()


async def test_a_source_lives_in_one_task() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")

    async def owner() -> AsyncGenerator[str, None]:
        name.set("kept")
        async with asyncio.timeout(60), anyio.create_task_group():
            yield name.get()
            await asyncio.sleep(0)
            yield name.get()
            await asyncio.Event().wait()

    stream = SSEStream(QUIET).stream(owner())
    assert [await anext(stream), await anext(stream)] == ["data: kept\n\n"] * 2
    await stream.aclose()


async def test_a_source_is_never_ahead_of_its_client() -> None:
    source = Source(*range(10))
    async with aclosing(SSEStream(QUIET).stream(source())) as stream:
        for count in range(1, 6):
            await anext(stream)
            await anyio.wait_all_tasks_blocked()
            assert source.produced == count
