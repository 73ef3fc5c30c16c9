"""Each connection gets its events once and in order, and a slow connection does not delay the others."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components import BroadcastManager, EventLog, MemoryBackend
from sse_components.delivery.connection import ConnectionState
from sse_components.delivery.fanout import CHUNK_BYTES, FanOut, resume
from sse_components.delivery.feed import HELD_BYTES, StreamConnection
from sse_components.events.log import Cursor, Event
from tests.support.served import build
from tests.support.serving import GRANIAN, HYPERCORN, UVICORN, Stream, serve_in_thread, serving, until

pytestmark = pytest.mark.anyio

both_modes = pytest.mark.parametrize("steppable", [True, False], ids=["stepped", "in a task"])


class Client:
    """An ASGI `send` as uvicorn has it: it waits while its client does not read, and then writes."""

    def __init__(self) -> None:
        self._reads = asyncio.Event()
        self._reads.set()
        self.breaks = False
        self.sizes: list[int] = []
        self.body = b""
        self.ended = False

    async def send(self, message: Any) -> None:
        await self._reads.wait()
        if self.breaks:
            raise OSError("the connection is broken")
        self.sizes.append(len(message["body"]))
        self.body += message["body"]
        self.ended = not message["more_body"]

    def stall(self) -> None:
        self._reads.clear()

    def go_on(self) -> None:
        self._reads.set()

    @property
    def frames(self) -> list[str]:
        return self.body.decode().split("\n\n")[:-1]

    @property
    def texts(self) -> list[str]:
        """The data of all frames except heartbeats."""
        return [frame.partition("data: ")[2] for frame in self.frames if frame != ":"]


class FanOutRig:
    """A fan-out with its log, and connections that follow it."""

    def __init__(self, *, heartbeat: float = 60.0, held_bytes: int = HELD_BYTES, **log: Any) -> None:
        self.log = EventLog(**log)
        self.backend = MemoryBackend(self.log)
        self.fanout = FanOut(self.backend, held_bytes=held_bytes)
        self.heartbeat = heartbeat
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> FanOutRig:
        await self.backend.open(self.fanout.enqueue)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.fanout.close(lambda: b"", grace=0)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def publish(self, text: str, channel: str = "news", exclude: Iterable[str] = ()) -> Event:
        return self.backend.append(channel, text, exclude_connections=frozenset(exclude))

    def join(
        self,
        id: str = "reader",
        channels: Iterable[str] = ("news",),
        *,
        after: Cursor | None = None,
        steppable: bool = True,
        **options: Any,
    ) -> tuple[StreamConnection, Client]:
        """Let a connection join and catch up, in a task that then waits like the task of a real stream."""
        feed = self.fanout.feed(channels, heartbeat=self.heartbeat, **options)
        connection, client = StreamConnection(id, self.fanout, feed, private_limit=3), Client()
        connection.send_raw, connection.steppable = client.send, steppable
        self.fanout.join(connection, [(feed.channels, after)] if after else ())
        connection.task = asyncio.create_task(self._hold(connection))
        self.tasks.append(connection.task)
        return connection, client

    async def _hold(self, connection: StreamConnection) -> None:
        await self.fanout.catch_up(connection)
        await asyncio.Event().wait()

    async def join_and_wait(self, *args: Any, **options: Any) -> tuple[StreamConnection, Client]:
        """Let a connection join, and wait until it has caught up."""
        connection, client = self.join(*args, **options)
        await until(lambda: not connection.busy)
        return connection, client


# ---------------------------------------------------------------------- order and completeness

CHANNELS = st.sampled_from(["a", "b", "c"])
READER = st.integers(0, 5)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), CHANNELS, st.sets(READER, max_size=2)),
        st.tuples(st.just("join"), st.frozensets(CHANNELS, min_size=1), st.none() | st.integers(0, 6), st.booleans()),
        st.tuples(st.sampled_from(["leave", "stall", "go on", "send private"]), READER),
        st.tuples(st.just("tick")),
    ),
    max_size=50,
)


class Reader:
    """A connection of the property test, with the sequences and texts that it must receive."""

    def __init__(self, connection: StreamConnection, client: Client, expected: list[tuple[int, str]]) -> None:
        self.connection, self.client, self.expected = connection, client, expected
        self.left = False

    def expect(self, event: Event) -> None:
        follows = event.channel in self.connection.feed.channels
        if follows and not self.left and self.connection.connection_id not in event.exclude_connections:
            self.expected.append((event.sequence, str(event.sequence)))


class Scenario:
    """Runs the operations that Hypothesis generates, one after the other."""

    def __init__(self, rig: FanOutRig) -> None:
        self.rig = rig
        self.readers: list[Reader] = []
        self.events: list[Event] = []

    async def publish(self, channel: str, excluded: set[int]) -> None:
        text = str(self.rig.log.sequence + 1)
        event = await self.rig.publish(text, channel, [str(number) for number in excluded])
        self.events.append(event)
        for reader in self.readers:
            reader.expect(event)

    async def join(self, channels: frozenset[str], back: int | None, steppable: bool) -> None:
        here = self.rig.log.cursor
        after = None if back is None else Cursor(here.epoch, max(0, here.sequence - back))
        connection, client = self.rig.join(str(len(self.readers)), channels, after=after, steppable=steppable)
        reader = Reader(connection, client, [])
        for event in self.events[after.sequence :] if after else ():
            reader.expect(event)
        self.readers.append(reader)

    async def leave(self, reader: Reader) -> None:
        self.rig.fanout.leave(reader.connection)
        reader.left = True

    async def stall(self, reader: Reader) -> None:
        reader.client.stall()

    async def go_on(self, reader: Reader) -> None:
        reader.client.go_on()

    async def send_private(self, reader: Reader) -> None:
        text = f"private after {self.rig.log.sequence}"
        if self.rig.fanout.send_private(reader.connection, f"data: {text}\n\n".encode()):
            reader.expected.append((self.rig.log.sequence, text))

    async def tick(self) -> None:
        await asyncio.sleep(0)

    async def do(self, name: str, *args: Any) -> None:
        if isinstance(args[:1] and args[0], int):
            if args[0] >= len(self.readers):
                return
            args = (self.readers[args[0]],)
        await getattr(self, name.replace(" ", "_"))(*args)

    async def run(self, operations: list[tuple[Any, ...]]) -> None:
        for operation in operations:
            await self.do(*operation)
        for reader in self.readers:
            reader.client.go_on()
        await until(lambda: not any(reader.connection.busy for reader in self.readers if not reader.left))
        self.rig.fanout.flush()
        await until(lambda: not any(reader.connection.busy for reader in self.readers if not reader.left))


@given(OPERATIONS, st.sampled_from([1, 200, HELD_BYTES]))
def test_no_event_is_lost_duplicated_or_out_of_order(operations: list[tuple[Any, ...]], held_bytes: int) -> None:
    async def run() -> None:
        async with FanOutRig(held_bytes=held_bytes) as rig:
            scenario = Scenario(rig)
            await scenario.run(operations)
        for reader in scenario.readers:
            expected = [text for _, text in reader.expected]
            got = reader.client.texts
            assert got == (expected[: len(got)] if reader.left else expected)

    asyncio.run(run())


def resumes_after(frame: str) -> int | None:
    """Return the sequence after which a stream resumes, if the frame is a reset event."""
    if "event: sse:reset" not in frame:
        return None
    cursor = Cursor.parse(json.loads(frame.partition("data: ")[2])["cursor"])
    return cursor.sequence if cursor else None


@given(OPERATIONS, st.sampled_from([1, 200, HELD_BYTES]))
def test_a_reset_event_reports_events_that_the_log_has_dropped(
    operations: list[tuple[Any, ...]], held_bytes: int
) -> None:
    async def run() -> None:
        async with FanOutRig(held_bytes=held_bytes, max_events=3) as rig:
            scenario = Scenario(rig)
            await scenario.run([operation for operation in operations if operation[0] != "send private"])
        for reader in scenario.readers:
            expected = list(reader.expected)
            for frame in reader.client.frames:
                if (sequence := resumes_after(frame)) is not None:
                    expected = [(at, text) for at, text in expected if at > sequence]
                elif frame != ":":
                    assert frame.partition("data: ")[2] == expected.pop(0)[1]
            assert expected == [] or reader.left

    asyncio.run(run())


async def test_200_connections_get_500_events_while_others_join_and_leave() -> None:
    async with serve_in_thread(build()) as site:
        streams = await site.streams(200)
        passing: list[Stream] = []

        async def pass_by() -> None:
            while len(streams[0].texts) < 500:
                passing.extend(await site.streams(3))
                await passing[-1].close()
                await passing[-2].reset()

        async with asyncio.TaskGroup() as group:
            group.create_task(pass_by())
            for stream in streams:
                group.create_task(stream.until("499.", 20))
            for burst in (1, 50, 7, 1, 100):
                await site.publish(count=100, burst=burst)
            await site.publish(first=100, count=400, burst=400)
        expected = [f"{number}." for number in [*range(100)] * 5 + [*range(100, 500)]]
        assert all(stream.texts == expected for stream in streams)
        for stream in passing[::3]:
            await stream.until("499.")
            assert stream.texts == expected[-len(stream.texts) :]
    assert len(passing) > 3


@pytest.mark.parametrize("command", [pytest.param(HYPERCORN, id="hypercorn"), pytest.param(GRANIAN, id="granian")])
async def test_servers_whose_streams_are_not_stepped_deliver_the_same(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        streams = await server.streams(50)
        for burst in (1, 50):
            await server.publish(count=100, burst=burst)
        await server.publish(first=100)
        await asyncio.gather(*[stream.until("100.", 20) for stream in streams])
        assert server.trouble == []
    expected = [f"{number}." for number in [*range(100)] * 2 + [100]]
    assert all(stream.texts == expected for stream in streams)


# ---------------------------------------------------------------------- slow readers


async def test_clients_that_do_not_read_cost_little_memory_and_get_reset_events(tmp_path: Path) -> None:
    log = {"max_bytes": 1_000_000}
    async with serving(UVICORN, tmp_path, log=log) as server:
        memory = psutil.Process(server.process.pid).memory_info
        stalled = await server.streams(20, buffer=2**17)
        [good] = await server.streams(1)
        reading = asyncio.create_task(good.until("-2001\n", 20))
        before = memory().rss
        # Twice 20 MB: in small bursts, and then in one tick of the event loop.
        await server.publish(count=1000, size=20_000, burst=10)
        await server.publish(count=1000, size=20_000, burst=1000)
        grown = memory().rss - before
        await server.publish()
        await reading
        await asyncio.gather(*[stream.until("-2001\n", 20) for stream in stalled])
    # The log, and for each client a buffer, a chunk and the events of the last burst; never 40 MB for each.
    assert grown < 60_000_000, f"{grown / 1e6:.0f} MB for 20 clients that do not read"
    for stream in stalled:
        check_gaps_are_reported(stream)


def check_gaps_are_reported(stream: Stream) -> None:
    """Fail unless the ids of a stream are consecutive, except for gaps that a reset event reports."""
    last, resets = 0, 0
    for frame in stream.frames[1:]:
        found = re.match(r"id: \w+-(\d+)\n", frame)
        assert found is not None
        if (sequence := resumes_after(frame)) is not None:
            resets += 1
            last = sequence
        else:
            last += 1
        assert int(found[1]) == last
    assert last == 2001
    assert resets


async def join_stalled(rig: FanOutRig, events: int = 40, size: int = 100_000) -> tuple[StreamConnection, Client]:
    """Let a connection join that has missed large events, and whose client does not read."""
    start = rig.log.cursor
    for number in range(events):
        await rig.publish(f"{number} ".ljust(size, "x"))
    connection, client = rig.join(after=start)
    client.stall()
    await until(lambda: connection.sending > 0)
    return connection, client


def held_events(rig: FanOutRig, until: int) -> int:
    """Count the events of a log up to a sequence that anything still refers to."""
    gc.collect()
    events = [found for found in gc.get_objects() if type(found) is Event]
    return sum(event.id.startswith(rig.log.epoch) and event.sequence <= until for event in events)


async def test_a_client_that_does_not_read_holds_a_part_of_what_it_missed_and_gets_all_of_it() -> None:
    async with FanOutRig(max_bytes=100_000_000) as rig:
        connection, client = await join_stalled(rig)
        assert connection.waiting_bytes <= HELD_BYTES
        client.go_on()
        await until(lambda: not connection.busy)
    assert [text.split()[0] for text in client.texts] == [str(number) for number in range(40)]
    assert max(client.sizes) <= CHUNK_BYTES
    assert (connection.message_count, connection.waiting_bytes) == (40, 0)


async def test_a_client_that_does_not_read_gets_a_reset_where_the_log_has_moved_on_meanwhile() -> None:
    async with FanOutRig(max_bytes=5_000_000) as rig:
        connection, client = await join_stalled(rig)
        joined_at = rig.log.sequence
        for _ in range(60):
            await rig.publish("new ".ljust(100_000, "x"))
        assert held_events(rig, joined_at) <= HELD_BYTES / 100_000 + 1
        client.go_on()
        await until(lambda: not connection.busy)
    resets = [sequence for frame in client.frames if (sequence := resumes_after(frame)) is not None]
    assert resets[0] == joined_at
    assert all(sequence >= joined_at for sequence in resets)
    texts = [text.split()[0] for text in client.texts if not text.startswith("{")]
    assert texts[:3] == ["0", "1", "2"]
    assert len(texts) < 100


async def test_private_messages_that_wait_are_bounded_by_their_bytes() -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait()
        client.stall()
        half = "x" * (HELD_BYTES // 2 + 1)
        # The first is being sent, the second waits, and for the third there is no room.
        assert [connection.offer(text) for text in (half, half, half, "small")] == [True, True, False, True]
        assert HELD_BYTES < connection.waiting_bytes < 2 * HELD_BYTES
        client.go_on()
        await until(lambda: not connection.busy)
        client.stall()
        assert [connection.offer(3 * half) for _ in range(3)] == [True, True, False]


async def test_what_is_held_for_clients_that_do_not_read_is_counted(tmp_path: Path) -> None:
    async with serving(UVICORN, tmp_path, log={"max_bytes": 50_000_000}) as server:
        path = await server.get("/grant?channels=news")
        await server.publish(count=900, size=20_000, burst=10)
        stalled = [await server.open(path, buffer=2**14) for _ in range(3)]
        await asyncio.gather(*[stream.until("sse:open") for stream in stalled])

        async def waiting() -> int:
            return int(json.loads(await server.get("/sse/connections"))["waiting_bytes"])

        async def is_counted() -> bool:
            return 3 * 100_000 < await waiting() <= 3 * HELD_BYTES

        await until(is_counted)
        await asyncio.gather(*[stream.until("899.") for stream in stalled])
        await until(lambda: is_zero(waiting()))
        assert server.trouble == []


async def is_zero(count: Awaitable[int]) -> bool:
    return await count == 0


@both_modes
async def test_a_log_that_begins_again_is_a_gap_for_every_connection(steppable: bool) -> None:
    async with FanOutRig() as rig:
        _, reader = rig.join("reader", steppable=steppable)
        _, stalled = rig.join("stalled", ["news", "other"], steppable=steppable)
        await until(
            lambda: not any(connection.busy for feed in rig.fanout.feeds.values() for connection in feed.connections)
        )
        for number in range(5):
            await rig.publish(f"before {number}")
        await until(lambda: len(reader.texts) == 5 and len(stalled.texts) == 5)
        stalled.stall()
        await rig.publish("last")
        await until(lambda: "last" in reader.texts)
        # The other log has events with the sequences that these connections have seen, and later ones.
        rig.log.begin(Cursor("other", 3), missing=3)
        for number in range(5):
            rig.log.append("news", f"never heard {number}")
        rig.fanout.begin_again()
        stalled.go_on()
        await until(lambda: all(b"sse:reset" in client.body for client in (reader, stalled)))
        await rig.publish("after")
        await until(lambda: reader.texts[-1] == stalled.texts[-1] == "after")
        for client, channels in ((reader, ["news", "sse:broadcast"]), (stalled, ["news", "other", "sse:broadcast"])):
            [reset] = [frame for frame in client.frames if "event: sse:reset" in frame]
            found = json.loads(reset.partition("data: ")[2])
            assert set(found["channels"]) <= set(channels)
            assert "news" in found["channels"]
            assert found["cursor"].startswith("other-")
            assert not any("never" in text for text in client.texts)


async def test_a_connection_catches_up_in_chunks() -> None:
    async with FanOutRig() as rig:
        _, client = await rig.join_and_wait()
        client.stall()
        for number in range(40):
            await rig.publish(f"{number} ".ljust(50_000, "x"))
            await asyncio.sleep(0)
        client.go_on()
        await until(lambda: len(client.texts) == 40)
    assert [text.split()[0] for text in client.texts] == [str(number) for number in range(40)]
    assert max(client.sizes) <= CHUNK_BYTES
    assert len(client.sizes) < 15


async def test_a_large_batch_is_sent_in_chunks() -> None:
    async with FanOutRig(max_bytes=100_000_000) as rig:
        _, client = await rig.join_and_wait()
        for number in range(40):
            await rig.publish(f"{number} ".ljust(50_000, "x"))
        await until(lambda: len(client.texts) == 40)
    assert max(client.sizes) <= CHUNK_BYTES


@both_modes
async def test_publishing_never_waits_for_a_client(steppable: bool) -> None:
    manager = BroadcastManager()
    async with manager:
        connection = StreamConnection("stalled", manager.fanout, manager.fanout.feed(["news"], heartbeat=60))
        client = Client()
        connection.send_raw, connection.steppable = client.send, steppable
        manager.fanout.join(connection)
        await manager.fanout.catch_up(connection)
        client.stall()
        for _ in range(3):
            publishing = manager.publish("news", "text")
            with pytest.raises(StopIteration):
                publishing.send(None)
            await asyncio.sleep(0)
        assert connection.busy
        client.go_on()
        await until(lambda: client.texts == ["text"] * 3)


# ---------------------------------------------------------------------- one connection only


@both_modes
async def test_an_excluded_connection_gets_all_other_events_and_heartbeats(steppable: bool) -> None:
    async with FanOutRig() as rig:
        _, other = await rig.join_and_wait("other", steppable=steppable)
        _, reader = await rig.join_and_wait("reader", steppable=steppable)
        await rig.publish("1")
        await rig.publish("2", exclude=["reader"])
        await rig.publish("3")
        await until(lambda: other.texts == ["1", "2", "3"])
        await until(lambda: reader.texts == ["1", "3"])
        await rig.publish("4", exclude=["reader", "stranger"])
        await until(lambda: other.texts[3:] == ["4"])
        await until(lambda: reader.frames[-1] == ":")
    assert reader.texts == ["1", "3"]


@both_modes
async def test_a_private_event_keeps_its_place_between_published_events(steppable: bool) -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait(steppable=steppable)
        for stalled in (False, True):
            if stalled:
                client.stall()
            await rig.publish("1")
            assert await connection.send("2")
            await rig.publish("3")
            assert connection.offer(b"data: 4\n\n")
            assert connection.offer("5")
            await asyncio.sleep(0)
            await rig.publish("6")
        client.go_on()
        await until(lambda: not connection.busy)
    assert client.texts == list("123456" * 2)
    assert connection.message_count == 12


async def test_a_private_event_keeps_its_place_among_events_larger_than_one_chunk() -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait()
        client.stall()
        for number in range(8):
            await rig.publish(str(number) * 100_000)
            if number in (3, 4):
                connection.offer(f"after {number}")
            await asyncio.sleep(0)
        client.go_on()
        await until(lambda: len(client.texts) == 10)
    assert [text[-1] if text.startswith("a") else text[0] for text in client.texts] == list("0123344567")


async def test_offer_returns_false_when_the_private_queue_is_full() -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait()
        client.stall()
        # One is being sent, and three are in the private queue.
        assert [connection.offer(str(number)) for number in range(6)] == [True] * 4 + [False] * 2
        client.go_on()
        await until(lambda: client.texts == list("0123"))
        rig.fanout.leave(connection)
        assert not connection.offer("6")


async def test_connections_with_the_same_id_each_get_every_event() -> None:
    async with FanOutRig() as rig:
        connection, first = await rig.join_and_wait("same")
        _, second = await rig.join_and_wait("same")
        await rig.publish("1")
        await until(lambda: first.texts == second.texts == ["1"])
        rig.fanout.leave(connection)
        await rig.publish("2")
        await until(lambda: second.texts == ["1", "2"])
    assert first.texts == ["1"]


async def test_messages_are_counted() -> None:
    async with FanOutRig() as rig:
        start = rig.log.cursor
        await rig.join_and_wait("early")
        await rig.publish("1")
        connection, client = rig.join(after=start)
        before = connection.last_activity
        await until(lambda: client.texts == ["1"])
        assert connection.message_count == 1
        await rig.publish("2")
        connection.offer("3")
        await until(lambda: client.texts == ["1", "2", "3"])
    assert connection.message_count == 3
    assert connection.last_activity >= before


# ---------------------------------------------------------------------- heartbeats


@both_modes
async def test_heartbeats_come_when_a_feed_is_idle(steppable: bool) -> None:
    async with FanOutRig(heartbeat=0.1) as rig:
        idle = [(await rig.join_and_wait(str(number), ["idle"], steppable=steppable))[1] for number in range(3)]
        _, stalled = await rig.join_and_wait("stalled", ["idle"], steppable=steppable)
        _, lively = await rig.join_and_wait("lively", steppable=steppable)
        stalled.stall()

        async def heard() -> bool:
            await rig.publish("x")
            return all(len(client.frames) > 5 for client in idle)

        await until(heard)
        stalled.go_on()
        # On a busy machine, a heartbeat may come between two events.
        assert lively.frames.count(":") < 3
        assert all(set(client.frames) == {":"} for client in idle)
        # Only the heartbeat that was being sent when it stalled.
        await until(lambda: len(stalled.frames) > 0)
        assert len(stalled.frames) < 3


async def test_one_timer_sends_the_heartbeats_of_all_feeds_that_are_nearly_due() -> None:
    async with FanOutRig(heartbeat=1) as rig:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        _, first = await rig.join_and_wait("first", ["one"])
        await until(lambda: loop.time() > begin + 0.03)
        _, second = await rig.join_and_wait("second", ["another"])
        await until(lambda: first.frames == [":"])
        assert second.frames == [":"]


# ---------------------------------------------------------------------- the end of a connection


@both_modes
@pytest.mark.parametrize("waiting", [False, True], ids=["at once", "after waiting"])
async def test_a_connection_whose_send_raises_is_removed(steppable: bool, waiting: bool) -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait("broken", steppable=steppable)
        _, other = await rig.join_and_wait("other", steppable=steppable)
        holder = connection.task
        client.breaks = True
        if waiting:
            client.stall()
        await rig.publish("1")
        await asyncio.sleep(0)
        client.go_on()
        await until(lambda: holder is not None and holder.cancelled())
        assert len(rig.fanout) == 1
        assert connection.state is ConnectionState.ERROR
        await rig.publish("2")
        await until(lambda: other.texts == ["1", "2"])


async def test_an_ended_stream_first_gets_the_events_published_before() -> None:
    async with FanOutRig() as rig:
        connection, client = await rig.join_and_wait("idle")
        stalled, slow = await rig.join_and_wait("stalled")
        slow.stall()
        await rig.publish("1")
        await asyncio.sleep(0)
        await rig.publish("2")
        for ending in (connection, stalled):
            rig.fanout.end(ending, b"data: bye\n\n")
            rig.fanout.end(ending, b"data: again\n\n")
            assert not ending.offer("too late")
        await rig.publish("3")
        await until(lambda: client.ended)
        assert not slow.ended
        slow.go_on()
        await until(lambda: slow.ended)
        await until(lambda: all(task.cancelled() for task in rig.tasks))
        assert len(rig.fanout) == 0
        assert rig.fanout.feeds == {}
    assert client.texts == slow.texts == ["1", "2", "bye"]


async def test_close_sends_every_stream_a_last_frame_and_cuts_stalled_ones() -> None:
    async with FanOutRig() as rig:
        before = asyncio.all_tasks()
        numbers = iter(range(100))
        _, idle = await rig.join_and_wait("idle")
        _, task = await rig.join_and_wait("task", steppable=False)
        stalled, cut = await rig.join_and_wait("stalled")
        cut.stall()
        await rig.publish("1")
        await rig.fanout.close(lambda: f"data: bye {next(numbers)}\n\n".encode(), grace=0.1)
        await until(lambda: all(task.cancelled() for task in rig.tasks))
        assert len(rig.fanout) == 0
        late, client = rig.join("late")
        await until(lambda: client.ended)
        assert not late.following
        await until(lambda: asyncio.all_tasks() - before <= {late.task, *rig.tasks})
    assert [idle.texts, task.texts, cut.texts, client.texts] == [["1", "bye 0"], ["1", "bye 1"], [], ["bye 3"]]
    assert not stalled.following


async def test_an_event_that_fails_to_render_is_skipped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def render(event: Event) -> bytes:
        if event.sequence == 2:
            raise RuntimeError("no form for this one")
        return f"data: <{event.sequence}>\n\n".encode()

    async with FanOutRig() as rig:
        _, rendered = await rig.join_and_wait("rendered", render=render)
        _, plain = await rig.join_and_wait("plain")
        for number in range(3):
            await rig.publish(str(number))
        await until(lambda: rendered.texts == ["<1>", "<3>"])
        assert plain.texts == ["0", "1", "2"]
    assert "no form for this one" in caplog.text


async def test_a_stepped_coroutine_resumes_in_a_task_and_is_closed_with_it() -> None:
    event, done = asyncio.Event(), []

    async def wait() -> None:
        try:
            await event.wait()
            await asyncio.sleep(0)
            done.append("went on")
        finally:
            done.append("ended")

    async def go_on() -> None:
        stepped: Any = wait()
        await resume(stepped, stepped.send(None))

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert done == ["ended"]
    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    event.set()
    await task
    assert done == ["ended", "went on", "ended"]
