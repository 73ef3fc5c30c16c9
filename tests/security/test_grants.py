"""Attacks with grants: in another application, for another's channel, too many, and one bad one among good ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fasthtml.common import Request
from starlette.routing import Mount

from sse_components import GrantError, Limits
from sse_components.access.grants import Grants
from sse_components.access.identity import session_channel, user_channel
from sse_components.events.log import Cursor
from tests.support.clock import Clock
from tests.support.live_app import Browser, data_of, make_app, run_live_app
from tests.support.running import running

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def run_two_apps() -> AsyncIterator[Browser]:
    """Serve two applications with one key, each with a channel `orders`: a shop, and its administration below it."""
    shop, _ = make_app()
    admin, _ = make_app()
    shop.router.routes.insert(0, Mount("/admin", app=admin))
    async with admin.router.lifespan_context(admin), running(shop) as site:
        browser = Browser(site.port)
        yield browser
        await browser.close()


async def test_a_grant_of_one_application_opens_nothing_in_another() -> None:
    async with run_two_apps() as ann:
        await ann.login("ann")
        await ann.get("/admin/login?user=ann")
        (grant,) = await ann.grants("orders")
        for path in ("stream", "renew"):
            answer = await (await ann.post([grant], f"/admin/sse/{path}")).to_end()
            assert b'"forged"' in answer.body
        await ann.follow([grant])


async def test_a_browser_with_more_grants_than_a_form_may_have_fields_gets_its_stream() -> None:
    """Eleven tabs of a page with a hundred elements."""
    async with run_live_app() as live_app:
        ann = live_app.browser()
        channels = ",".join(f"room-{number}" for number in range(100))
        grants = [grant for _ in range(11) for grant in await ann.grants(channels)]
        assert len(set(grants)) == 1_100
        stream = await ann.follow(grants)
        assert len(data_of(stream, "sse:open")["subs"]) == 1_100
        assert [answer for answer in await ann.renew(grants) if "denied" in answer] == []


async def test_a_channel_that_the_application_cannot_decide_on_is_refused_alone_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def authorize(request: Request, channel: str) -> bool:
        if channel.startswith("broken"):
            raise ValueError("no such room")
        return True

    async with run_live_app(authorize=authorize) as live_app:
        ann = live_app.browser()
        grants = await ann.grants("todos,broken,broken-too")
        stream = await (await ann.post(grants)).until("sse:denied")
        assert [bool(sub) for sub in data_of(stream, "sse:open")["subs"]] == [True, False, False]
        assert {denied["reason"] for denied in data_of(stream, "sse:denied")["denied"]} == {"failed"}
        assert len([record for record in caplog.records if "authorize failed" in record.getMessage()]) == 1
        assert [list(answer) for answer in await ann.renew(grants)] == [["grant", "expires"], ["denied"], ["denied"]]
        # Where it can decide on nothing, as without its database, browsers try again.
        answer = await (await ann.post(grants[1:])).to_end()
        assert (answer.status, "retry-after" in answer.headers) == (503, True)


async def test_grants_beyond_the_limit_do_not_take_the_others_along() -> None:
    async with run_live_app(limits=Limits(channels_per_connection=3)) as live_app:
        ann = live_app.browser()
        grants = await ann.grants("a,b,c,d,e")
        stream = await (await ann.post(grants)).until("sse:denied")
        assert [bool(sub) for sub in data_of(stream, "sse:open")["subs"]] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("path", ["/sse/stream", "/sse/renew"])
async def test_channels_of_another_user_or_session_are_refused_alike_whenever_they_are_asked_for(path: str) -> None:
    """Even with a grant that names them, as a page of a faulty application could give it."""
    async with run_live_app(secret_key="key") as live_app:
        ann = await live_app.browser().login("ann")
        here = live_app.sse.backend.cursor
        for channel in (user_channel("bob"), session_channel("another")):
            grant = Grants("key").sign([channel], here, place="/sse")
            answer = await (await ann.post([grant], path)).to_end()
            assert b'"foreign"' in answer.body
        grant = Grants("key").sign([user_channel("ann")], here, place="/sse")
        if path == "/sse/stream":
            await ann.follow([grant])
        else:
            assert "grant" in (await ann.renew([grant]))[0]


async def test_a_grant_is_no_longer_valid_when_the_clock_is_set_back(clock: Clock) -> None:
    grants = Grants("key", clock=clock)
    token = grants.sign(["todos"], Cursor("epoch", 0))
    clock.now -= 0.5
    grants.revocations.add(channel="todos")
    with pytest.raises(GrantError, match=r"^the grant has been revoked$"):
        grants.read(token)


async def test_a_grant_that_was_made_for_readers_of_a_channel_is_worth_nothing_alone() -> None:
    async with run_live_app(secret_key="key") as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        for_readers = Grants("key").sign(["row 7"], live_app.sse.backend.cursor, place="/sse", via="todos")
        inside = Grants("key").sign(["cell"], live_app.sse.backend.cursor, place="/sse", via="row 7")
        assert (await ann.refusal([for_readers]))[1][0]["reason"] == "expired"
        todos = await bob.grants("todos")
        stream = await bob.follow([inside, for_readers, *todos])
        assert [sub["channels"] for sub in data_of(stream, "sse:open")["subs"]] == [["cell"], ["row 7"], ["todos"]]
        # Who is thrown out of the channel is thrown out of what was published on it.
        await live_app.sse.revoke(channel="todos")
        assert {denied["reason"] for denied in (await bob.refusal([inside, for_readers, *todos]))[1]} == {
            "expired",
            "revoked",
        }
