"""The response of a stream: its first frame, its end, and its clean-up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.routing import Route

from sse_components import BroadcastManager
from sse_components.access.subscriber import Subscriber
from sse_components.delivery.feed import StreamConnection
from sse_components.delivery.response import StreamResponse
from tests.support.served import build
from tests.support.serving import serve_in_thread, until

pytestmark = pytest.mark.anyio


def connections(manager: BroadcastManager) -> Iterator[StreamConnection]:
    """Yield the connections that follow a feed, as another thread sees them."""
    for feed in list(manager.fanout.feeds.values()):
        yield from list(feed.connections)


async def test_the_head_and_the_first_frame_are_sent_at_once() -> None:
    app = build(heartbeat=7)
    async with serve_in_thread(app) as site:
        stream = await site.stream()
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        await until(lambda: any(connections(app.state.sse)))
        [connection] = connections(app.state.sse)
        assert connection.steppable
        opened = json.loads(stream.frames[0].rpartition("data: ")[2])
        assert opened["connection"] == connection.connection_id
        assert opened["heartbeat"] == 7


async def test_a_head_request_opens_no_stream() -> None:
    async with serve_in_thread(build()) as site:
        path = await site.get("/grant?channels=news")
        head = await site.open(path, method="HEAD")
        await until_head(head)
        assert head.status == 200
        assert head.headers["content-type"].startswith("text/event-stream")
        assert head.body == b""
        assert (await site.report())["following"] == 0


async def until_head(stream: Any) -> None:
    while not stream.status:
        await stream.read()


async def test_a_stream_works_without_setup_sse() -> None:
    manager = BroadcastManager()

    async def news(request: Request) -> StreamResponse:
        return await manager.stream(["news"])

    async def publish(request: Request) -> StreamResponse:
        await manager.publish("news", "hello")
        return await manager.stream(["news"])

    app = Starlette(routes=[Route("/news", news), Route("/publish", publish)])
    async with serve_in_thread(app) as site:
        stream = await (await site.open("/news")).until("sse:open")
        await until(lambda: len(list(connections(manager))) == 1)
        [connection] = connections(manager)
        assert not connection.steppable, "there is middleware between it and the server"
        await (await site.open("/publish")).until("sse:open")
        await stream.until("data: hello")


async def test_background_tasks_run_after_the_stream() -> None:
    done: list[str] = []
    app = build()

    @app.route("/news")
    async def news() -> StreamResponse:
        response: StreamResponse = await app.state.sse.stream(["news"])
        response.background = BackgroundTask(done.append, "done")
        return response

    async with serve_in_thread(app) as site:
        stream = await (await site.open("/news")).until("sse:open")
        await site.publish()
        await stream.until("0.")
        assert done == []
        await stream.close()
        await until(lambda: done == ["done"])


async def test_unregistering_a_stream_ends_it() -> None:
    app = build()
    async with serve_in_thread(app) as site:

        @app.route("/unregister")
        async def unregister(id: str) -> str:
            await app.state.sse.publish("news", "last")
            await app.state.sse.unregister(id)
            await app.state.sse.publish("news", "too late")
            return "done"

        stream, other = await site.streams(2)
        opened = json.loads(stream.frames[0].rpartition("data: ")[2])
        await site.get(f"/unregister?id={opened['connection']}")
        await stream.to_end()
        assert stream.texts == ["last"]
        await other.until("too late")
        assert (await site.report())["connections"] == 1


class ActiveGrant:
    """A stream held by a task of the test's own, as a server would."""

    def __init__(self, response: StreamResponse) -> None:
        self.response = response
        self.sent: list[Any] = []
        self.after = False
        self.breaks = False
        self.gone, self.reads = asyncio.Event(), asyncio.Event()
        self.reads.set()
        self.task = asyncio.create_task(self.hold())

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if self.breaks:
            raise OSError("the client is gone")
        self.sent.append(message)

    async def hold(self) -> None:
        await self.response.run(self.receive, self.send)
        # A cancellation that ended the stream must not reach the code after it.
        self.reads.set()
        for _ in range(5):
            await asyncio.sleep(0)
        self.after = True


async def hold(sse: BroadcastManager) -> ActiveGrant:
    held = ActiveGrant(await sse.stream(["news"]))
    await until(lambda: not held.response.connection.busy)
    return held


async def test_a_stream_that_the_kit_ends_does_not_cancel_its_task(sse: BroadcastManager) -> None:
    held = await hold(sse)
    sse.fanout.end(held.response.connection)
    await held.task
    assert held.after
    assert held.task.cancelling() == 0
    assert held.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert sse.get_connection_count() == 0


async def test_a_disconnected_client_does_not_cancel_the_task_of_its_stream(sse: BroadcastManager) -> None:
    held = await hold(sse)
    held.breaks = True
    await sse.publish("news", "text")
    await held.task
    assert held.after
    assert sse.get_connection_count() == 0


async def test_a_client_may_disconnect_before_it_has_caught_up(sse: BroadcastManager) -> None:
    start = sse.backend.cursor
    await sse.publish("news", "text")
    response = await sse.stream(["news"], since=[(frozenset({"news"}), start)])
    held = ActiveGrant(response)
    held.breaks = True
    await held.task
    assert held.after
    assert sse.get_connection_count() == 0


async def test_a_client_may_disconnect_while_its_stream_is_ended(sse: BroadcastManager) -> None:
    held = await hold(sse)
    held.reads.clear()
    sse.fanout.end(held.response.connection)
    await asyncio.sleep(0)
    held.gone.set()
    await held.task
    assert held.after
    assert held.sent[-1]["more_body"] is False


async def test_a_task_that_the_caller_cancels_is_cancelled(sse: BroadcastManager) -> None:
    held = await hold(sse)
    held.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held.task
    assert sse.get_connection_count() == 0
    assert len(sse.fanout) == 0


async def test_a_task_that_the_kit_and_the_caller_cancel_is_cancelled(sse: BroadcastManager) -> None:
    held = await hold(sse)
    sse.fanout.cut(held.response.connection)
    held.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held.task
    assert sse.get_connection_count() == 0


@pytest.mark.parametrize("fault", ["join", "start"])
async def test_a_stream_that_fails_to_begin_leaves_nothing_behind(
    fault: str, sse: BroadcastManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise ValueError("broken")

    response = await sse.stream(
        "news", subscriber=Subscriber({"type": "http", "headers": [], "client": ("host", 1)}, 0)
    )
    if fault == "join":
        monkeypatch.setattr(sse.backend, "since", fail)
    else:
        monkeypatch.setattr(sse.enforcement, "admit", fail)

    async def ignore(message: Any) -> None: ...

    with pytest.raises(ValueError, match="broken"):
        await response({"type": "http", "method": "GET"}, asyncio.Event().wait, ignore)
    assert (len(sse.registry), len(sse.fanout), sse.fanout.feeds, sse.fanout._by_channel) == (0, 0, {}, {})
    assert sse.quota._taken == {}
    await sse.publish("news", "x")
