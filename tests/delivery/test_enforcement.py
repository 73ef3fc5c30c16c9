"""Streams whose grants expire or are revoked, served by uvicorn."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sse_components import BroadcastManager, ChannelError, IdentityError, NotRunning, SetupError
from sse_components.access.grants import Grants
from sse_components.access.identity import user_channel
from sse_components.access.subscriber import Subscriber
from sse_components.access.visitor import SCOPE_KEY, Visitors
from sse_components.backends import MemoryBackend
from sse_components.delivery.browsers import Browsers
from sse_components.delivery.connection import Connection, SSEConnection
from sse_components.delivery.fanout import FanOut
from sse_components.delivery.feed import StreamConnection
from tests.support.live_app import Browser, LiveApp, PendingAuthorization, connection_of, data_of, run_live_app
from tests.support.rendering import rendering
from tests.support.serving import Stream, until

pytestmark = pytest.mark.anyio


async def read_denial(stream: Stream) -> Any:
    """Read a stream to its end, and return the denied grants in its last frame; None without a denial."""
    await stream.to_end()
    return data_of(stream, "sse:denied")["denied"] if "sse:denied" in stream.body.decode() else None


class ThreeStreams:
    """Ann in two browsers and Bob in one, each with a stream of two channels."""

    def __init__(self, live_app: LiveApp) -> None:
        self.live_app, self.sse = live_app, live_app.sse
        self.browsers: dict[str, Browser] = {}
        self.grants: dict[str, list[str]] = {}
        self.streams: dict[str, Stream] = {}

    async def open(self) -> ThreeStreams:
        for name in ("ann", "anns phone", "bob"):
            self.browsers[name] = browser = await self.live_app.browser().login("bob" if name == "bob" else "ann")
            self.grants[name] = await browser.grants("todos,chat")
            self.streams[name] = await browser.follow(self.grants[name])
        await until(lambda: len(self.live_app.streams) == 3)
        return self

    async def check_open(self, *names: str) -> None:
        """Check that exactly these streams are open and receive events."""
        await until(lambda: len(self.live_app.streams) == len(names))
        await self.sse.publish("todos", "still here")
        for name in names:
            await self.streams[name].until("still here")


async def test_revoking_a_user_ends_the_streams_in_all_browsers_and_old_grants_stay_refused() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        assert await live_app.sse.revoke(user="ann") == 2
        for name in ("ann", "anns phone"):
            assert await read_denial(clients.streams[name]) == [{"channels": ["chat", "todos"], "reason": "revoked"}]
            status, denied = await clients.browsers[name].refusal(clients.grants[name])
            assert (status, [grant["reason"] for grant in denied]) == (403, ["revoked", "revoked"])
            assert await clients.browsers[name].renew(clients.grants[name]) == [{"denied": "revoked"}] * 2
        await clients.check_open("bob")
        clients.streams["ann"] = await clients.browsers["ann"].follow(await clients.browsers["ann"].grants("todos"))
        await clients.check_open("bob", "ann")


async def test_revoking_a_channel_ends_it_for_everyone_and_keeps_the_other_channels() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        assert await live_app.sse.revoke(channel="chat") == 3
        for name, stream in clients.streams.items():
            assert await read_denial(stream) == [{"channels": ["chat"], "reason": "revoked"}]
            clients.streams[name] = await clients.browsers[name].follow(clients.grants[name])
            denied = data_of(await clients.streams[name].until("sse:denied"), "sse:denied")["denied"]
            assert denied == [{"sub": 1, "channels": ["chat"], "reason": "revoked"}]
        await clients.check_open("ann", "anns phone", "bob")


async def test_revoking_a_connection_ends_only_its_own_grants() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        ann = clients.browsers["ann"]
        more = await ann.grants("todos")
        assert await live_app.sse.revoke(connection=connection_of(clients.streams["ann"])) == 1
        assert [grant["reason"] for grant in await read_denial(clients.streams["ann"])] == ["revoked"]
        assert (await ann.refusal(clients.grants["ann"]))[0] == 403
        await ann.follow(more)
        assert await live_app.sse.revoke(connection=connection_of(clients.streams["ann"])) == 0


async def test_revoking_a_channel_of_one_connection() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        bob = connection_of(clients.streams["bob"])
        assert await live_app.sse.revoke(connection=bob, channel="other") == 0
        assert await live_app.sse.revoke(connection=bob, user="ann") == 0
        assert await live_app.sse.revoke(connection=bob, channel="chat") == 1
        assert await read_denial(clients.streams["bob"]) == [{"channels": ["chat"], "reason": "revoked"}]
        stream = await (await clients.browsers["bob"].post(clients.grants["bob"])).until("sse:denied")
        assert [grant["sub"] for grant in data_of(stream, "sse:denied")["denied"]] == [1]


async def test_several_arguments_select_only_what_matches_all_of_them() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        assert await live_app.sse.revoke(user="ann", channel="other") == 0
        assert await live_app.sse.revoke(user="ann", channel="chat") == 2
        assert await read_denial(clients.streams["ann"]) == [{"channels": ["chat"], "reason": "revoked"}]
        await clients.check_open("bob")


async def test_a_stream_that_is_revoked_while_it_opens_is_refused_when_it_reconnects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The revocation comes before the stream has joined, as if it came while the first frame was sent."""
    async with run_live_app() as live_app:
        ann = live_app.browser()
        grants = await ann.grants()
        admit = live_app.sse.enforcement.admit

        def revoke_first(connection: Connection) -> bool:
            live_app.sse.revocations.add(channel="todos")
            return admit(connection)

        monkeypatch.setattr(live_app.sse.enforcement, "admit", revoke_first)
        await live_app.sse.publish("todos", "secret")
        stream = await (await ann.post(grants)).to_end()
        assert "secret" not in stream.body.decode()
        assert [grant["reason"] for grant in (await ann.refusal(grants))[1]] == ["revoked"]


async def test_disconnected_streams_reconnect_and_are_authorized_again() -> None:
    allowed = {"todos", "chat"}
    async with run_live_app(authorize=lambda request, channel: channel in allowed) as live_app:
        clients = await ThreeStreams(live_app).open()
        allowed.remove("chat")
        assert await live_app.sse.disconnect(user="ann") == 2
        for name in ("ann", "anns phone"):
            assert await read_denial(clients.streams[name]) is None
            stream = await (await clients.browsers[name].post(clients.grants[name])).until("sse:denied")
            denied = [{"sub": 1, "channels": ["chat"], "reason": "forbidden"}]
            assert data_of(stream, "sse:denied") == {"denied": denied}
            clients.streams[name] = stream
        await clients.check_open("ann", "anns phone", "bob")


async def test_a_stream_that_is_disconnected_during_authorization_is_authorized_again() -> None:
    authorize = PendingAuthorization()
    async with run_live_app(authorize=authorize) as live_app:
        ann = await live_app.browser().login("ann")
        request = asyncio.create_task(ann.follow(await ann.grants()))
        await authorize.called.wait()
        await live_app.sse.disconnect(user="ann")
        authorize.granted.set()
        assert await read_denial(await request) is None
        await ann.follow(await ann.grants())
        await until(lambda: len(live_app.streams) == 1)


async def test_disconnecting_a_session_ends_its_streams_and_no_others() -> None:
    async with run_live_app() as live_app:
        clients = await ThreeStreams(live_app).open()
        assert await clients.browsers["ann"].get("/end-mine") == "1"
        assert await read_denial(clients.streams["ann"]) is None
        await clients.check_open("anns phone", "bob")


@pytest.mark.parametrize("way", ["revoke", "disconnect"])
async def test_a_client_that_does_not_read_is_cut(way: str) -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        await ann.open(f"/sse/stream?sub={grant}", buffer=4096)
        await until(lambda: len(live_app.streams) == 1)
        (stream,) = live_app.streams
        while not stream.busy:
            await live_app.sse.publish("todos", 500_000 * "x")
            await asyncio.sleep(0)
        assert await getattr(live_app.sse, way)(channel="todos") == 1
        await until(lambda: live_app.streams == [])


async def test_disconnect_ends_a_registered_queue() -> None:
    async with BroadcastManager() as manager:
        id, _ = await manager.register("mine")
        assert await manager.disconnect(user="ann") == 0
        assert await manager.disconnect(connection=id, channel="todos") == 0
        assert await manager.disconnect(connection=id) == 1
        assert manager.get_connection_count() == 0
        assert await manager.broadcast("note", {}) == 0


@pytest.mark.parametrize("way", ["revoke", "disconnect"])
async def test_revoke_and_disconnect_need_an_argument(way: str) -> None:
    async with BroadcastManager() as manager:
        with pytest.raises(TypeError, match=r"^say what to end: user=, session=, connection= or channel=$"):
            await getattr(manager, way)()
        with pytest.raises(ChannelError):
            await getattr(manager, way)(channel="sse:broadcast")
        with pytest.raises(SetupError, match=r"^session= is that of the present request, "):
            await getattr(manager, way)(session={})
        with pytest.raises(IdentityError, match=r"^True names nobody: "):
            await getattr(manager, way)(user=True)
        with rendering(session={}) as page:
            assert await getattr(manager, way)(session=page.scope["session"]) == 0
        assert await getattr(manager, way)(channel=user_channel("ann")) == 0
    with pytest.raises(NotRunning):
        await getattr(manager, way)(user="ann")


async def test_a_stream_lives_until_a_channel_has_no_valid_grant() -> None:
    async with run_live_app(secret_key="key", grant_seconds=60) as live_app:
        here = live_app.sse.backend.cursor
        lasting = Grants("key").sign(["todos"], here, place="/sse")
        short = Grants("key", clock=lambda: time.time() - 59.5)
        ann = live_app.browser()
        covered = await ann.follow([lasting, short.sign(["todos"], here, place="/sse")])
        partly = await ann.follow([lasting, short.sign(["chat"], here, place="/sse")])
        assert (await partly.to_end(3)) is partly
        assert data_of(partly, "sse:denied")["denied"] == [{"channels": ["chat"], "reason": "expired"}]
        await live_app.sse.publish("todos", "milk")
        await covered.until("milk")


async def test_the_streams_of_a_user_end_when_somebody_else_uses_the_browser() -> None:
    async with run_live_app() as live_app:
        browser, other = live_app.browser(), await live_app.browser().login("ann")
        nobody = await browser.follow(await browser.grants())
        await browser.login("ann")
        ann = await browser.follow(await browser.grants())
        elsewhere = await other.follow(await other.grants())
        await browser.login("bob")
        bob = await browser.follow(await browser.grants())
        assert data_of(await ann.to_end(1), "sse:denied") == {"denied": [{"channels": ["todos"], "reason": "foreign"}]}
        await live_app.sse.publish("todos", "milk")
        for stream in (nobody, elsewhere, bob):
            await stream.until("milk")
        assert "milk" not in ann.body.decode()


async def test_the_streams_of_browsers_are_forgotten_when_they_end() -> None:
    browsers = Browsers()
    scope = {SCOPE_KEY: Visitors("key").of({"headers": []})}
    scope[SCOPE_KEY].ensure()
    streams = [SSEConnection("one", asyncio.Queue()) for _ in range(2)]
    assert browsers.add(streams[0]) == []  # nobody knows whose it is
    with_subscriber = [connection_of_user(user, scope) for user in ("ann", "ann", "bob", None)]
    assert [browsers.add(stream) for stream in with_subscriber[:2]] == [[], []]
    assert browsers.add(with_subscriber[2]) == with_subscriber[:2]
    every: list[Connection] = [*with_subscriber, *streams]
    for stream in every:
        browsers.remove(stream)
    assert browsers._streams == {}


def connection_of_user(user: str | None, scope: dict[str, Any]) -> StreamConnection:
    """Return a stream of a browser."""
    fanout = FanOut(MemoryBackend())
    return StreamConnection(
        str(user), fanout, fanout.feed([], heartbeat=1), subscriber=Subscriber({**scope, "auth": user}, 0)
    )
