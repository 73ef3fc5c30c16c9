"""Attack: a user whom the application has thrown out goes on in another process of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import P

from sse_components import SSE, BackendUnavailable, ChannelError, TabCount
from sse_components.access.identity import Principal
from sse_components.access.revocations import latest
from sse_components.backends.base import STATE_CHANNEL
from sse_components.backends.shared import SharedBackend
from tests.support.live_app import Browser, PendingAuthorization, connection_of, make_app
from tests.support.running import running
from tests.support.serving import Stream, until
from tests.support.stores import STORES, RedisServer, Store

pytestmark = pytest.mark.anyio


class Process:
    """An application with its own backend, as each worker has one."""

    def __init__(self, port: int, sse: Any) -> None:
        self.port, self.sse = port, sse

    async def browser(self, user: str) -> Browser:
        return await Browser(self.port).login(user)


@pytest.fixture(params=STORES.values(), ids=list(STORES))
async def processes(request: pytest.FixtureRequest) -> AsyncIterator[list[Process]]:
    store: Store = request.param
    async with run_two(store) as two:
        yield two


@asynccontextmanager
async def run_two(store: Store) -> AsyncIterator[list[Process]]:
    async with store() as make_one, AsyncExitStack() as stack:
        found = []
        for _ in range(2):
            app, sse = make_app(backend=make_one(1_000))
            app.route("/room")(lambda: TabCount(room="team"))
            site = await stack.enter_async_context(running(app))
            found.append(Process(site.port, sse))
        yield found


async def test_a_revocation_reaches_every_process(processes: list[Process]) -> None:
    one, other = processes
    ann, ben = await other.browser("ann"), await other.browser("ben")
    grants = await ann.grants("todos,news")
    hers, his = await ann.follow(grants), await ben.follow(await ben.grants())
    assert await one.sse.revoke(user="ann", channel="todos") == 0
    await hers.until('"reason": "revoked"')
    await hers.to_end()
    assert [denied["channels"] for denied in (await ann.refusal(grants[:1]))[1]] == [["todos"]]
    await (await ann.follow(grants[1:])).close()
    await one.sse.publish("todos", P("milk"))
    await his.until("milk")
    await (await ann.follow(await ann.grants())).close()
    await ann.close()
    await ben.close()


async def test_what_is_published_before_comes_before_the_end(processes: list[Process]) -> None:
    one, other = processes
    ann = await other.browser("ann")
    stream = await ann.follow(await ann.grants())
    one.sse.publish("todos", P("bread"))
    await one.sse.revoke(user="ann")
    one.sse.publish("todos", P("after"))
    await stream.to_end()
    assert "bread" in stream.body.decode()
    assert "after" not in stream.body.decode()
    await ann.close()


async def test_a_grant_that_another_process_made_is_revoked_with_the_others(processes: list[Process]) -> None:
    one, other = processes
    ann, again = await one.browser("ann"), Browser(other.port)
    grants = await ann.grants()
    again.jar = ann.jar
    await other.sse.revoke(user="ann")
    assert (await again.refusal(grants))[1][0]["reason"] == "revoked"
    await ann.close()
    await again.close()


async def test_a_connection_of_another_process_is_revoked_by_its_id(processes: list[Process]) -> None:
    one, other = processes
    ann = await other.browser("ann")
    grants = await ann.grants()
    stream = await ann.follow(grants)
    await one.sse.revoke(connection=connection_of(stream))
    await stream.to_end()
    assert (await ann.refusal(grants))[1][0]["reason"] == "revoked"
    assert other.sse.revocations.take_puts() == []  # nobody waits for what it has stored for another process
    await ann.close()


async def test_streams_of_another_process_are_disconnected(processes: list[Process]) -> None:
    one, other = processes
    ann = await other.browser("ann")
    grants = await ann.grants()
    stream = await ann.follow(grants)
    await one.sse.disconnect(channel="todos")
    await stream.to_end()
    assert "sse:denied" not in stream.body.decode()
    stream = await ann.follow(grants)
    await one.sse.disconnect(connection=connection_of(stream))
    await stream.to_end()
    await ann.close()


async def enter_room(browser: Browser) -> Stream:
    """Follow the room `team`, and report a tab there."""
    stream = await browser.follow(await browser.grants_of("/room"))
    tab = {"id": "tab_00000001", "rooms": ["team"], "visible": True}
    body = json.dumps({"connection": connection_of(stream), "tabs": [tab]}).encode()
    await browser.ask("/sse/presence", method="POST", body=body, headers=["content-type: application/json"])
    return stream


async def test_members_of_a_room_leave_it_in_every_process(processes: list[Process]) -> None:
    one, other = processes
    ann = await other.browser("ann")
    stream = await enter_room(ann)
    assert other.sse.here.tabs("team") == 1
    other.sse.presence.leave_after = 3_600  # of the tabs of a connection that has ended
    await one.sse.revoke(user="ann", channel="team")
    await stream.to_end()
    await until(lambda: other.sse.here.tabs("team") == 0)
    await ann.close()


async def test_a_connection_that_is_revoked_takes_nobody_else_out_of_a_room(processes: list[Process]) -> None:
    one, other = processes
    ann, ben = await one.browser("ann"), await other.browser("ben")
    hers, his = await ann.follow(await ann.grants()), await enter_room(ben)
    assert other.sse.here.tabs("team") == 1
    await one.sse.revoke(connection=connection_of(hers))
    await hers.to_end()
    await one.sse.publish("todos", P("milk"))
    await until(lambda: other.sse.backend.cursor == one.sse.backend.cursor)
    assert other.sse.here.tabs("team") == 1
    assert not his.ended
    await ann.close()
    await ben.close()


async def test_a_server_that_has_lost_its_data_locks_nobody_out(tmp_path: Path) -> None:
    """Its sequence begins again: revocations from before have greater numbers than all that follow."""
    async with RedisServer(tmp_path) as server, AsyncExitStack() as stack:
        processes = []
        for _ in range(2):
            app, sse = make_app(backend=server.url)
            processes.append(Process((await stack.enter_async_context(running(app))).port, sse))
        one, other = processes
        for _ in range(20):
            await one.sse.publish("todos", P("bread"))
        await one.sse.revoke(user="ann")
        epoch = one.sse.backend.cursor.epoch
        await server.kill(forget=True)
        await server.start()
        await until(lambda: epoch not in {process.sse.backend.cursor.epoch for process in processes}, 20)
        for process, revoking in ((one, other), (other, other)):
            ann = await process.browser("ann")
            grants = await ann.grants()
            stream = await ann.follow(grants)
            await revoking.sse.revoke(user="ann")
            await stream.to_end()
            assert (await ann.refusal(grants))[1][0]["reason"] == "revoked"
            await (await ann.follow(await ann.grants())).close()
            await ann.close()


async def test_a_revocation_that_cannot_be_stored_holds_here_and_raises(processes: list[Process]) -> None:
    one, _ = processes
    ann = await one.browser("ann")
    grants = await ann.grants()
    stream = await ann.follow(grants)
    backend: Any = one.sse.backend
    assert isinstance(backend, SharedBackend)

    def is_full(size: int) -> None:
        raise BackendUnavailable("full")

    backend._check_room = is_full  # type: ignore[method-assign]
    with pytest.raises(BackendUnavailable, match="full"):
        await one.sse.revoke(user="ann")
    del backend._check_room
    await stream.to_end()
    assert (await ann.refusal(grants))[1][0]["reason"] == "revoked"
    await one.sse.publish("todos", P("another"))
    await one.sse.publish("todos", P("another"))
    await (await ann.follow(await ann.grants())).close()
    await ann.close()


async def test_no_page_can_follow_what_processes_tell_each_other(processes: list[Process]) -> None:
    with pytest.raises(ChannelError):
        SSE(channels=STATE_CHANNEL)
    with pytest.raises(ChannelError):
        processes[0].sse.publish(STATE_CHANNEL, P("forged"))


async def test_a_process_does_not_hear_itself(processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come back since then stays."""
    done: list[tuple[int, str]] = []

    def count(number: int, name: str) -> None:
        enforcement = processes[number].sse.enforcement
        do = getattr(enforcement, name)

        def counted(what: Any) -> Any:
            done.append((number, name))
            return do(what)

        monkeypatch.setattr(enforcement, name, counted)

    for number, name in product([0, 1], ["end_revoked", "disconnect"]):
        count(number, name)
    await processes[0].sse.revoke(user="ann")
    await processes[0].sse.disconnect(user="ann")
    await until(lambda: (1, "disconnect") in done)
    assert sorted(done) == [(0, "disconnect"), (1, "disconnect"), (1, "end_revoked")]


async def test_a_revocation_holds_while_it_is_being_stored(processes: list[Process]) -> None:
    one, _ = processes
    ann = Principal("ann")
    outcome = one.sse.revoke(user="ann")
    revocations = one.sse.revocations
    assert revocations.covers(ann, ["todos"], revocations.order + 100)
    await outcome
    assert revocations.covers(ann, ["todos"], revocations.order - 1)
    assert not revocations.covers(ann, ["todos"], revocations.order)


async def test_a_stream_that_waits_for_its_permission_is_disconnected_as_well(tmp_path: Path) -> None:
    authorize = PendingAuthorization()
    app, sse = make_app(backend=f"sqlite:///{tmp_path}/live.db", authorize=authorize)
    async with running(app) as site:
        ann = await Browser(site.port).login("ann")
        for _ in range(latest() + 9):  # the log has more events than there were revocations
            await sse.publish("todos", P("milk"))
        opening = asyncio.create_task(ann.post(await ann.grants()))
        await authorize.called.wait()
        await sse.disconnect(channel="todos")
        authorize.granted.set()
        await (await opening).to_end()
        await ann.close()


async def test_a_page_that_is_left_is_no_news_for_other_processes(processes: list[Process]) -> None:
    one, _ = processes
    ann = await one.browser("ann")
    stream = await ann.follow(await ann.grants())
    before = one.sse.backend.cursor
    goodbye = {"connection": connection_of(stream), "gone": "ab", "tab": "tab_00000001", "last": True}
    headers = ["content-type: application/json"]
    await ann.ask("/sse/presence", method="POST", body=json.dumps(goodbye).encode(), headers=headers)
    await stream.to_end()
    await one.sse.publish("todos", P("milk"))
    assert one.sse.backend.cursor.sequence == before.sequence + 1
    await ann.close()
