"""Browsers report their tabs: only for their own streams, and for rooms that these streams follow."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fasthtml.common import P

from sse_components import Limits, PresenceList, TabCount
from sse_components.presence import GOODBYE_SECONDS
from tests.support.live_app import Browser, LiveApp, connection_of, make_app
from tests.support.running import running
from tests.support.serving import Stream, until

pytestmark = pytest.mark.anyio

JSON = ["content-type: application/json"]
TAB = "tab_0123456789"


@pytest.fixture
async def live_app() -> AsyncIterator[LiveApp]:
    app, sse = make_app(limits=Limits(body_bytes=10_000))

    @app.route("/here")
    def here(room: str) -> Any:
        return P("here"), TabCount(sse.here, room), PresenceList(sse.here, room)

    async with running(app) as site:
        live_app = LiveApp(site.port, sse)
        yield live_app
        await live_app.close()


async def enter(browser: Browser, room: str = "hall") -> Stream:
    """Open the stream of a page that shows who is in a room."""
    page = await browser.get(f"/here?room={room}")
    return await browser.follow([html.unescape(sub) for sub in re.findall(r'connect="[^"]*\?sub=([^"]*)"', page)][:1])


def report(stream: Stream, *tabs: dict[str, Any]) -> bytes:
    return json.dumps({"connection": connection_of(stream), "tabs": tabs}).encode()


def tab(*rooms: str, id: str = TAB, visible: bool = True) -> dict[str, Any]:
    return {"id": id, "visible": visible, "rooms": rooms}


async def send_report(browser: Browser, body: bytes, *headers: str) -> int:
    answer = await browser.ask("/sse/presence", method="POST", body=body, headers=[*JSON, *headers])
    return answer.status


async def test_a_report_puts_tabs_into_rooms_and_updates_everyone_there(live_app: LiveApp) -> None:
    ann, bob = await live_app.browser().login("ann"), await live_app.browser().login("bob")
    hers, his = await enter(ann), await enter(bob)
    assert await send_report(ann, report(hers, tab("hall"), tab("hall", id=f"{TAB}0", visible=False))) == 204
    assert await send_report(bob, report(his, tab("hall"))) == 204
    people = live_app.sse.presence.people("hall")
    assert [(person.user, person.browsers, person.tabs, person.visible) for person in people] == [
        ("ann", 1, 2, True),
        ("bob", 1, 1, True),
    ]
    await his.until('data-count="3"')
    await hers.until("bob")


async def test_the_tabs_of_a_closed_browser_leave_the_room(live_app: LiveApp) -> None:
    live_app.sse.presence.leave_after = 0.01
    ann = live_app.browser()
    stream = await enter(ann)
    await send_report(ann, report(stream, tab("hall")))
    await ann.close()
    await until(lambda: live_app.sse.presence.tabs("hall") == 0)


async def test_a_tab_cannot_enter_a_room_that_its_stream_does_not_follow(live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann, "hall")
    assert await send_report(ann, report(stream, tab("hall", "vault", "", "a\nb"))) == 204
    await send_report(ann, report(stream, {**tab("hall"), "visit": "ab"}))
    assert (live_app.sse.presence.tabs("hall"), live_app.sse.presence.tabs("vault")) == (1, 0)


async def test_a_browser_cannot_report_for_the_stream_of_another(live_app: LiveApp) -> None:
    ann, eve = await live_app.browser().login("ann"), await live_app.browser().login("eve")
    stream = await enter(ann)
    assert await send_report(eve, report(stream, tab("hall"))) == 404
    assert await send_report(ann, b'{"connection": "conn_unknown", "tabs": []}') == 404
    assert live_app.sse.presence.tabs("hall") == 0


async def test_a_report_from_another_origin_is_refused(live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann)
    assert await send_report(ann, report(stream, tab("hall")), "origin: https://elsewhere.example") == 403
    assert await send_report(ann, report(stream, tab("hall")), "sec-fetch-site: cross-site") == 403


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
async def test_a_malformed_report_is_refused(body: bytes, live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann)
    assert await send_report(ann, body.replace(b"CONNECTION", connection_of(stream).encode())) == 400


async def test_a_report_is_limited_in_rooms_and_bytes(live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann)
    many = tab(*[f"room-{number}" for number in range(Limits().rooms_per_tab)], "hall")
    assert await send_report(ann, report(stream, many)) == 204
    assert live_app.sse.presence.tabs("hall") == 0
    assert await send_report(ann, report(stream, tab("x" * 10_000))) == 413


def goodbye(stream: Stream, visit: str = "ab", *, last: bool = False, **other: Any) -> bytes:
    return json.dumps({"connection": connection_of(stream), "gone": visit, "tab": TAB, "last": last, **other}).encode()


async def test_a_page_that_says_goodbye_leaves_though_its_browser_still_reports_it(live_app: LiveApp) -> None:
    """What reports for its tab, a worker, may not have heard of it."""
    ann = live_app.browser()
    stream = await enter(ann)
    stays = {**tab("hall", id=f"{TAB}0"), "visit": "cd"}
    leaves = {**tab("hall"), "visit": "ab"}
    await send_report(ann, report(stream, leaves, stays))
    assert await send_report(ann, goodbye(stream)) == 204
    assert live_app.sse.presence.tabs("hall") == 2  # the next page of the same tab may follow
    await until(lambda: live_app.sse.presence.tabs("hall") == 1)
    answer = await ann.ask("/sse/presence", method="POST", body=report(stream, leaves, stays), headers=JSON)
    assert (answer.status, json.loads(answer.body)) == (200, {"gone": ["ab"]})
    assert live_app.sse.presence.tabs("hall") == 1
    assert await send_report(ann, report(stream, {**leaves, "visit": "ef"}, stays)) == 204
    assert live_app.sse.presence.tabs("hall") == 2
    assert live_app.sse.get_connection_count() == 1


async def test_the_next_page_of_a_tab_is_not_taken_for_the_one_that_said_goodbye(live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann)
    await send_report(ann, report(stream, {**tab("hall"), "visit": "ab"}))
    await send_report(ann, goodbye(stream))
    await send_report(ann, report(stream, {**tab("hall"), "visit": "cd"}))
    await asyncio.sleep(GOODBYE_SECONDS + 0.2)  # what must not happen would have
    assert live_app.sse.presence.tabs("hall") == 1


async def test_the_goodbye_of_the_last_page_ends_the_connection(live_app: LiveApp) -> None:
    """Its worker may be frozen together with the page, and then it never hangs up."""
    ann = live_app.browser()
    stream = await enter(ann)
    assert await send_report(ann, goodbye(stream, last=True)) == 204
    await until(lambda: live_app.sse.get_connection_count() == 0)


@pytest.mark.parametrize("visit", ["", "x" * 10, "a" * 65, "AB", None, 7, ["ab"]])
async def test_a_goodbye_names_a_visit(visit: Any, live_app: LiveApp) -> None:
    ann = live_app.browser()
    assert await send_report(ann, goodbye(await enter(ann), visit)) == 400


async def test_a_goodbye_counts_though_the_connection_has_just_been_replaced(live_app: LiveApp) -> None:
    ann = live_app.browser()
    stream = await enter(ann)
    await send_report(ann, report(stream, {**tab("hall"), "visit": "ab"}))
    assert await send_report(ann, goodbye(stream, connection="conn_replaced")) == 204
    await until(lambda: live_app.sse.presence.tabs("hall") == 0)


async def test_nobody_says_goodbye_for_another_browser(live_app: LiveApp) -> None:
    ann, bob = live_app.browser(), live_app.browser()
    stream = await enter(ann)
    await send_report(ann, report(stream, {**tab("hall"), "visit": "ab"}))
    assert await send_report(bob, goodbye(stream, last=True)) == 404
    assert await send_report(bob, goodbye(stream)) == 204  # of a tab of his own, which has the same name
    await asyncio.sleep(GOODBYE_SECONDS + 0.2)  # what must not happen would have
    assert (live_app.sse.presence.tabs("hall"), live_app.sse.get_connection_count()) == (1, 1)
