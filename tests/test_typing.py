"""A program that uses every handle and every component. mypy checks it in strict mode; the tests also run it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import assert_type

import pytest
from fasthtml.common import FastHTML, Li, P

from sse_components import (
    SSE,
    Answer,
    ConnectionStats,
    ConnectionStatus,
    Here,
    ItemList,
    Job,
    Kit,
    LiveList,
    LiveRegion,
    LiveText,
    Log,
    LogTail,
    Outcome,
    PresenceList,
    ProgressBar,
    Publication,
    Region,
    SessionGuard,
    Spark,
    Sparkline,
    Synced,
    SyncedInput,
    SyncedToggle,
    TabCount,
    Text,
    ToastStack,
    TokenStream,
    setup_sse,
    this_tab,
)
from sse_components.components.log_tail import LogLine
from sse_components.presence import Person
from tests.support.rendering import rendering

pytestmark = pytest.mark.anyio


async def test_handles_of_live_content() -> None:
    async with Kit() as sse:
        assert_type(sse.text("cpu", interval=0.5, channel="machine"), Text)
        assert_type(sse.text("cpu").set(7, exclude=this_tab()), Publication)
        todos, done = sse.list("todos", channel="board"), sse.list("done")
        assert_type(todos, ItemList)
        item = Li("milk", id="milk")
        for change in (todos.append(item), todos.prepend(item), todos.insert(item, key=1), todos.update(item, key=2)):
            assert_type(change, Publication)
        assert_type(await todos.move(item, to=done, exclude=[this_tab()]), str)
        assert_type(todos.remove("milk").result(), str)
        assert_type(todos.clear(), Publication)

        @sse.region("board", channel="board", interval=0.2)
        def board() -> str:
            return "board"

        assert_type(board, Region)
        assert_type(board.refresh(exclude=None), Publication)
        assert_type(sse.synced("title", channel="titles"), Synced)
        assert_type(sse.synced("title").set(True), Publication)
        assert_type(sse.toast("Saved", level="success", timeout=None), Publication)


async def test_handles_that_hold_data() -> None:
    async with Kit() as sse:
        log = sse.log("build", channel="logs", max_lines=100, interval=0.2)
        assert_type(log, Log)
        assert_type(log.write("one", "two", level="error"), Publication)
        assert_type(log.lines, list[LogLine])
        logging.Logger("tests").addHandler(log.handler(logging.INFO))
        spark = sse.sparkline("load", label="Load", length=10, unit=" %", low=0, high=1, width=80, latest=False)
        assert_type(spark, Spark)
        assert_type(spark.push(0.5, None), Publication)
        assert_type(sse.here, Here)
        assert_type(sse.here.people("board"), list[Person])
        assert_type(sse.here.tabs(), int)
        sse.forget(log)
        assert_type(sse.handle(Log, "build"), Log)


async def test_jobs_and_answers() -> None:
    async def model() -> AsyncIterator[str]:
        yield "Hello"

    async with Kit() as sse:
        async with sse.job("export", total=2, title="July", channel="jobs", reason=str) as job:
            assert_type(job, Job)
            assert_type(job.step(message="row 1"), Publication)
            assert_type(job.update(2, total=2), Publication)
            async for number in job.each([1, 2]):
                assert_type(number, int)
            assert_type((job.part, job.left), tuple[float | None, float | None])
        assert_type(sse.job("export").cancel(), Outcome[bool])
        assert_type(await sse.job("export").cancel(), bool)
        async with sse.tokens("answer", channel="answers", reason=repr) as answer:
            assert_type(answer, Answer)
            assert_type(answer.write("Hi"), Publication)
        assert_type(await sse.tokens("answer").stream(model()), str)
        assert_type(sse.tokens("answer").stop(), Outcome[bool])


async def test_a_publication_is_awaitable_and_has_a_result() -> None:
    async with Kit() as sse:
        assert_type(sse.publish("news", "a"), Publication)
        assert_type(await asyncio.create_task(sse.text("cpu").set(1)), str)
        assert_type(await asyncio.wait_for(sse.list("a").clear(), 1), str)
        assert_type(await asyncio.gather(sse.list("a").clear(), sse.revoke(channel="a")), tuple[str, int])


async def test_components_take_handles_and_ids() -> None:
    sse = setup_sse(FastHTML(secret_key="tests"))
    assert_type(sse, Kit)
    with rendering() as page:
        page.manager = sse
        board = sse.region("board")(lambda: P("board"))
        parts = [
            SSE(channels="news"),
            ConnectionStatus(),
            ConnectionStats(interval=0.5),
            LiveText("0 %", id="cpu"),
            LiveText("0 %", id=sse.text("cpu")),
            LiveList(Li("milk", id="milk"), id=sse.list("todos")),
            LiveRegion(board),
            LogTail("build"),
            LogTail(sse.log("build")),
            Sparkline("load", label="Load"),
            Sparkline(sse.sparkline("load")),
            Sparkline([1, 2.5, None], id="values", label="Values"),
            ProgressBar("export", "Export"),
            ProgressBar(sse.job("export")),
            TokenStream("answer"),
            TokenStream(sse.tokens("answer"), P("Ask me")),
            SyncedInput("title", id=sse.synced("title"), scope="server"),
            SyncedToggle("Lamp", name="lamp", id="lamp", scope="server"),
            TabCount(),
            TabCount(sse.here, "board"),
            PresenceList(room="board"),
            ToastStack(limit=3),
            SessionGuard(user="ann"),
        ]
        assert all(parts)
