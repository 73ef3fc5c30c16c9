"""What browsers tell of their tabs counts for their own streams, and for rooms that these follow."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fasthtml.common import P

from sse_components import Limits, PresenceList, TabCount
from sse_components.endpoints.presence_report import MAX_ROOMS
from tests.support.running import running
from tests.support.serving import Stream, until
from tests.support.visiting import Browser, House, connection_of, make_app

pytestmark = pytest.mark.anyio

JSON = ["content-type: application/json"]
TAB = "tab_0123456789"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    app, sse = make_app(limits=Limits(body_bytes=10_000))

    @app.route("/here")
    def here(room: str) -> Any:
        return P("here"), TabCount(sse.here, room), PresenceList(sse.here, room)

    async with running(app) as site:
        house = House(site.port, sse)
        yield house
        await house.close()


async def enter(browser: Browser, room: str = "hall") -> Stream:
    """Open the stream of a page that shows who is in a room."""
    page = await browser.get(f"/here?room={room}")
    return await browser.follow([html.unescape(one) for one in re.findall(r'connect="[^"]*\?sub=([^"]*)"', page)][:1])


def report(stream: Stream, *tabs: dict[str, Any]) -> bytes:
    return json.dumps({"connection": connection_of(stream), "tabs": tabs}).encode()


def tab(*rooms: str, id: str = TAB, visible: bool = True) -> dict[str, Any]:
    return {"id": id, "visible": visible, "rooms": rooms}


async def tell(browser: Browser, body: bytes, *headers: str) -> int:
    answer = await browser.ask("/sse/presence", method="POST", body=body, headers=[*JSON, *headers])
    return answer.status


async def test_a_tab_is_where_its_browser_says_and_everyone_there_is_told(house: House) -> None:
    ann, bob = await house.browser().login("ann"), await house.browser().login("bob")
    hers, his = await enter(ann), await enter(bob)
    assert await tell(ann, report(hers, tab("hall"), tab("hall", id=f"{TAB}0", visible=False))) == 204
    assert await tell(bob, report(his, tab("hall"))) == 204
    people = house.sse.presence.people("hall")
    assert [(one.user, one.browsers, one.tabs, one.visible) for one in people] == [
        ("ann", 1, 2, True),
        ("bob", 1, 1, True),
    ]
    await his.until('data-count="3"')
    await hers.until("bob")


async def test_who_has_gone_is_missed(house: House) -> None:
    house.sse.presence.leave_after = 0.01
    ann = house.browser()
    stream = await enter(ann)
    await tell(ann, report(stream, tab("hall")))
    await ann.close()
    await until(lambda: house.sse.presence.tabs("hall") == 0)


async def test_a_room_that_the_stream_does_not_follow_is_not_entered(house: House) -> None:
    ann = house.browser()
    stream = await enter(ann, "hall")
    assert await tell(ann, report(stream, tab("hall", "vault", "", "a\nb"))) == 204
    assert (house.sse.presence.tabs("hall"), house.sse.presence.tabs("vault")) == (1, 0)


async def test_nobody_tells_for_another(house: House) -> None:
    ann, eve = await house.browser().login("ann"), await house.browser().login("eve")
    stream = await enter(ann)
    assert await tell(eve, report(stream, tab("hall"))) == 404
    assert await tell(ann, b'{"connection": "conn_unknown", "tabs": []}') == 404
    assert house.sse.presence.tabs("hall") == 0


async def test_a_page_of_another_origin_tells_nothing(house: House) -> None:
    ann = house.browser()
    stream = await enter(ann)
    assert await tell(ann, report(stream, tab("hall")), "origin: https://elsewhere.example") == 403
    assert await tell(ann, report(stream, tab("hall")), "sec-fetch-site: cross-site") == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"connection": [], "tabs": []}',
        b'{"connection": "CONNECTION", "tabs": 1}',
        b'{"connection": "CONNECTION", "tabs": [1]}',
        b'{"connection": "CONNECTION", "tabs": [{"id": "tab_0123456789", "visible": true}]}',
        b'{"connection": "CONNECTION", "tabs": [{"id": "<script>", "visible": true, "rooms": []}]}',
        b'{"connection": "CONNECTION", "tabs": [{"id": 7, "visible": true, "rooms": []}]}',
    ],
)
async def test_what_is_not_a_report_is_refused(body: bytes, house: House) -> None:
    ann = house.browser()
    stream = await enter(ann)
    assert await tell(ann, body.replace(b"CONNECTION", connection_of(stream).encode())) == 400


async def test_a_report_has_its_limits(house: House) -> None:
    ann = house.browser()
    stream = await enter(ann)
    many = tab(*[f"room-{number}" for number in range(MAX_ROOMS)], "hall")
    assert await tell(ann, report(stream, many)) == 204
    assert house.sse.presence.tabs("hall") == 0
    assert await tell(ann, report(stream, tab("x" * 10_000))) == 413
