"""A stream: heartbeats, time-outs, errors, and what happens when its client leaves."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from sse_components.generators.progress import create_progress_stream
from sse_components.generators.streams import SSEStream, StreamConfig, sse_generator, stream_updates
from sse_components.generators.throttle import create_throttled_stream
from tests.support.patience import patient
from tests.support.streams import (
    CLOSED,
    CONNECTED,
    HEARTBEAT,
    QUIET,
    SWIFT,
    Source,
    collect,
    error_of,
    fails,
    first_data,
)

pytestmark = pytest.mark.anyio


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
    assert [found for found in gc.get_objects() if isinstance(found, asyncio.Queue)] == []


# ---------------------------------------------------------------------- errors


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


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, "1"])
@pytest.mark.parametrize(("name", "range"), [("heartbeat_interval", "above 0"), ("timeout", "of at least 0")])
def test_bad_times_are_refused_with_their_name(name: str, range: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number {range}, not "):
        StreamConfig(**{name: value})


async def test_a_timeout_of_0_is_no_limit() -> None:
    assert await collect(SSEStream(StreamConfig(timeout=0)).stream(["a"])) == [CONNECTED, "data: a\n\n", CLOSED]


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
        create_progress_stream("a", dict, interval=-1)
    with pytest.raises(ValueError, match="min_interval must be"):
        create_throttled_stream([], min_interval=-1)
    with pytest.raises(ValueError, match=r"write max_buffer=1 to keep the latest one only$"):
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
