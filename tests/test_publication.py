"""The result of `publish` can be awaited, waited for, passed to asyncio like a coroutine, or ignored."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from sse_components import BroadcastManager, NotRunning, Outcome, Publication
from sse_components.events.log import Cursor, Event
from tests.support.serving import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def manager() -> AsyncIterator[BroadcastManager]:
    async with BroadcastManager() as manager:
        yield manager


def texts(manager: BroadcastManager) -> list[str]:
    """Return what is published on the channel 'news'."""
    events = manager.backend.since(["news"], Cursor(manager.backend.cursor.epoch, 0))
    return [event.frame.decode().partition("data: ")[2].strip() for event in events]


def run_while_this_loop_is_blocked(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in the loop of a thread, so that what it hands over to this loop cannot be done meanwhile."""
    thread = threading.Thread(target=asyncio.run, args=[work])
    thread.start()
    thread.join()


# ---------------------------------------------------------------------- in the event loop


async def test_publish_takes_effect_at_once_with_or_without_await(manager: BroadcastManager) -> None:
    publication = manager.publish("news", "1")
    assert texts(manager) == ["1"]
    assert isinstance(publication, Publication)
    assert publication.done()
    id = publication.result()
    assert await publication == await publication == id == str(manager.backend.cursor)


async def test_awaiting_a_finished_publication_does_not_yield_to_the_loop(manager: BroadcastManager) -> None:
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await manager.publish("news", "1")
    assert ran == []


async def test_awaiting_a_sharing_outcome_yields_to_the_loop_sometimes() -> None:
    ended: list[bool] = []
    asyncio.get_running_loop().call_soon(ended.append, True)
    async with asyncio.timeout(60):
        while not ended:
            await Outcome.of(None, shares=True)


async def test_a_publication_works_like_a_coroutine_in_asyncio(manager: BroadcastManager) -> None:
    ids = [
        await asyncio.create_task(manager.publish("news", "1")),
        *await asyncio.gather(manager.publish("news", "2"), manager.publish("news", "3")),
        await asyncio.wait_for(manager.publish("news", "4"), 60),
        await asyncio.shield(manager.publish("news", "5")),
    ]
    async with asyncio.TaskGroup() as group:
        ids.append(await group.create_task(manager.publish("news", "6")))
    assert [Cursor.parse(id).sequence for id in ids] == [1, 2, 3, 4, 5, 6]  # type: ignore[union-attr]
    assert texts(manager) == ["1", "2", "3", "4", "5", "6"]


# ---------------------------------------------------------------------- in other threads


async def test_the_order_of_a_thread_is_kept_with_every_way_to_publish(manager: BroadcastManager) -> None:
    async def in_a_loop_of_its_own() -> None:
        manager.publish("news", "3")
        await manager.publish("news", "4")
        await asyncio.gather(manager.publish("news", "5"), asyncio.create_task(manager.publish("news", "6")))

    def work() -> str:
        manager.publish("news", "1")
        manager.publish("news", "2").result(60)
        asyncio.run(in_a_loop_of_its_own())
        manager.publish("news", "7")
        return asyncio.run(manager.publish("news", "8"))

    id = await asyncio.to_thread(work)
    assert id == str(manager.backend.cursor)
    assert texts(manager) == ["1", "2", "3", "4", "5", "6", "7", "8"]


async def test_messages_of_many_threads_are_published_once_and_in_order_per_thread(manager: BroadcastManager) -> None:
    def work(name: str) -> None:
        for number in range(200):
            manager.publish("news", f"{name} {number}")

    threads = [threading.Thread(target=work, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    await until(lambda: len(texts(manager)) == 800)
    for name in "abcd":
        assert [text for text in texts(manager) if text[0] == name] == [f"{name} {number}" for number in range(200)]
    for thread in threads:
        thread.join()


async def test_result_in_the_loops_thread_raises_an_error_that_suggests_await(manager: BroadcastManager) -> None:
    async def elsewhere() -> None:
        publication = manager.publish("news", "1")
        with pytest.raises(RuntimeError, match=r"would block it: await the call instead$"):
            publication.result()

    run_while_this_loop_is_blocked(elsewhere())
    await until(lambda: texts(manager) == ["1"])


async def test_cancelling_the_waiting_task_does_not_undo_the_call(manager: BroadcastManager) -> None:
    async def give_up() -> None:
        task = asyncio.create_task(manager.publish("news", "1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_while_this_loop_is_blocked(give_up())
    await until(lambda: texts(manager) == ["1"])


async def test_revoke_and_disconnect_work_in_threads_and_without_await(manager: BroadcastManager) -> None:
    id, _ = await manager.register("mine")
    assert manager.revoke(connection="unknown").result() == 0
    ended = await asyncio.to_thread(lambda: manager.disconnect(connection=id).result(60))
    assert (ended, manager.get_connection_count()) == (1, 0)


# ---------------------------------------------------------------------- failures


class Storing:
    """A backend's append that is stored a little later, or fails."""

    def __init__(self) -> None:
        self.stored: Future[Event] = Future()

    def append(self, channel: str, data: str, **options: Any) -> Future[Event]:
        return self.stored


@pytest.fixture
def storing(manager: BroadcastManager, monkeypatch: pytest.MonkeyPatch) -> Storing:
    storing = Storing()
    monkeypatch.setattr(manager.backend, "append", storing.append)
    return storing


async def test_a_publication_waits_for_a_slow_backend(manager: BroadcastManager, storing: Storing) -> None:
    publication = manager.publish("news", "1")
    assert not publication.done()
    waiting = asyncio.create_task(publication)
    await asyncio.sleep(0)
    storing.stored.set_result(Event("e-1", 1, "news", b""))
    assert await waiting == publication.result() == "e-1"


@pytest.mark.parametrize(
    "publish",
    [
        lambda manager: manager.publish("news", "1"),
        lambda manager: manager.publish("news", "1").done(),
    ],
)
async def test_an_unretrieved_failure_is_logged_with_the_line_of_the_call(
    manager: BroadcastManager, storing: Storing, caplog: pytest.LogCaptureFixture, publish: Callable[[Any], object]
) -> None:
    publish(manager)
    gc.collect()
    storing.stored.set_exception(OSError("the disk is full"))
    [record] = caplog.records
    line = publish.__code__.co_firstlineno
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        f"a publication failed that was called at {__file__}:{line}",
    )
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the disk is full"


async def test_an_unretrieved_failure_in_a_thread_is_logged(
    manager: BroadcastManager, storing: Storing, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        manager.publish("news", "1")

    await asyncio.to_thread(work)
    storing.stored.set_exception(OSError("the disk is full"))
    await until(lambda: len(caplog.records) == 1)
    assert caplog.messages[0].startswith(f"a publication failed that was called at {__file__}:")


async def test_a_retrieved_failure_is_raised_and_not_logged(
    manager: BroadcastManager, storing: Storing, caplog: pytest.LogCaptureFixture
) -> None:
    publication = manager.publish("news", "1")
    storing.stored.set_exception(OSError("the disk is full"))
    with pytest.raises(OSError, match="the disk is full"):
        await publication
    with pytest.raises(OSError, match="the disk is full"):
        publication.result()
    del publication
    gc.collect()
    assert caplog.messages == []


async def test_a_thread_publishes_before_the_manager_stops_and_not_after(caplog: pytest.LogCaptureFixture) -> None:
    async with BroadcastManager() as manager:
        loop = asyncio.get_running_loop()
        handed: list[Publication] = []
        thread = threading.Thread(target=lambda: handed.append(manager.publish("news", "late")))
        stopping = asyncio.create_task(manager.stop())
        thread.start()
        thread.join()  # the message is handed over, and this loop has not run since
        loop.call_soon(lambda: None)
        await stopping
    # The message was handed over before the stop, so it is published. A later one is refused at once.
    assert await handed[0] == str(manager.backend.cursor)
    with pytest.raises(NotRunning):
        manager.publish("news", "later")
    assert caplog.messages == []


# ---------------------------------------------------------------------- before the start


async def test_the_first_call_starts_a_manager_and_the_calls_keep_their_order() -> None:
    manager = BroadcastManager()
    first, second = manager.publish("news", "1"), manager.publish("news", "2")
    assert (manager.running, first.done()) == (False, False)
    assert await second == str(manager.backend.cursor)
    assert texts(manager) == ["1", "2"]
    await first
    await manager.stop()


async def test_a_failed_start_fails_the_waiting_calls() -> None:
    class Closed(Storing):
        async def open(self, listener: Any) -> None:
            raise OSError("no such file")

    manager = BroadcastManager()
    manager.backend = Closed()  # type: ignore[assignment]
    first, second = manager.publish("news", "1"), manager.publish("news", "2")
    for publication in (first, second):
        with pytest.raises(OSError, match="no such file"):
            await publication


async def test_calls_at_the_same_time_share_one_start() -> None:
    manager = BroadcastManager()
    await asyncio.gather(manager.register("a"), manager.register("b"), manager.publish("news", "1"))
    assert sorted(connection.connection_id for connection in manager.registry.get_connections()) == ["a", "b"]
    await manager.stop()


async def test_a_publication_may_be_passed_to_create_task_several_times(manager: BroadcastManager) -> None:
    publication = manager.publish("news", "1")
    ids = [await asyncio.create_task(publication) for _ in range(3)]
    assert ids == 3 * [publication.result()]
    assert texts(manager) == ["1"]
