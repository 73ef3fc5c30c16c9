"""Streams of every kind by one way in: they have a visitor, count towards the limits, and end at a logout."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fasthtml.common import FastHTML, Request

from sse_components import (
    Kit,
    Limits,
    create_broadcast_endpoint,
    create_broadcast_handler,
    create_sse_endpoint,
    setup_broadcast_routes,
    setup_sse,
    sse_generator,
)
from sse_components.generators.endpoint import EndpointResponse
from tests.support.live_app import LiveApp, make_app
from tests.support.running import running
from tests.support.serving import Stream, until

pytestmark = pytest.mark.anyio


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "tick"
        await asyncio.sleep(0.01)


def add_streams(app: Any, sse: Kit) -> None:
    """Add a stream of each kind that an application can make."""
    app.route("/handler")(create_broadcast_handler(sse))
    app.route("/source")(create_sse_endpoint(ticks))

    @app.route("/endpoint")
    async def endpoint() -> Any:
        return await create_broadcast_endpoint(sse)

    @app.route("/own")
    async def own(request: Request) -> Any:
        return await sse.stream("todos")

    @app.route("/generator")
    def generator() -> Any:
        return EndpointResponse(sse_generator(ticks))


KINDS = ["/sse/broadcast", "/handler", "/endpoint", "/own", "/source", "/generator"]


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[LiveApp]:
    app, sse = make_app(**{"public_broadcast": True, **options})
    add_streams(app, sse)
    async with running(app) as site:
        live_app = LiveApp(site.port, sse)
        try:
            yield live_app
        finally:
            await live_app.close()


async def begun(stream: Stream) -> Stream:
    while not stream.status:
        await stream.read()
    return stream


@pytest.mark.parametrize("path", KINDS)
async def test_no_kind_of_stream_exceeds_the_limit_of_its_client(path: str) -> None:
    async with serving(limits=Limits(connections_per_client=5)) as live_app:
        browser = live_app.browser()
        await browser.grants()
        answers = [await begun(stream) for stream in await asyncio.gather(*[browser.open(path) for _ in range(30)])]
        assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 25
        refused = next(answer for answer in answers if answer.status == 429)
        assert int(refused.headers["retry-after"]) >= 5
        for answer in answers:
            await answer.close()
        await until(lambda: not live_app.sse.quota._taken)
        assert live_app.sse.quota._unregistered == 0
        assert (await begun(await browser.open(path))).status == 200


@pytest.mark.parametrize("path", KINDS)
async def test_every_kind_of_stream_ends_with_the_logout(path: str) -> None:
    async with serving() as live_app:
        ann, bob = [await live_app.browser().login(name) for name in ("ann", "bob")]
        for browser in (ann, bob):
            await browser.grants()
        hers, his = [await begun(await browser.open(path)) for browser in (ann, bob)]
        assert await ann.get("/logout") == "1"
        async with asyncio.timeout(10):
            await hers.to_end()
        assert b"revoked" in hers.body
        if path in ("/source", "/generator"):
            size = len(his.body)
            await until_larger(his, size)
        else:
            await live_app.sse.broadcast("note", {"n": 1})
            await his.until('"n": 1' if path != "/own" else "note")


@pytest.mark.parametrize("path", KINDS)
async def test_every_kind_of_stream_of_a_user_is_revoked(path: str) -> None:
    async with serving() as live_app:
        ann = await live_app.browser().login("ann")
        stream = await begun(await ann.open(path))
        assert await live_app.sse.revoke(user="ann") == 1
        await stream.to_end()


async def test_who_has_never_seen_a_page_of_the_kit_is_known_from_the_first_stream_on() -> None:
    async with serving() as live_app:
        browser = live_app.browser()
        stream = await begun(await browser.open("/endpoint"))
        assert "set-cookie" in stream.headers


@pytest.mark.parametrize("path", ["/handler", "/sse/broadcast"])
async def test_an_id_of_the_querys_is_kept_in_part(path: str) -> None:
    async with serving() as live_app:
        await begun(await live_app.browser().open(f"{path}?connection_id={'x' * 60_000}"))
        await until(lambda: bool(live_app.streams))
        assert len(live_app.streams[0].metadata["requested_id"]) == 200


async def until_larger(stream: Stream, size: int) -> None:
    while len(stream.body) <= size:
        await stream.read()


async def test_one_address_takes_a_part_of_the_places_whatever_its_cookies(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(connections_per_address=4)
    async with serving(limits=limits) as live_app:
        streams = [await begun(await live_app.browser().open(path)) for path in KINDS]
        assert [stream.status for stream in streams] == [200] * 4 + [429] * 2
        # uvicorn trusts a proxy on this host: clients behind it have their own addresses.
        other = await live_app.browser().open("/endpoint", headers=["x-forwarded-for: 203.0.113.9"])
        assert (await begun(other)).status == 200
    assert [record.levelname for record in caplog.records if "forwarded-allow-ips" in record.message] == ["WARNING"]


async def test_broadcasts_need_a_grant_unless_the_application_opens_them() -> None:
    async with serving(public_broadcast=False) as live_app:
        browser = live_app.browser()
        refused = await (await browser.open("/sse/broadcast")).to_end()
        assert (refused.status, b"public_broadcast=True" in refused.body) == (403, True)
        stream = await browser.follow(await browser.grants())
        await live_app.sse.broadcast("note", {"n": 1})
        await stream.until("event: note")
    parameters = inspect.signature(setup_sse).parameters
    assert parameters["public_broadcast"].default is False


@pytest.mark.parametrize("first", [setup_sse, setup_broadcast_routes])
async def test_an_application_that_sets_up_the_first_apis_routes_itself_opens_them(first: Any) -> None:
    app, manager = FastHTML(secret_key="tests"), Kit()
    setups: list[Any] = [setup_sse, setup_broadcast_routes]
    for setup in sorted(setups, key=lambda setup: setup is not first):
        setup(app, manager=manager)
    async with running(app) as site:
        assert (await begun(await site.open("/sse/broadcast"))).status == 200
