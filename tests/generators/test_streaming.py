from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import logging
import math
import socket
import threading
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from fasthtml.common import Div, EventStream, FastHTML, NotStr, P, Safe, sse_message
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from sse_components.delivery.connection import ConnectionQueue
from sse_components.errors import WireError
from sse_components.events.wire import Frame, encode
from sse_components.generators.endpoint import create_sse_endpoint
from sse_components.generators.progress import create_progress_stream
from sse_components.generators.sources import frame
from sse_components.generators.streams import SSEStream, StreamConfig, sse_generator, stream_updates
from sse_components.generators.throttle import create_throttled_stream
from sse_components.html.oob import OOBStreamBuilder, oob
from tests.support.patience import patient

pytestmark = pytest.mark.anyio

CONNECTED, CLOSED, HEARTBEAT = ": Connected\n\n", ": Connection closed\n\n", ": heartbeat\n\n"
QUIET = StreamConfig(send_initial_message=False, send_close_message=False)
# Seconds: a short heartbeat or time-out, and a distance between items that can be told from none.
SWIFT, PACE = 0.01, 0.02


@pytest.fixture(scope="module", autouse=True)
def swift_collections() -> Iterator[None]:
    """Let `gc.collect()` look at what the tests make, and not at all that is imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
async def tidy(anyio_backend: str, caplog: pytest.LogCaptureFixture) -> AsyncGenerator[None, None]:
    """Let no task outlive its test, and asyncio find nothing to complain of."""
    yield
    gc.collect()
    names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    assert {name for name in names if not name.startswith("TestRunner.")} == set()
    assert [one.getMessage() for one in caplog.get_records("call") if one.name == "asyncio"] == []


class Source:
    """An async generator that counts what it has yielded, waits where told to, and tells when it has been closed."""

    def __init__(self, *items: Any) -> None:
        self.items, self.produced = items, 0
        self.waits, self.closed = asyncio.Event(), asyncio.Event()

    async def __call__(self, *, then_wait: bool = True) -> AsyncGenerator[Any, None]:
        try:
            for item in self.items:
                self.produced += 1
                yield item
            if then_wait:
                self.waits.set()
                await asyncio.Event().wait()
        finally:
            # Cleaning up may take its time, and must not be cut short.
            for _ in range(3):
                await asyncio.sleep(0)
            self.closed.set()


async def numbers(count: int = 3) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


async def collect(stream: AsyncIterator[str]) -> list[str]:
    return [text async for text in stream]


async def first_data(stream: AsyncIterator[str]) -> str:
    """Return the first frame that is no comment."""
    async for text in stream:
        if not text.startswith(":"):
            return text
    raise AssertionError("the stream has ended")


def error_of(frames: list[str]) -> dict[str, str]:
    """Return what the one error event among the frames says."""
    [found] = [text for text in frames if text.startswith("event: sse:error\ndata: ")]
    said: dict[str, str] = json.loads(found.partition("data: ")[2])
    return said


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
        (datetime.min, TypeError),
        ({1, 2}, TypeError),
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


class Countdown:
    """An async iterator that is no generator, and cannot be closed."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __aiter__(self) -> Countdown:
        return self

    async def __anext__(self) -> int:
        if not self.count:
            raise StopAsyncIteration
        self.count -= 1
        return self.count


def called(count: int) -> Callable[[], int]:
    iterator = iter(range(count))
    return lambda: next(iterator)


def awaited(count: int) -> Callable[[], Any]:
    iterator = iter(range(count))

    async def poll() -> int:
        for number in iterator:
            return number
        raise StopAsyncIteration

    return poll


def queued(count: int) -> asyncio.Queue[Any]:
    queue = ConnectionQueue()
    for number in range(count):
        queue.put_nowait(number)
    queue.close()
    return queue


SOURCES: dict[str, Callable[[int], Any]] = {
    "async generator": numbers,
    "list": lambda count: list(range(count)),
    "callable": called,
    "iterator": lambda count: iter(range(count)),
    "async callable": awaited,
    "queue": queued,
}


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
    poll = awaited(2)
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


# ---------------------------------------------------------------------- heartbeats, time-out, stop


async def test_a_heartbeat_disturbs_no_source() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def slow() -> AsyncGenerator[int, None]:
        for number, gate in enumerate(gates):
            await gate.wait()
            yield number

    seen = []
    stream = SSEStream(StreamConfig(heartbeat_interval=SWIFT, send_close_message=False)).stream(slow())
    assert await anext(stream) == CONNECTED
    for gate in gates:
        assert [await anext(stream), await anext(stream)] == [HEARTBEAT, HEARTBEAT]
        gate.set()
        seen.append(await first_data(stream))
    assert seen == [f"data: {number}\n\n" for number in range(5)]
    assert await collect(stream) == []


async def test_heartbeats_go_on_while_a_transform_works() -> None:
    gate = asyncio.Event()

    async def transform(number: int) -> int:
        await gate.wait()
        return number

    stream = sse_generator([7], heartbeat=SWIFT, transform=transform)
    assert [await anext(stream) for _ in range(3)] == [CONNECTED, HEARTBEAT, HEARTBEAT]
    gate.set()
    assert await first_data(stream) == "data: 7\n\n"
    assert await collect(stream) == [CLOSED]


async def test_the_time_out_ends_a_silent_stream() -> None:
    source = Source("a")
    time_out = patient(0.1)  # for the first item to come, too
    assert await collect(SSEStream(StreamConfig(timeout=time_out)).stream(source())) == [
        CONNECTED,
        "data: a\n\n",
        CLOSED,
    ]
    assert source.closed.is_set()


async def test_the_time_out_ends_a_stream_that_never_rests() -> None:
    async def restless() -> AsyncGenerator[int, None]:
        while True:
            yield 1

    assert (await collect(SSEStream(StreamConfig(timeout=SWIFT)).stream(restless())))[-1] == CLOSED


async def test_messages_can_be_chosen_and_left_out() -> None:
    config = StreamConfig(initial_message="hello", close_message="")
    assert await collect(SSEStream(config).stream([])) == [": hello\n\n", ":\n\n"]
    assert await collect(SSEStream(QUIET).stream([])) == []


@pytest.mark.parametrize("where", ["loop", "thread"])
async def test_stop_ends_silent_streams(where: str) -> None:
    handler, sources = SSEStream(StreamConfig(send_initial_message=False)), [Source("a"), Source("b")]
    streams = [handler.stream(source()) for source in sources]
    assert [await anext(stream) for stream in streams] == ["data: a\n\n", "data: b\n\n"]
    rests = [asyncio.create_task(collect(stream)) for stream in streams]
    for source in sources:
        await source.waits.wait()
    if where == "thread":
        await asyncio.to_thread(handler.stop)
    else:
        handler.stop()
    assert await asyncio.gather(*rests) == [[CLOSED], [CLOSED]]
    assert all(source.closed.is_set() for source in sources)


async def test_stop_ends_what_has_not_begun_and_nothing_later() -> None:
    handler = SSEStream()
    stream = handler.stream(Source()())
    handler.stop()
    assert await collect(stream) == [CONNECTED, CLOSED]
    assert await collect(handler.stream([1])) == [CONNECTED, "data: 1\n\n", CLOSED]


async def test_a_stream_that_has_ended_is_forgotten() -> None:
    handler = SSEStream(StreamConfig(timeout=600))
    assert await collect(handler.stream([1])) == [CONNECTED, "data: 1\n\n", CLOSED]
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, asyncio.Queue)] == []


# ---------------------------------------------------------------------- errors


async def fails() -> AsyncGenerator[str, None]:
    yield "before"
    raise RuntimeError("the password is 1234")


def divide(by: int = 0) -> float:
    return 1 / by


@pytest.mark.parametrize(
    ("source", "transform", "kind"),
    [
        (fails, None, RuntimeError),
        (lambda: [0], divide, ZeroDivisionError),
        (lambda: divide, None, ZeroDivisionError),
        (lambda: (divide(by) for by in [0]), None, ZeroDivisionError),
        (lambda: [object()], None, TypeError),
    ],
)
async def test_an_exception_reaches_the_log_and_the_client(
    source: Callable[[], Any], transform: Any, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    frames = await collect(sse_generator(source(), transform=transform))
    said = error_of(frames)
    assert frames[-1] == CLOSED
    assert said["error"] == "the stream failed; the server's log has the cause"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sse_components", logging.ERROR)
    assert said["id"] in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is kind
    assert record.exc_info[2] is not None


async def test_debug_tells_the_client_what_was_raised(caplog: pytest.LogCaptureFixture) -> None:
    frames = await collect(SSEStream(StreamConfig(debug=True)).stream(fails()))
    assert frames[:2] == [CONNECTED, "data: before\n\n"]
    assert error_of(frames)["error"] == "RuntimeError: the password is 1234"


class Records(logging.Handler):
    """Keeps the records of the kit's logger, and from the root's, where pytest takes them for its report."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        logger = logging.getLogger("sse_components")
        patch.setattr(logger, "handlers", [self])
        patch.setattr(logger, "propagate", False)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


async def test_an_exception_with_text_that_is_no_unicode_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("\udcff")

    log = Records(monkeypatch)  # a report with such a text cannot be sent on, as xdist does
    frames = await collect(SSEStream(StreamConfig(debug=True)).stream(fail))
    assert error_of(frames)["error"] == "OSError: \udcff"
    [record] = log.records
    assert record.exc_info
    assert str(record.exc_info[1]) == "\udcff"


async def test_a_source_that_awaits_what_was_cancelled_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    job = asyncio.create_task(asyncio.Event().wait())

    async def follows() -> AsyncGenerator[Any, None]:
        yield await job

    job.cancel()
    assert error_of(await collect(sse_generator(follows())))["id"] in caplog.text


async def test_two_readers_of_one_generator_are_told(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("a")
    generator = source()
    async with aclosing(sse_generator(generator)) as stream:
        assert await first_data(stream) == "data: a\n\n"
        waiting = asyncio.create_task(first_data(stream))
        await source.waits.wait()
        assert "id" in error_of(await collect(sse_generator(generator)))
        waiting.cancel()
        await asyncio.wait({waiting})


# ---------------------------------------------------------------------- leaving


async def test_leaving_closes_the_source_at_a_yield() -> None:
    source = Source("a", "b")
    stream = sse_generator(source())
    assert await first_data(stream) == "data: a\n\n"
    await stream.aclose()
    assert source.closed.is_set()


async def test_leaving_closes_a_source_that_waits() -> None:
    source = Source()
    stream = sse_generator(source(), heartbeat=SWIFT)
    assert [await anext(stream), await anext(stream)] == [CONNECTED, HEARTBEAT]
    assert source.waits.is_set()
    await stream.aclose()
    assert source.closed.is_set()


async def test_leaving_before_the_first_item_closes_a_source_that_had_begun() -> None:
    source = Source("a", "b", "c")
    generator = source()
    assert await anext(generator) == "a"
    stream = sse_generator(generator)
    assert await anext(stream) == CONNECTED
    await stream.aclose()
    assert source.closed.is_set()


async def test_cancelling_the_reader_closes_the_source() -> None:
    source = Source("a")
    reader = asyncio.create_task(collect(sse_generator(source())))
    await source.waits.wait()
    reader.cancel()
    await asyncio.wait({reader})
    assert reader.cancelled()
    assert source.closed.is_set()


async def test_a_cancel_scope_lets_the_source_clean_up() -> None:
    source = Source("a")
    async with anyio.create_task_group() as group:
        group.start_soon(collect, sse_generator(source()))
        await source.waits.wait()
        group.cancel_scope.cancel()
    assert source.closed.is_set()


async def test_a_source_that_swallows_its_cancellation_is_closed_all_the_same() -> None:
    closed = asyncio.Event()

    async def stubborn() -> AsyncGenerator[str, None]:
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    yield "still here"
        finally:
            closed.set()

    stream = sse_generator(stubborn(), heartbeat=SWIFT)
    assert [await anext(stream), await anext(stream)] == [CONNECTED, HEARTBEAT]
    await stream.aclose()
    assert closed.is_set()


async def test_what_is_raised_while_a_source_is_closed_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def sour() -> AsyncGenerator[str, None]:
        try:
            yield "a"
        finally:
            raise RuntimeError("no")

    stream = sse_generator(sour())
    await first_data(stream)
    await stream.aclose()
    [record] = caplog.records
    assert record.getMessage() == "the source of a stream failed while it was closed"
    assert record.exc_info


async def test_a_plain_generator_is_closed_when_its_step_has_ended() -> None:
    entered, gate, closed = threading.Event(), threading.Event(), threading.Event()

    def blocks() -> Generator[str, None, None]:
        try:
            yield "a"
            entered.set()
            gate.wait()
            yield "b"
        finally:
            closed.set()

    stream = sse_generator(blocks())
    assert await first_data(stream) == "data: a\n\n"
    reader = asyncio.create_task(collect(stream))
    await asyncio.to_thread(entered.wait)
    reader.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not closed.is_set()
    gate.set()
    await asyncio.wait({reader})
    assert closed.is_set()


async def test_an_error_in_the_last_step_of_a_thread_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    entered, gate = threading.Event(), threading.Event()

    def poll() -> None:
        entered.set()
        gate.wait()
        raise RuntimeError("too late")

    reader = asyncio.create_task(collect(sse_generator(poll)))
    await asyncio.to_thread(entered.wait)
    reader.cancel()
    gate.set()
    await asyncio.wait({reader})
    assert "too late" in caplog.text


# ---------------------------------------------------------------------- settings, queues


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "1"])
@pytest.mark.parametrize("name", ["heartbeat_interval", "timeout"])
def test_bad_times_are_refused_with_their_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number above 0, not "):
        StreamConfig(**{name: value})


@pytest.mark.parametrize("name", ["initial_message", "close_message"])
@pytest.mark.parametrize("value", ["two\nlines", None])
def test_a_message_is_one_line(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="comment"):
        StreamConfig(**{name: value})


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="interval must be a number of at least 0, not -1"):
        sse_generator([], interval=-1)
    with pytest.raises(ValueError, match="heartbeat must be"):
        sse_generator([], heartbeat=0)
    with pytest.raises(ValueError, match="interval must be"):
        create_progress_stream("a", dict, interval=0)
    with pytest.raises(ValueError, match="min_interval must be"):
        create_throttled_stream([], min_interval=-1)
    with pytest.raises(ValueError, match="max_buffer must be at least 1, not 0"):
        create_throttled_stream([], max_buffer=0)


async def test_stream_updates_follows_a_queue_and_takes_only_what_it_sends() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in range(5):
        queue.put_nowait(number)
    stream = stream_updates(queue, lambda number: {"n": number}, StreamConfig(initial_message="hi"))
    assert [await anext(stream) for _ in range(3)] == [": hi\n\n", 'data: {"n": 0}\n\n', 'data: {"n": 1}\n\n']
    await stream.aclose()
    assert queue.qsize() == 3


async def test_leaving_stream_updates_loses_nothing_of_the_queue() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    stream = stream_updates(queue, config=StreamConfig(heartbeat_interval=SWIFT))
    assert [await anext(stream), await anext(stream)] == [CONNECTED, HEARTBEAT]
    await stream.aclose()
    queue.put_nowait(1)
    assert queue.qsize() == 1


# ---------------------------------------------------------------------- throttling


async def test_a_throttled_stream_keeps_order_and_distance() -> None:
    seen, times = [], []
    async for item in create_throttled_stream(numbers(5), PACE, max_buffer=5):
        seen.append(item)
        times.append(asyncio.get_running_loop().time())
    assert seen == [0, 1, 2, 3, 4]
    assert all(later - sooner > 0.99 * PACE for sooner, later in pairwise(times))


async def test_a_full_buffer_drops_the_oldest_keeps_the_latest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []
    finished = asyncio.Event()

    async def burst() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number
        finished.set()

    stream = create_throttled_stream(burst(), 0, max_buffer=3, on_drop=told.append)
    assert await anext(stream) == 0
    await finished.wait()
    assert [item async for item in stream] == [97, 98, 99]
    assert told == list(range(1, 97))
    assert "dropped 96 items" in caplog.text


async def test_a_throttled_source_that_fails_does_so_after_what_waits() -> None:
    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise RuntimeError("broken")

    stream = create_throttled_stream(breaks(), PACE)
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken"):
        await anext(stream)


async def test_leaving_a_throttled_stream_closes_its_source(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("a", "b", "c")
    async with aclosing(create_throttled_stream(source(), 60)) as stream:
        assert await anext(stream) == "a"
        await source.waits.wait()
    assert source.closed.is_set()
    assert not caplog.records


async def test_a_failure_that_nobody_waited_for_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failing = asyncio.Event()

    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        failing.set()
        raise RuntimeError("broken")

    async with aclosing(create_throttled_stream(breaks(), 60)) as stream:
        assert await anext(stream) == 1
        await failing.wait()
    assert "broken" in caplog.text


async def test_a_throttled_stream_is_a_source() -> None:
    stream = sse_generator(create_throttled_stream(numbers(3), 0))
    assert await collect(stream) == [CONNECTED, "data: 0\n\n", "data: 1\n\n", "data: 2\n\n", CLOSED]


# ---------------------------------------------------------------------- over HTTP


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve `app` with uvicorn on a free port, and yield a client of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", **options))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=patient(60)) as client:
            yield client
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def routed(endpoint: Any, path: str = "/stream", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an endpoint in a FastHTML app."""
    app = FastHTML(secret_key="test")
    app.route(path)(endpoint)
    async with serving(app, **options) as client:
        yield client


async def test_an_endpoint_gets_its_parameters_and_sets_its_headers() -> None:
    async def stream(request, room: str, limit: int = 2) -> AsyncGenerator[Any, None]:  # type: ignore[no-untyped-def]
        yield {"path": request.url.path, "room": room, "limit": limit}

    async with routed(create_sse_endpoint(stream), "/rooms/{room}") as client:
        answer = await client.get("/rooms/blue?limit=5")
    assert answer.text == CONNECTED + 'data: {"path": "/rooms/blue", "room": "blue", "limit": 5}\n\n' + CLOSED
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_an_endpoint_can_be_called_and_keeps_its_name() -> None:
    async def ticks(count: int) -> AsyncGenerator[int, None]:
        yield count

    endpoint = create_sse_endpoint(ticks, "text/event-stream; charset=utf-8")
    assert endpoint.__name__ == "ticks"
    response = await endpoint(count=3)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


async def coroutine() -> Any:
    return numbers(2)


@pytest.mark.parametrize(
    "stream_fn",
    [
        lambda: numbers(2),
        coroutine,
        lambda: range(2),
        lambda: awaited(2),
        lambda: (number for number in range(2)),
        lambda: sse_generator(numbers(2)),
        lambda: SSEStream().stream(numbers(2)),
        lambda: stream_updates(queued(2)),
    ],
)
async def test_a_stream_function_returns_any_source_or_stream(stream_fn: Any) -> None:
    async with routed(create_sse_endpoint(stream_fn)) as client:
        assert (await client.get("/stream")).text == f"{CONNECTED}data: 0\n\ndata: 1\n\n{CLOSED}"


async def test_an_endpoint_sends_frames_as_they_are_and_frames_what_is_none() -> None:
    async def stream() -> AsyncGenerator[Any, None]:
        yield sse_message(P("a"), event="news")
        yield ": a comment\n\n"
        yield b"retry: 10\r\ndata: b\r\n\r\nid: 1\ndata: c\n\n"
        yield encode("d", event="e")
        yield "data: almost\n"
        yield OOBStreamBuilder().add_element(P("f")).build()
        yield P("g")

    async with routed(create_sse_endpoint(stream)) as client:
        text = (await client.get("/stream")).text
    assert text.removeprefix(CONNECTED).removesuffix(CLOSED) == (
        "event: news\ndata: <p>a</p>\n\n"
        ": a comment\n\n"
        "retry: 10\r\ndata: b\r\n\r\nid: 1\ndata: c\n\n"
        "event: e\ndata: d\n\n"
        "data: data: almost\ndata: \n\n"
        "data: <p>f</p>\n\n"
        "data: <p>g</p>\n\n"
    )


async def test_a_stream_function_may_refuse() -> None:
    def stream(mood: str) -> Any:
        if mood == "bad":
            raise HTTPException(403, "not you")
        return PlainTextResponse("later", 503)

    async with routed(create_sse_endpoint(stream)) as client:
        assert (await client.get("/stream?mood=bad")).status_code == 403
        assert (await client.get("/stream?mood=good")).status_code == 503


async def test_head_has_the_headers_and_no_stream() -> None:
    async with routed(create_sse_endpoint(lambda: Source()())) as client:
        assert (await client.head("/stream")).headers["content-type"] == "text/event-stream"


async def test_an_error_ends_the_response_cleanly(caplog: pytest.LogCaptureFixture) -> None:
    async with routed(create_sse_endpoint(fails)) as client:
        text = (await client.get("/stream")).text
    assert text.startswith(CONNECTED + "data: before\n\nevent: sse:error\n")
    assert text.endswith(CLOSED)
    assert "1234" not in text
    assert "1234" in caplog.text


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize(
    "endpoint",
    [
        lambda source: create_sse_endpoint(lambda: source()),
        lambda source: create_sse_endpoint(lambda: sse_generator(source())),
        lambda source: create_sse_endpoint(lambda: create_throttled_stream(source())),
        lambda source: create_progress_stream("job", source),
        # As programs for the reference have it.
        lambda source: lambda: EventStream(sse_generator(source())),
    ],
)
async def test_a_client_that_goes_away_closes_the_source(http: str, endpoint: Any) -> None:
    source = Source("a")
    async with routed(endpoint(source), http=http) as client:
        async with client.stream("GET", "/stream") as answer:
            await lines(answer, "data: a")
            await source.waits.wait()
        await source.closed.wait()


async def test_a_client_that_goes_away_in_mid_flow_closes_the_source() -> None:
    closed = asyncio.Event()

    async def flood() -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "x" * 10_000
        finally:
            await asyncio.sleep(0)
            closed.set()

    async with routed(create_sse_endpoint(flood)) as client:
        async with client.stream("GET", "/stream") as answer:
            await anext(answer.aiter_raw())
        await closed.wait()


async def test_a_response_that_is_cut_off_has_closed_its_source_when_it_returns() -> None:
    source, full = Source("a"), asyncio.Event()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            full.set()
            await asyncio.Event().wait()

    response = await create_sse_endpoint(source)()
    sending = asyncio.create_task(response({"type": "http", "method": "GET"}, receive, send))
    await full.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert source.closed.is_set()


async def lines(answer: httpx.Response, last: str) -> list[str]:
    """Return the lines of an answer up to `last`."""
    seen = []
    async for line in answer.aiter_lines():
        seen.append(line)
        if line == last:
            return seen
    raise AssertionError(f"{last!r} has not come: {seen}")


@pytest.mark.parametrize("kind", SOURCES)
async def test_ten_thousand_items_arrive_in_order_and_memory_stays_flat(kind: str) -> None:
    count, size = 10_000, 1_000

    def stream() -> AsyncGenerator[str, None]:
        return sse_generator(SOURCES[kind](count), interval=0, transform=lambda n: f"{n} {'x' * size}")

    async with routed(create_sse_endpoint(stream)) as client, client.stream("GET", "/stream") as answer:
        expected = 0
        tracemalloc.start()
        try:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    assert line.startswith(f"data: {expected} ")
                    expected += 1
                if expected == count // 10:
                    gc.collect()
                    tracemalloc.reset_peak()
                    settled, _ = tracemalloc.get_traced_memory()
            grown = tracemalloc.get_traced_memory()[1] - settled
        finally:
            tracemalloc.stop()
    assert expected == count
    # Nine million bytes have gone through meanwhile.
    assert grown < 600_000


# ---------------------------------------------------------------------- progress

DONE = 'id: done\nevent: done\ndata: {"job_id": "j1"}\n\n'


async def progress_of(source: Any, **options: Any) -> list[str]:
    """Return what a client of a job's progress gets, without the comments."""
    response = await create_progress_stream("j1", source, 0.001, **options)()
    frames = await collect(response.frames)
    assert [frames[0], frames[-1]] == [CONNECTED, CLOSED]
    return frames[1:-1]


def states(*states: Any) -> Callable[[str], Any]:
    left = iter(states)

    def progress(job_id: str) -> Any:
        assert job_id == "j1"
        return next(left)

    return progress


async def test_progress_sends_changes_and_then_done() -> None:
    frames = await progress_of(states({"progress": 1}, {"progress": 1}, {"progress": 50}, {"progress": 100}, "never"))
    assert frames == ['data: {"progress": 1}\n\n', 'data: {"progress": 50}\n\n', 'data: {"progress": 100}\n\n', DONE]


async def test_a_state_that_is_changed_in_place_is_a_change() -> None:
    state = {"progress": 98}

    def advance() -> dict[str, int]:
        state["progress"] += 1
        return state

    assert await progress_of(advance) == ['data: {"progress": 99}\n\n', 'data: {"progress": 100}\n\n', DONE]


@pytest.mark.parametrize(
    "last",
    [
        {"status": "completed"},
        {"status": "done"},
        {"status": "failed"},
        {"status": "error"},
        {"status": "cancelled"},
        {"progress": 100},
        {"progress": 100.0, "status": "copying"},
        {"progress": 7, "total": 7},
        {"done": True},
    ],
)
async def test_a_last_state_ends_the_stream(last: dict[str, Any]) -> None:
    assert await progress_of(states({"progress": 0}, last)) == ['data: {"progress": 0}\n\n', frame(last), DONE]


@pytest.mark.parametrize(
    "state",
    [{"status": "running"}, {"progress": 100, "total": 700}, {"progress": 100, "done": False}, {"progress": "?"}, 100],
)
async def test_other_states_do_not(state: Any) -> None:
    assert await progress_of(states({"a": 1}, state, {"done": True})) == [
        'data: {"a": 1}\n\n',
        frame(state),
        'data: {"done": true}\n\n',
        DONE,
    ]


async def test_a_job_that_is_gone_is_done() -> None:
    assert await progress_of(states({"progress": 3}, None)) == ['data: {"progress": 3}\n\n', DONE]
    assert await progress_of({}.get) == [DONE]
    assert await progress_of(states()) == [DONE]


async def test_progress_may_be_async_elements_or_a_generator() -> None:
    async def poll() -> Any:
        return Div("finished")

    async def follow(job_id: str) -> AsyncGenerator[Any, None]:
        yield job_id

    assert await progress_of(poll, ended=lambda state: True) == ["data: <div>finished</div>\n\n", DONE]
    assert await progress_of(follow) == ["data: j1\n\n", DONE]


async def test_who_joins_late_sees_the_present_state_first() -> None:
    jobs: dict[str, dict[str, int]] = {"j1": {"progress": 10}}
    endpoint = create_progress_stream("j1", jobs.get, 0.001)
    async with routed(endpoint) as client, client.stream("GET", "/stream") as early:
        assert await lines(early, 'data: {"progress": 10}')
        jobs["j1"] = {"progress": 60}
        async with client.stream("GET", "/stream") as late:
            rest = late.aiter_lines()
            assert [await anext(rest) for _ in range(3)] == [": Connected", "", 'data: {"progress": 60}']
            jobs["j1"] = {"progress": 100}
            assert [line async for line in rest][1:3] == ['data: {"progress": 100}', ""]


async def test_who_comes_back_after_the_end_is_told_to_stay_away() -> None:
    async with routed(create_progress_stream("j1", {}.get)) as client:
        assert (await client.get("/stream", headers={"Last-Event-ID": "done"})).status_code == 204
        assert DONE in (await client.get("/stream", headers={"Last-Event-ID": "something"})).text


async def test_a_progress_source_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such table")

    frames = await progress_of(broken)
    assert error_of(frames)["id"] in caplog.text
    assert DONE not in frames
