"""Streams whose grants expire or are revoked: real streams, by a real server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sse_components import BroadcastManager, ChannelError, NotRunning
from sse_components.access.grants import Grants
from sse_components.access.identity import user_channel
from sse_components.delivery.connection import Connection
from tests.support.serving import Stream, until
from tests.support.visiting import Browser, Decision, House, connection_of, data_of, visited

pytestmark = pytest.mark.anyio


async def ended(stream: Stream) -> Any:
    """Return what a stream says that ends."""
    await stream.to_end()
    return data_of(stream, "sse:denied")["denied"] if "sse:denied" in stream.body.decode() else None


class Visit:
    """Ann in two browsers and Bob in one, each with a stream of two channels."""

    def __init__(self, house: House) -> None:
        self.house, self.sse = house, house.sse
        self.browsers: dict[str, Browser] = {}
        self.grants: dict[str, list[str]] = {}
        self.streams: dict[str, Stream] = {}

    async def begin(self) -> Visit:
        for name in ("ann", "anns phone", "bob"):
            self.browsers[name] = browser = await self.house.browser().login("bob" if name == "bob" else "ann")
            self.grants[name] = await browser.grants("todos,chat")
            self.streams[name] = await browser.follow(self.grants[name])
        await until(lambda: len(self.house.streams) == 3)
        return self

    async def check_open(self, *names: str) -> None:
        """Check that exactly these streams are open, and get what is published."""
        await until(lambda: len(self.house.streams) == len(names))
        await self.sse.publish("todos", "still here")
        for name in names:
            await self.streams[name].until("still here")


async def test_a_user_is_cut_in_all_browsers_and_what_was_granted_is_not_to_be_replayed() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        assert await house.sse.revoke(user="ann") == 2
        for name in ("ann", "anns phone"):
            assert await ended(visit.streams[name]) == [{"channels": ["chat", "todos"], "reason": "revoked"}]
            status, denied = await visit.browsers[name].refused(visit.grants[name])
            assert (status, [one["reason"] for one in denied]) == (403, ["revoked", "revoked"])
            assert await visit.browsers[name].renew(visit.grants[name]) == [{"denied": "revoked"}] * 2
        await visit.check_open("bob")
        visit.streams["ann"] = await visit.browsers["ann"].follow(await visit.browsers["ann"].grants("todos"))
        await visit.check_open("bob", "ann")


async def test_a_channel_is_cut_for_everyone_and_the_other_channels_come_back() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        assert await house.sse.revoke(channel="chat") == 3
        for name, stream in visit.streams.items():
            assert await ended(stream) == [{"channels": ["chat"], "reason": "revoked"}]
            visit.streams[name] = await visit.browsers[name].follow(visit.grants[name])
            denied = data_of(await visit.streams[name].until("sse:denied"), "sse:denied")["denied"]
            assert denied == [{"sub": 1, "channels": ["chat"], "reason": "revoked"}]
        await visit.check_open("ann", "anns phone", "bob")


async def test_one_connection_is_cut_with_its_grants_and_no_other() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        ann = visit.browsers["ann"]
        more = await ann.grants("todos")
        assert await house.sse.revoke(connection=connection_of(visit.streams["ann"])) == 1
        assert [one["reason"] for one in await ended(visit.streams["ann"])] == ["revoked"]
        assert (await ann.refused(visit.grants["ann"]))[0] == 403
        await ann.follow(more)
        assert await house.sse.revoke(connection=connection_of(visit.streams["ann"])) == 0


async def test_of_one_connection_one_channel_can_be_cut() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        bob = connection_of(visit.streams["bob"])
        assert await house.sse.revoke(connection=bob, channel="other") == 0
        assert await house.sse.revoke(connection=bob, user="ann") == 0
        assert await house.sse.revoke(connection=bob, channel="chat") == 1
        assert await ended(visit.streams["bob"]) == [{"channels": ["chat"], "reason": "revoked"}]
        stream = await (await visit.browsers["bob"].post(visit.grants["bob"])).until("sse:denied")
        assert [one["sub"] for one in data_of(stream, "sse:denied")["denied"]] == [1]


async def test_several_arguments_mean_what_all_of_them_apply_to() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        assert await house.sse.revoke(user="ann", channel="other") == 0
        assert await house.sse.revoke(user="ann", channel="chat") == 2
        assert await ended(visit.streams["ann"]) == [{"channels": ["chat"], "reason": "revoked"}]
        await visit.check_open("bob")


async def test_a_stream_that_is_revoked_while_it_opens_is_told_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule is there before the stream has joined: as if it had been made while the first frame was sent."""
    async with visited() as house:
        ann = house.browser()
        grants = await ann.grants()
        admit = house.sse.enforcement.admit

        def revoke_first(connection: Connection) -> bool:
            house.sse.revocations.add(channel="todos")
            return admit(connection)

        monkeypatch.setattr(house.sse.enforcement, "admit", revoke_first)
        await house.sse.publish("todos", "secret")
        stream = await (await ann.post(grants)).to_end()
        assert "secret" not in stream.body.decode()
        assert [one["reason"] for one in (await ann.refused(grants))[1]] == ["revoked"]


async def test_disconnected_streams_come_back_and_are_looked_at_anew() -> None:
    allowed = {"todos", "chat"}
    async with visited(authorize=lambda request, channel: channel in allowed) as house:
        visit = await Visit(house).begin()
        allowed.remove("chat")
        assert await house.sse.disconnect(user="ann") == 2
        for name in ("ann", "anns phone"):
            assert await ended(visit.streams[name]) is None
            stream = await (await visit.browsers[name].post(visit.grants[name])).until("sse:denied")
            denied = [{"sub": 1, "channels": ["chat"], "reason": "forbidden"}]
            assert data_of(stream, "sse:denied") == {"denied": denied}
            visit.streams[name] = stream
        await visit.check_open("ann", "anns phone", "bob")


async def test_who_is_sent_away_while_the_application_is_asked_is_looked_at_anew() -> None:
    decision = Decision()
    async with visited(authorize=decision) as house:
        ann = await house.browser().login("ann")
        request = asyncio.create_task(ann.follow(await ann.grants()))
        await decision.asked.wait()
        await house.sse.disconnect(user="ann")
        decision.made.set()
        assert await ended(await request) is None
        await ann.follow(await ann.grants())
        await until(lambda: len(house.streams) == 1)


async def test_the_present_session_is_sent_away_from_all_tabs_and_no_other_browser() -> None:
    async with visited() as house:
        visit = await Visit(house).begin()
        assert await visit.browsers["ann"].get("/end-mine") == "1"
        assert await ended(visit.streams["ann"]) is None
        await visit.check_open("anns phone", "bob")


@pytest.mark.parametrize("way", ["revoke", "disconnect"])
async def test_one_who_does_not_read_is_cut_all_the_same(way: str) -> None:
    async with visited() as house:
        ann = house.browser()
        (grant,) = await ann.grants()
        await ann.open(f"/sse/stream?sub={grant}", buffer=4096)
        await until(lambda: len(house.streams) == 1)
        (stream,) = house.streams
        while not stream.busy:
            await house.sse.publish("todos", 500_000 * "x")
            await asyncio.sleep(0)
        assert await getattr(house.sse, way)(channel="todos") == 1
        await until(lambda: house.streams == [])


async def test_a_queue_is_a_connection_too() -> None:
    async with BroadcastManager() as manager:
        id, _ = await manager.register("mine")
        assert await manager.disconnect(user="ann") == 0
        assert await manager.disconnect(connection=id, channel="todos") == 0
        assert await manager.disconnect(connection=id) == 1
        assert manager.get_connection_count() == 0
        assert await manager.broadcast("note", {}) == 0


@pytest.mark.parametrize("way", ["revoke", "disconnect"])
async def test_somebody_has_to_be_meant(way: str) -> None:
    async with BroadcastManager() as manager:
        with pytest.raises(TypeError, match=r"^say what to end: user=, session=, connection= or channel=$"):
            await getattr(manager, way)()
        with pytest.raises(ChannelError):
            await getattr(manager, way)(channel="sse:broadcast")
        assert await getattr(manager, way)(session={}) == 0
        assert await getattr(manager, way)(channel=user_channel("ann")) == 0
    with pytest.raises(NotRunning):
        await getattr(manager, way)(user="ann")


async def test_a_stream_lives_as_long_as_each_of_its_channels_has_a_grant() -> None:
    async with visited(secret_key="key", grant_seconds=60) as house:
        here = house.sse.backend.cursor
        lasting = Grants("key").sign(["todos"], here)
        short = Grants("key", clock=lambda: time.time() - 59.5)
        ann = house.browser()
        covered = await ann.follow([lasting, short.sign(["todos"], here)])
        partly = await ann.follow([lasting, short.sign(["chat"], here)])
        assert (await partly.to_end(3)) is partly
        assert data_of(partly, "sse:denied")["denied"] == [{"channels": ["chat"], "reason": "expired"}]
        await house.sse.publish("todos", "milk")
        await covered.until("milk")
