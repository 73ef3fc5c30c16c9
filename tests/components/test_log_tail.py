from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from typing import Any

import pytest
from fasthtml.common import Div, Safe, to_xml

from sse_components import Kit, LogTail, MarkupError, NotRunning
from sse_components.components.log_tail import Log, LogLine, level_of
from tests.support.rendering import rendering
from tests.support.serving import until

pytestmark = pytest.mark.anyio


class Sent:
    """What has been published on a channel since this was made."""

    def __init__(self, sse: Kit, channel: str) -> None:
        self.sse, self.channel, self.cursor = sse, channel, sse.backend.cursor

    @property
    def frames(self) -> list[str]:
        return [event.frame.decode() for event in self.sse.backend.since([self.channel], self.cursor)]

    async def lines(self, count: int) -> str:
        """Return all frames, when they bring so many lines."""
        await until(lambda: "".join(self.frames).count("sse-log-line") == count)
        return "".join(self.frames)


async def test_lines_of_one_tick_are_sent_in_one_message(sse: Kit) -> None:
    log, sent = sse.log("build", interval=0.02), Sent(sse, "build")
    await log.write("one", "two\nthree\r\nfour\n")
    await log.write("five", level="error")
    html = await sent.lines(5)
    assert len(sent.frames) == 1
    assert 'hx-swap-oob="beforeend:#build-lines"' in html
    assert '<div data-level="error" class="sse-log-line"><b>error</b><bdi>five</bdi></div>' in html
    assert [line.text for line in log.lines] == ["one", "two", "three", "four", "five"]
    await log.write("six")
    await sent.lines(6)
    assert len(sent.frames) == 2


async def test_of_a_burst_only_the_visible_lines_are_sent_without_blocking_the_loop(sse: Kit) -> None:
    log, sent, turns = sse.log("build", max_lines=10, interval=0.02), Sent(sse, "build"), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    for number in range(20_000):
        await log.write(str(number))
    beside.cancel()
    await until(lambda: "<bdi>19999</bdi>" in "".join(sent.frames))
    assert turns >= 2
    assert max(frame.count("sse-log-line") for frame in sent.frames) <= 10
    assert [line.text for line in log.lines] == [str(number) for number in range(19_990, 20_000)]


async def test_a_page_shows_the_remembered_lines_in_the_elements_that_messages_replace(sse: Kit) -> None:
    log, sent = sse.log("build", interval=0.02), Sent(sse, "build")
    await log.write("one")
    with rendering():
        page = to_xml(LogTail(log))
    await sent.lines(1)
    await log.write("two")
    with rendering():
        later = to_xml(LogTail(log))
    html = await sent.lines(2)
    first, second = re.findall(r'id="build-\w+-\d+"', later)
    assert first in page
    assert second not in page
    assert first in later
    assert second in later
    assert first in html
    assert second in html


async def test_long_lines_are_bounded_and_so_are_messages(sse: Kit) -> None:
    log, sent = sse.log("build", interval=0.02), Sent(sse, "build")
    await log.write(*['"' * 1_000_000] * 30)
    html = await sent.lines(30)
    assert log.lines[0] == LogLine('"' * 10_000, "info", 990_000, 1)
    assert "… 999,500 more characters" in html
    assert "… 990,000 more characters are left out" in html
    assert len(sent.frames) == 3
    assert max(map(len, sent.frames)) < sse.max_message_bytes


async def test_control_characters_and_surrogates_are_made_visible(sse: Kit) -> None:
    log, sent = sse.log("build", interval=0.02), Sent(sse, "build")
    await log.write("\x1b[1;31mred\x1b[0m \x00\x1b\x7f\t\udc80 <b>&</b>")
    assert "<bdi>red ␀␛␡\t? &lt;b&gt;&amp;&lt;/b&gt;</bdi>" in await sent.lines(1)


async def test_logging_goes_to_the_log_from_any_thread(sse: Kit) -> None:
    log, sent = sse.log("app", interval=0.02), Sent(sse, "app")
    logger = logging.Logger("tests")
    logger.addHandler(log.handler(logging.INFO))

    def work() -> None:
        logger.debug("left out")
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("it failed: %s", "<i>")

    await asyncio.gather(*[asyncio.to_thread(work) for _ in range(20)])
    html = await sent.lines(20)
    assert html.count("<b>error</b><bdi>it failed: &lt;i&gt;\ndata: Traceback (most recent call last):") == 20


async def test_lines_before_start_up_and_after_shutdown_are_remembered() -> None:
    manager = Kit()
    manager.start_with_application()
    log = manager.log("app", interval=0.02)
    handler = log.handler()
    handler.handle(logging.makeLogRecord({"msg": "early", "levelno": logging.INFO}))
    with pytest.raises(NotRunning, match="the manager does not run"):
        await asyncio.to_thread(log.write, "no")
    async with manager:
        sent = Sent(manager, "app")
        await log.write("now")
        assert "early" in await sent.lines(2)
        await log.write("last")
    handler.handle(logging.makeLogRecord({"msg": "late", "levelno": logging.CRITICAL}))
    assert [(line.text, line.level) for line in log.lines] == [
        ("early", "info"),
        ("now", "info"),
        ("last", "info"),
        ("late", "critical"),
    ]


async def test_a_record_that_fails_to_format_is_passed_to_handle_error(
    sse: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    sse.log("app").handler().handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    assert "--- Logging error ---" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "level"), [(0, "debug"), (10, "debug"), (25, "info"), (30, "warning"), (40, "error"), (99, "critical")]
)
def test_logging_levels_map_to_the_levels_of_the_log(number: int, level: str) -> None:
    assert level_of(number) == level


async def test_an_id_always_returns_the_same_log(sse: Kit) -> None:
    assert sse.log("build", max_lines=3) is sse.log("build")
    assert sse.log("build") is not sse.log("other")
    assert sse.log("build").max_lines == 3


@pytest.mark.usefixtures("rendered_page")
def test_lines_may_be_texts_pairs_and_elements() -> None:
    html = to_xml(LogTail("<b>", ("bad", "error"), Div("mine"), id="log", cls="wide", title="a log"), indent=False)
    assert '<div data-level="info" class="sse-log-line"><b>info</b><bdi>&lt;b&gt;</bdi></div>' in html
    assert '<div data-level="error" class="sse-log-line"><b>error</b><bdi>bad</bdi></div><div>mine</div>' in html
    assert 'class="sse-log-tail wide"' in html
    assert 'title="a log"' in html
    assert 'data-sse-log-tail="500"' in html


@pytest.mark.usefixtures("rendered_page")
def test_the_parts_of_a_log_have_accessible_names() -> None:
    html = to_xml(LogTail(id="log", label="Build"), indent=False)
    assert 'role="log" tabindex="0" aria-label="Build"' in html
    assert 'aria-label="Filter lines by text"' in html
    assert 'aria-label="Filter lines by level"' in html
    assert "Filter" not in to_xml(LogTail(id="log", filter=False))


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("lines", "options", "error", "message"),
    [
        ([], {}, MarkupError, "LogTail needs an id of letters, digits, - and _ to be updated by, not None"),
        ([], {"id": "a:b"}, MarkupError, "LogTail needs an id"),
        (
            [("a", "bad")],
            {"id": "log"},
            MarkupError,
            "unknown level 'bad'; allowed are: debug, info, ",
        ),
        ([], {"id": "log", "max_lines": -1}, ValueError, "max_lines must be a whole number of at least 1, not -1"),
    ],
)
def test_invalid_options_of_a_log_tail_are_refused(
    lines: list[Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        LogTail(*lines, **options)
    assert str(caught.value).startswith(message)


async def test_invalid_options_of_a_log_are_refused(sse: Kit) -> None:
    with pytest.raises(MarkupError, match="unknown level 'loud'"):
        await sse.log("build").write("a", level="loud")
    with pytest.raises(MarkupError, match="a log needs an id"):
        sse.log("a b")
    with pytest.raises(ValueError, match="max_lines must be a whole number of at least 1, not 0"):
        Log(sse, "build", max_lines=0)
    assert sse.log("build").lines == []


@pytest.mark.usefixtures("rendered_page")
def test_only_marked_html_is_not_escaped() -> None:
    assert "<i>mine</i>" in to_xml(LogTail(Safe("<i>mine</i>"), id="log"))


async def test_a_log_is_published_inside_a_transaction(sse: Kit) -> None:
    sent, db = Sent(sse, "build"), sqlite3.connect(":memory:", isolation_level=None)
    async with sse.after_commit(db):
        sse.log("build", interval=0.01).write("going on")
        await sent.lines(1)
    db.close()


async def test_write_works_without_await_and_keeps_the_order_of_threads(sse: Kit) -> None:
    log = sse.log("build", interval=0.01)

    def work(name: str) -> None:
        for number in range(100):
            log.write(f"{name} {number}")

    log.write("first")
    await asyncio.gather(*[asyncio.to_thread(work, name) for name in "ab"])
    texts = [line.text for line in log.lines]
    assert texts[0] == "first"
    for name in "ab":
        assert [text for text in texts if text.startswith(name)] == [f"{name} {number}" for number in range(100)]
