"""Each connection gets what was published for it, once and in order, and none of them costs another anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components import BroadcastManager, EventLog, MemoryBackend
from sse_components.delivery.connection import ConnectionState
from sse_components.delivery.fanout import CHUNK_BYTES, FanOut, resume
from sse_components.delivery.feed import StreamConnection
from sse_components.events.log import Cursor, Event
from tests.support.served import build
from tests.support.serving import GRANIAN, HYPERCORN, UVICORN, Stream, in_a_thread, serving, until

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
        """What it got beside heartbeats."""
        return [frame.partition("data: ")[2] for frame in self.frames if frame != ":"]


class House:
    """A fan-out over a log, and clients of it."""

    def __init__(self, *, heartbeat: float = 60.0, **log: Any) -> None:
        self.log = EventLog(**log)
        self.backend = MemoryBackend(self.log)
        self.fanout = FanOut(self.backend)
        self.heartbeat = heartbeat
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> House:
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
        """Let a connection join and catch up, in a task that then waits as one that holds a stream."""
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

    async def joined(self, *args: Any, **options: Any) -> tuple[StreamConnection, Client]:
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
        st.tuples(st.sampled_from(["leave", "stall", "go on", "post"]), READER),
        st.tuples(st.just("tick")),
    ),
    max_size=50,
)


class Reader:
    """A connection of the property test, with what it must get: sequences, and texts."""

    def __init__(self, connection: StreamConnection, client: Client, wanted: list[tuple[int, str]]) -> None:
        self.connection, self.client, self.wanted = connection, client, wanted
        self.left = False

    def want(self, event: Event) -> None:
        follows = event.channel in self.connection.feed.channels
        if follows and not self.left and self.connection.connection_id not in event.exclude_connections:
            self.wanted.append((event.sequence, str(event.sequence)))


class Play:
    """Does what Hypothesis says, one operation after the other."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.readers: list[Reader] = []
        self.events: list[Event] = []

    async def publish(self, channel: str, excluded: set[int]) -> None:
        text = str(self.house.log.sequence + 1)
        event = await self.house.publish(text, channel, [str(number) for number in excluded])
        self.events.append(event)
        for reader in self.readers:
            reader.want(event)

    async def join(self, channels: frozenset[str], back: int | None, steppable: bool) -> None:
        here = self.house.log.cursor
        after = None if back is None else Cursor(here.epoch, max(0, here.sequence - back))
        connection, client = self.house.join(str(len(self.readers)), channels, after=after, steppable=steppable)
        reader = Reader(connection, client, [])
        for event in self.events[after.sequence :] if after else ():
            reader.want(event)
        self.readers.append(reader)

    async def leave(self, reader: Reader) -> None:
        self.house.fanout.leave(reader.connection)
        reader.left = True

    async def stall(self, reader: Reader) -> None:
        reader.client.stall()

    async def go_on(self, reader: Reader) -> None:
        reader.client.go_on()

    async def post(self, reader: Reader) -> None:
        text = f"letter after {self.house.log.sequence}"
        if self.house.fanout.send_private(reader.connection, f"data: {text}\n\n".encode()):
            reader.wanted.append((self.house.log.sequence, text))

    async def tick(self) -> None:
        await asyncio.sleep(0)

    async def do(self, name: str, *args: Any) -> None:
        if isinstance(args[:1] and args[0], int):
            if args[0] >= len(self.readers):
                return
            args = (self.readers[args[0]],)
        await getattr(self, name.replace(" ", "_"))(*args)

    async def all(self, operations: list[tuple[Any, ...]]) -> None:
        for operation in operations:
            await self.do(*operation)
        for reader in self.readers:
            reader.client.go_on()
        await until(lambda: not any(one.connection.busy for one in self.readers if not one.left))
        self.house.fanout.flush()
        await until(lambda: not any(one.connection.busy for one in self.readers if not one.left))


@given(OPERATIONS)
def test_nothing_is_missed_doubled_or_out_of_order(operations: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        async with House() as house:
            played = Play(house)
            await played.all(operations)
        for reader in played.readers:
            wanted = [text for _, text in reader.wanted]
            got = reader.client.texts
            assert got == (wanted[: len(got)] if reader.left else wanted)

    asyncio.run(play())


def after_gap(frame: str) -> int | None:
    """Return the sequence from which a stream goes on, if a frame says so."""
    if "event: sse:reset" not in frame:
        return None
    cursor = Cursor.parse(json.loads(frame.partition("data: ")[2])["cursor"])
    return cursor.sequence if cursor else None


@given(OPERATIONS)
def test_what_the_log_no_longer_has_is_told(operations: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        async with House(max_events=3) as house:
            played = Play(house)
            await played.all([one for one in operations if one[0] != "post"])
        for reader in played.readers:
            wanted = list(reader.wanted)
            for frame in reader.client.frames:
                if (sequence := after_gap(frame)) is not None:
                    wanted = [one for one in wanted if one[0] > sequence]
                elif frame != ":":
                    assert frame.partition("data: ")[2] == wanted.pop(0)[1]
            assert wanted == [] or reader.left

    asyncio.run(play())


async def test_200_connections_get_500_events_while_others_join_and_leave() -> None:
    async with in_a_thread(build()) as site:
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
        wanted = [f"{number}." for number in [*range(100)] * 5 + [*range(100, 500)]]
        assert all(stream.texts == wanted for stream in streams)
        for stream in passing[::3]:
            await stream.until("499.")
            assert stream.texts == wanted[-len(stream.texts) :]
    assert len(passing) > 3


@pytest.mark.parametrize("command", [pytest.param(HYPERCORN, id="hypercorn"), pytest.param(GRANIAN, id="granian")])
async def test_servers_that_are_not_stepped_give_the_same(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        streams = await server.streams(50)
        for burst in (1, 50):
            await server.publish(count=100, burst=burst)
        await server.publish(first=100)
        await asyncio.gather(*[stream.until("100.", 20) for stream in streams])
        assert server.trouble == []
    wanted = [f"{number}." for number in [*range(100)] * 2 + [100]]
    assert all(stream.texts == wanted for stream in streams)


# ---------------------------------------------------------------------- slow readers


async def test_clients_that_do_not_read_cost_little_memory_and_hear_what_they_missed(tmp_path: Path) -> None:
    log = {"max_bytes": 1_000_000}
    async with serving(UVICORN, tmp_path, log=log) as server:
        memory = psutil.Process(server.process.pid).memory_info
        deaf = await server.streams(20, buffer=2**17)
        [good] = await server.streams(1)
        reading = asyncio.create_task(good.until("-2001\n", 20))
        before = memory().rss
        # 20 MB: bit by bit, and then in one tick of the loop.
        await server.publish(count=1000, size=20_000, burst=10)
        await server.publish(count=1000, size=20_000, burst=1000)
        grown = memory().rss - before
        await server.publish()
        await reading
        await asyncio.gather(*[stream.until("-2001\n", 20) for stream in deaf])
    # A log, a buffer and a chunk for each, and the events of that one tick: not 40 MB for each of them.
    assert grown < 60_000_000, f"{grown / 1e6:.0f} MB for 20 clients that do not read"
    for stream in deaf:
        check_what_was_missed(stream)


def check_what_was_missed(stream: Stream) -> None:
    """Fail unless a stream's events follow on one another, but for gaps that it was told of."""
    last, resets = 0, 0
    for frame in stream.frames[1:]:
        found = re.match(r"id: \w+-(\d+)\n", frame)
        assert found is not None
        if (sequence := after_gap(frame)) is not None:
            resets += 1
            last = sequence
        else:
            last += 1
        assert int(found[1]) == last
    assert last == 2001
    assert resets


async def test_what_is_in_the_log_is_caught_up_in_parts() -> None:
    async with House() as house:
        _, client = await house.joined()
        client.stall()
        for number in range(40):
            await house.publish(f"{number} ".ljust(50_000, "x"))
            await asyncio.sleep(0)
        client.go_on()
        await until(lambda: len(client.texts) == 40)
    assert [text.split()[0] for text in client.texts] == [str(number) for number in range(40)]
    assert max(client.sizes) <= CHUNK_BYTES
    assert len(client.sizes) < 15


async def test_a_large_batch_goes_out_in_parts_so_that_a_full_buffer_stops_it() -> None:
    async with House(max_bytes=100_000_000) as house:
        _, client = await house.joined()
        for number in range(40):
            await house.publish(f"{number} ".ljust(50_000, "x"))
        await until(lambda: len(client.texts) == 40)
    assert max(client.sizes) <= CHUNK_BYTES


@both_modes
async def test_publishing_never_waits_for_a_client(steppable: bool) -> None:
    manager = BroadcastManager()
    async with manager:
        connection = StreamConnection("deaf", manager.fanout, manager.fanout.feed(["news"], heartbeat=60))
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
async def test_an_excluded_connection_gets_the_rest_and_never_falls_silent(steppable: bool) -> None:
    async with House() as house:
        _, other = await house.joined("other", steppable=steppable)
        _, reader = await house.joined("reader", steppable=steppable)
        await house.publish("1")
        await house.publish("2", exclude=["reader"])
        await house.publish("3")
        await until(lambda: other.texts == ["1", "2", "3"])
        await until(lambda: reader.texts == ["1", "3"])
        await house.publish("4", exclude=["reader", "stranger"])
        await until(lambda: other.texts[3:] == ["4"])
        await until(lambda: reader.frames[-1] == ":")
    assert reader.texts == ["1", "3"]


@both_modes
async def test_a_letter_stands_between_what_was_published_before_and_after_it(steppable: bool) -> None:
    async with House() as house:
        connection, client = await house.joined(steppable=steppable)
        for stalled in (False, True):
            if stalled:
                client.stall()
            await house.publish("1")
            assert await connection.send("2")
            await house.publish("3")
            assert connection.offer(b"data: 4\n\n")
            assert connection.offer("5")
            await asyncio.sleep(0)
            await house.publish("6")
        client.go_on()
        await until(lambda: not connection.busy)
    assert client.texts == list("123456" * 2)
    assert connection.message_count == 12


async def test_a_letter_keeps_its_place_among_events_that_do_not_fit_into_one_chunk() -> None:
    async with House() as house:
        connection, client = await house.joined()
        client.stall()
        for number in range(8):
            await house.publish(str(number) * 100_000)
            if number in (3, 4):
                connection.offer(f"after {number}")
            await asyncio.sleep(0)
        client.go_on()
        await until(lambda: len(client.texts) == 10)
    assert [text[-1] if text.startswith("a") else text[0] for text in client.texts] == list("0123344567")


async def test_a_client_that_does_not_read_its_letters_is_offered_no_more() -> None:
    async with House() as house:
        connection, client = await house.joined()
        client.stall()
        # One is on its way, and three are in its private_queue.
        assert [connection.offer(str(number)) for number in range(6)] == [True] * 4 + [False] * 2
        client.go_on()
        await until(lambda: client.texts == list("0123"))
        house.fanout.leave(connection)
        assert not connection.offer("6")


async def test_connections_under_one_id_each_get_everything() -> None:
    async with House() as house:
        one, first = await house.joined("same")
        _, second = await house.joined("same")
        await house.publish("1")
        await until(lambda: first.texts == second.texts == ["1"])
        house.fanout.leave(one)
        await house.publish("2")
        await until(lambda: second.texts == ["1", "2"])
    assert first.texts == ["1"]


async def test_messages_are_counted() -> None:
    async with House() as house:
        start = house.log.cursor
        await house.joined("early")
        await house.publish("1")
        connection, client = house.join(after=start)
        before = connection.last_activity
        await until(lambda: client.texts == ["1"])
        assert connection.message_count == 1
        await house.publish("2")
        connection.offer("3")
        await until(lambda: client.texts == ["1", "2", "3"])
    assert connection.message_count == 3
    assert connection.last_activity >= before


# ---------------------------------------------------------------------- heartbeats


@both_modes
async def test_heartbeats_come_when_a_feed_is_idle(steppable: bool) -> None:
    async with House(heartbeat=0.1) as house:
        idle = [(await house.joined(str(number), ["idle"], steppable=steppable))[1] for number in range(3)]
        _, stalled = await house.joined("stalled", ["idle"], steppable=steppable)
        _, lively = await house.joined("lively", steppable=steppable)
        stalled.stall()

        async def heard() -> bool:
            await house.publish("x")
            return all(len(client.frames) > 5 for client in idle)

        await until(heard)
        stalled.go_on()
        # A busy machine may let a heartbeat slip in between two events.
        assert lively.frames.count(":") < 3
        assert all(set(client.frames) == {":"} for client in idle)
        # The one that was on its way, and none of those that it was not there for.
        await until(lambda: len(stalled.frames) > 0)
        assert len(stalled.frames) < 3


async def test_one_look_at_the_feeds_serves_those_that_are_nearly_due() -> None:
    async with House(heartbeat=1) as house:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        _, first = await house.joined("first", ["one"])
        await until(lambda: loop.time() > begin + 0.03)
        _, second = await house.joined("second", ["another"])
        await until(lambda: first.frames == [":"])
        assert second.frames == [":"]


# ---------------------------------------------------------------------- the end of a connection


@both_modes
@pytest.mark.parametrize("waiting", [False, True], ids=["at once", "after waiting"])
async def test_a_connection_whose_send_raises_is_let_go(steppable: bool, waiting: bool) -> None:
    async with House() as house:
        connection, client = await house.joined("broken", steppable=steppable)
        _, other = await house.joined("other", steppable=steppable)
        holder = connection.task
        client.breaks = True
        if waiting:
            client.stall()
        await house.publish("1")
        await asyncio.sleep(0)
        client.go_on()
        await until(lambda: holder is not None and holder.cancelled())
        assert len(house.fanout) == 1
        assert connection.state is ConnectionState.ERROR
        await house.publish("2")
        await until(lambda: other.texts == ["1", "2"])


async def test_a_stream_is_ended_after_what_was_published_before() -> None:
    async with House() as house:
        connection, client = await house.joined("idle")
        stalled, slow = await house.joined("stalled")
        slow.stall()
        await house.publish("1")
        await asyncio.sleep(0)
        await house.publish("2")
        for one in (connection, stalled):
            house.fanout.end(one, b"data: bye\n\n")
            house.fanout.end(one, b"data: again\n\n")
            assert not one.offer("too late")
        await house.publish("3")
        await until(lambda: client.ended)
        assert not slow.ended
        slow.go_on()
        await until(lambda: slow.ended)
        await until(lambda: all(task.cancelled() for task in house.tasks))
        assert len(house.fanout) == 0
        assert house.fanout.feeds == {}
    assert client.texts == slow.texts == ["1", "2", "bye"]


async def test_closing_says_farewell_to_all_and_cuts_those_that_do_not_read() -> None:
    async with House() as house:
        before = asyncio.all_tasks()
        numbers = iter(range(100))
        _, idle = await house.joined("idle")
        _, task = await house.joined("task", steppable=False)
        deaf, cut = await house.joined("deaf")
        cut.stall()
        await house.publish("1")
        await house.fanout.close(lambda: f"data: bye {next(numbers)}\n\n".encode(), grace=0.1)
        await until(lambda: all(task.cancelled() for task in house.tasks))
        assert len(house.fanout) == 0
        late, client = house.join("late")
        await until(lambda: client.ended)
        assert not late.following
        await until(lambda: asyncio.all_tasks() - before <= {late.task, *house.tasks})
    assert [idle.texts, task.texts, cut.texts, client.texts] == [["1", "bye 0"], ["1", "bye 1"], [], ["bye 3"]]
    assert not deaf.following


async def test_an_event_that_cannot_be_rendered_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def render(event: Event) -> bytes:
        if event.sequence == 2:
            raise RuntimeError("no form for this one")
        return f"data: <{event.sequence}>\n\n".encode()

    async with House() as house:
        _, rendered = await house.joined("rendered", render=render)
        _, plain = await house.joined("plain")
        for number in range(3):
            await house.publish(str(number))
        await until(lambda: rendered.texts == ["<1>", "<3>"])
        assert plain.texts == ["0", "1", "2"]
    assert "no form for this one" in caplog.text


async def test_a_stepped_coroutine_goes_on_in_a_task_and_is_closed_with_it() -> None:
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
