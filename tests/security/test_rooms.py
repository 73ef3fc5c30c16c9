"""Rooms as channels: who may not follow a room does not see who is there, and is not listed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fasthtml.common import Div

from sse_components import Limits, PresenceList, TabCount
from tests.support.live_app import Browser, LiveApp, connection_of, make_app
from tests.support.running import running
from tests.support.serving import Stream, until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[LiveApp]:
    app, sse = make_app(**options)

    @app.route("/room")
    def room(name: str) -> Any:
        return Div(TabCount(room=name), PresenceList(room=name))

    async with running(app) as site:
        live_app = LiveApp(site.port, sse)
        try:
            yield live_app
        finally:
            await live_app.close()


async def grants_of(browser: Browser, *rooms: str) -> list[str]:
    pages = [await browser.get(f"/room?name={room}") for room in rooms]
    return [html.unescape(sub) for page in pages for sub in re.findall(r'data-sse-connect="[^"]*\?sub=([^"]*)"', page)]


async def enter(browser: Browser, stream: Stream, *rooms: str, tabs: Iterable[int] = (1,)) -> int:
    reported = [{"id": f"tab_{number:08}", "visible": True, "rooms": rooms} for number in tabs]
    body = json.dumps({"connection": connection_of(stream), "tabs": reported}).encode()
    headers = ["content-type: application/json"]
    return (await browser.ask("/sse/presence", method="POST", body=body, headers=headers)).status


async def test_the_application_is_asked_whether_somebody_may_follow_a_room() -> None:
    asked = []

    def authorize(request: Any, channel: str) -> bool:
        asked.append(channel)
        return channel != "board"

    async with serving(authorize=authorize) as live_app:
        mallory = await live_app.browser().login("mallory")
        status, denied = await mallory.refusal(await grants_of(mallory, "board"))
        assert (status, {entry["reason"] for entry in denied}) == (403, {"forbidden"})
        stream = await mallory.follow(await grants_of(mallory, "lobby", "anywhere", "board"))
        # What the kit itself calls the tabs that name no room is not the application's.
        assert set(asked) == {"board", "lobby"}
        assert await enter(mallory, stream, "board", "lobby") == 204
        assert live_app.sse.here.tabs("board") == 0
        assert live_app.sse.here.tabs("lobby") == 1


@pytest.mark.parametrize("end", ["revoke", "disconnect"])
async def test_a_removed_member_neither_sees_nor_is_listed(end: str) -> None:
    members = {"ann", "bob"}

    def authorize(request: Any, channel: str) -> bool:
        return request.scope["auth"] in members

    async with serving(authorize=authorize) as live_app:
        here = live_app.sse.here
        ann, bob = [await live_app.browser().login(name) for name in ("ann", "bob")]
        grants = await grants_of(bob, "board")
        hers, his = await ann.follow(await grants_of(ann, "board")), await bob.follow(grants)
        assert await enter(ann, hers, "board") == await enter(bob, his, "board") == 204
        assert [person.user for person in here.people("board")] == ["ann", "bob"]
        members.remove("bob")
        assert await getattr(live_app.sse, end)(user="bob", channel="board") == 1
        await his.to_end()
        if end == "revoke":
            assert b"sse:here/board" in his.body
            assert [person.user for person in here.people("board")] == ["ann"]
        status, _ = await bob.refusal(grants)
        assert status == 403
        await until(lambda: [person.user for person in here.people("board")] == ["ann"])
        assert await enter(bob, his, "board") == 404


async def test_who_is_removed_from_one_room_stays_in_the_others() -> None:
    async with serving() as live_app:
        bob = await live_app.browser().login("bob")
        stream = await bob.follow(await grants_of(bob, "board", "lobby"))
        await enter(bob, stream, "board", "lobby")
        await live_app.sse.revoke(user="bob", channel="board")
        assert [live_app.sse.here.tabs(room) for room in ("board", "lobby")] == [0, 1]


async def test_a_client_has_so_many_tabs_over_all_its_streams_and_a_tab_so_many_rooms() -> None:
    async with serving(limits=Limits(tabs_per_client=5, rooms_per_tab=2)) as live_app:
        browser, rooms = live_app.browser(), ["one", "two", "three"]
        grants = await grants_of(browser, *rooms)
        streams = [await browser.follow(grants) for _ in range(3)]
        for number, stream in enumerate(streams):
            tabs = range(number * 4, number * 4 + 4)
            assert await enter(browser, stream, *rooms, tabs=tabs) == 204
        assert [live_app.sse.here.tabs(room) for room in rooms] == [5, 5, 0]
        # A tab that comes back over another connection is none more, and the first ones are free again when they left.
        assert await enter(browser, streams[1], *rooms, tabs=range(5)) == 204
        assert await enter(browser, streams[0], tabs=()) == 204
        assert live_app.sse.here.tabs("one") == 5
        for stream in streams:
            await enter(browser, stream, tabs=())
        assert live_app.sse.presence._tabs_of == {}


@pytest.mark.parametrize("room", [["nested"] * 10_000, {"a": "b"}, "x" * 100_000, 7, None, "sse:user/ann", "a\nb"])
async def test_what_is_no_name_of_a_room_is_ignored(room: Any) -> None:
    async with serving() as live_app:
        browser = live_app.browser()
        stream = await browser.follow(await grants_of(browser, "board"))
        assert await enter(browser, stream, room, "board") == 204
        assert live_app.sse.here.tabs("board") == 1
