"""Who gets which stream: real streams, by a real server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest
from fasthtml.common import Request
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response

from sse_components import Limits
from sse_components.access.grants import Grants
from sse_components.events.log import Cursor
from tests.support.running import running
from tests.support.serving import Stream, until
from tests.support.visiting import FORM, Browser, Decision, connection_of, data_of, make_app, visited

pytestmark = pytest.mark.anyio

HERE = Cursor("epoch", 0)


# ---------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize("path", ["/sse/stream", "/sse/stream?channel=todos", "/sse/stream?other="])
async def test_a_stream_needs_a_grant(path: str) -> None:
    async with visited() as house:
        for method in ("GET", "POST"):
            answer = await house.browser().ask(path, method=method, headers=FORM)
            assert (answer.status, bytes(answer.body)) == (400, b"a stream needs a grant: sub=<grant>")
        assert (await house.browser().ask("/sse/renew", method="POST", headers=FORM)).status == 400
        assert (await house.browser().ask("/sse/renew")).status == 405


async def test_the_first_frame_says_what_is_granted_and_for_how_long() -> None:
    async with visited(grant_seconds=100) as house:
        ann = house.browser()
        stream = await ann.follow(await ann.grants("todos,chat"))
        subs = data_of(stream, "sse:open")["subs"]
        assert [one["channels"] for one in subs] == [["todos"], ["chat"]]
        assert all(90 < one["expires"] <= 100 for one in subs)
        assert stream.headers["cache-control"] == "no-store, no-transform"


async def test_grants_come_in_the_address_or_in_the_body() -> None:
    async with visited() as house:
        ann = house.browser()
        grants = await ann.grants("todos")
        by_get = await (await ann.open("/sse/stream?" + urlencode([("sub", one) for one in grants]))).until("sse:open")
        by_post = await ann.follow(grants)
        await house.sse.publish("todos", "milk")
        for stream in (by_get, by_post):
            assert (await stream.until("milk")).texts == ["milk"]


async def test_a_stream_by_post_leaves_middleware_behind_as_well() -> None:
    async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)

    app, sse = make_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    async with running(app) as site:
        ann = Browser(site.port)
        stream = await ann.follow(await ann.grants())
        await until(lambda: [getattr(one, "steppable", None) for one in sse.registry.get_connections()] == [True])
        await sse.publish("todos", "milk")
        await stream.until("milk")
        await ann.close()
        await until(lambda: len(sse.registry) == 0)


# ---------------------------------------------------------------------- grants that are refused


def forgeries(grant: str) -> list[str]:
    return [
        "",
        "todos",
        "todos~epoch-0",
        "~" + grant,
        "x" + grant,
        grant[:10] + grant[11:],
        grant.replace(".", "", 1),
        grant[:-4] + "AAAA",
        Grants("another key").sign(["todos"], HERE),
    ]


async def test_a_forged_or_altered_grant_is_refused() -> None:
    async with visited() as house:
        ann = house.browser()
        (grant,) = await ann.grants()
        for forged in forgeries(grant):
            assert await ann.refused([forged]) == (403, [{"sub": 0, "reason": "forged"}]), forged
        everything = await ann.refused(forgeries(grant))
        assert everything == (403, [{"sub": index, "reason": "forged"} for index in range(9)])
        stream = await ann.open(f"/sse/stream?sub={forgeries(grant)[-1]}")
        assert (await stream.to_end()).headers["content-type"] == "application/json"
        assert b'"detail":"the grant was not signed by this application: reload the page"' in stream.body


async def test_one_bad_grant_does_not_take_the_others_down() -> None:
    async with visited() as house:
        ann = house.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await (await ann.post([todos, "forged", chat])).until("sse:denied")
        assert [one and one["channels"] for one in data_of(stream, "sse:open")["subs"]] == [["todos"], None, ["chat"]]
        assert data_of(stream, "sse:denied") == {"denied": [{"sub": 1, "reason": "forged"}]}
        for channel in ("todos", "secret", "chat"):
            await house.sse.publish(channel, channel)
        assert (await stream.until("data: chat")).texts == ["todos", "chat"]


async def test_a_grant_that_has_run_out_is_refused() -> None:
    async with visited(grant_seconds=0.05) as house:
        ann = house.browser()
        grants = await ann.grants()
        denied = [{"sub": 0, "channels": ["todos"], "reason": "expired"}]
        await until(lambda: is_refused(ann, grants))
        assert await ann.refused(grants) == (403, denied)
        assert await ann.renew(grants) == [{"denied": "expired"}]


async def is_refused(browser: Browser, grants: list[str]) -> bool:
    async with await browser.post(grants) as stream:
        await until(lambda: stream_begins(stream))
        return stream.status == 403


async def stream_begins(stream: Stream) -> bool:
    await stream.read()
    return stream.status > 0


async def test_the_grant_of_another_session_is_refused() -> None:
    async with visited() as house:
        ann, bob = house.browser(), house.browser()
        grants = await ann.grants()
        await bob.grants()
        denied = [{"sub": 0, "channels": ["todos"], "reason": "foreign"}]
        assert await bob.refused(grants) == (403, denied)
        assert await house.browser().refused(grants) == (403, denied)
        assert await bob.renew(grants) == [{"denied": "foreign"}]
        await ann.follow(grants)


async def test_the_grant_of_another_user_is_refused_and_ones_own_serves_in_every_browser() -> None:
    async with visited() as house:
        ann, bob, anns_phone = [await house.browser().login(user) for user in ("ann", "bob", "ann")]
        grants = await ann.grants()
        assert (await bob.refused(grants))[1][0]["reason"] == "foreign"
        await anns_phone.follow(grants)


async def test_what_was_granted_before_the_login_stays() -> None:
    async with visited() as house:
        ann = house.browser()
        grants = await ann.grants()
        await ann.login("ann")
        await ann.follow(grants)


@pytest.mark.parametrize("first", ["clear", "revoke"])
async def test_a_grant_is_not_to_be_replayed_after_the_logout(first: str) -> None:
    async with visited() as house:
        ann, thief = await house.browser().login("ann"), house.browser()
        grants = await ann.grants()
        thief.cookie = list(ann.cookie)
        streams = [await ann.follow(grants), await ann.follow(grants)]
        assert await ann.get(f"/logout?first={first}") == "2"
        for stream in streams:
            assert data_of(await stream.to_end(1), "sse:denied") == {
                "denied": [{"channels": ["todos"], "reason": "revoked"}]
            }
        assert (await ann.refused(grants))[1][0]["reason"] == "foreign"
        assert (await thief.refused(grants))[1][0]["reason"] == "revoked"
        assert await thief.renew(grants) == [{"denied": "revoked"}]
        await ann.follow(await ann.grants())


async def test_a_session_that_was_granted_nothing_has_nothing_to_lose() -> None:
    async with visited() as house:
        ann, bob = house.browser(), house.browser()
        await bob.follow(await bob.grants())
        assert await ann.get("/logout") == "0"
        assert len(house.streams) == 1


# ---------------------------------------------------------------------- what the application says


def asked_by(allowed: set[str], asked: list[str]) -> Callable[[Request, str], bool]:
    def authorize(request: Request, channel: str) -> bool:
        asked.append(f"{request.url.path} {channel}")
        return channel in allowed

    return authorize


@pytest.mark.parametrize("awaits", [False, True])
async def test_the_application_decides_for_each_request(awaits: bool) -> None:
    allowed, asked = {"todos"}, list[str]()
    decide = asked_by(allowed, asked)

    async def decide_later(request: Request, channel: str) -> bool:
        await asyncio.sleep(0)
        return decide(request, channel)

    async with visited(authorize=decide_later if awaits else decide) as house:
        ann = house.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await (await ann.post([todos, chat, todos])).until("sse:denied")
        denied = {"sub": 1, "channels": ["chat"], "reason": "forbidden"}
        assert data_of(stream, "sse:denied") == {"denied": [denied]}
        assert asked == ["/sse/stream chat", "/sse/stream todos"]
        assert await ann.refused([chat]) == (403, [denied | {"sub": 0}])
        allowed.clear()
        assert await ann.renew([todos]) == [{"denied": "forbidden"}]


async def test_a_grant_of_which_one_channel_is_forbidden_is_refused_as_a_whole() -> None:
    async with visited(authorize=asked_by({"todos"}, []), secret_key="key") as house:
        both = Grants("key").sign(["todos", "chat"], house.sse.backend.cursor)
        denied = [{"sub": 0, "channels": ["chat", "todos"], "reason": "forbidden"}]
        assert await house.browser().refused([both]) == (403, denied)


async def test_what_is_revoked_while_the_application_is_asked_is_not_granted() -> None:
    decision = Decision()
    async with visited(authorize=decision) as house:
        ann = house.browser()
        grants = await ann.grants()
        stream, renewal = asyncio.create_task(ann.refused(grants)), asyncio.create_task(ann.renew(grants))
        await decision.asked.wait()
        await house.sse.revoke(channel="todos")
        decision.made.set()
        assert (await stream)[1][0]["reason"] == (await renewal)[0]["denied"] == "revoked"


# ---------------------------------------------------------------------- renewal


async def test_renewal_prolongs_a_running_stream_and_one_without_it_ends() -> None:
    async with visited(grant_seconds=2) as house:
        ann = house.browser()
        grants = await ann.grants("todos")
        renewed, other = await ann.follow(grants), await ann.follow(grants)
        end = house.streams[0].subscriber.expires_at  # type: ignore[union-attr]
        ending = asyncio.create_task(other.to_end(20))
        # It is renewed as long as the other one lasts, so that it outlives that one on a slow machine, too.
        while not ending.done():
            (answer,) = await ann.renew(grants, connection=connection_of(renewed))
            assert answer["grant"] != grants[0]
            grants = [answer["grant"]]
            assert answer["expires"] <= 2
        assert house.streams[0].subscriber.expires_at > end  # type: ignore[union-attr]
        denied = {"denied": [{"channels": ["todos"], "reason": "expired"}]}
        assert data_of(other, "sse:denied") == denied
        assert [one.connection_id for one in house.streams if one.final_event is None] == [connection_of(renewed)]
        assert data_of(await renewed.to_end(20), "sse:denied") == denied


async def test_a_renewed_grant_opens_a_stream_from_where_the_first_one_did() -> None:
    async with visited() as house:
        ann = house.browser()
        grants = await ann.grants()
        await house.sse.publish("todos", "milk")
        (answer,) = await ann.renew([f"{grants[0]}~{house.sse.backend.cursor}"])
        assert (await (await ann.follow([answer["grant"]])).until("milk")).texts == ["milk"]


async def test_renewal_answers_for_each_grant() -> None:
    async with visited() as house:
        ann = house.browser()
        todos, chat = await ann.grants("todos,chat")
        first, second, third = await ann.renew([todos, "forged", chat])
        assert second == {"denied": "forged"}
        assert set(first) == set(third) == {"grant", "expires"}


async def test_nobody_prolongs_the_stream_of_another_or_adds_to_ones_own() -> None:
    async with visited() as house:
        ann, bob = house.browser(), house.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await ann.follow([todos])
        held = house.streams[0].subscriber.grants  # type: ignore[union-attr]
        await bob.renew(await bob.grants(), connection=connection_of(stream))
        await ann.renew([chat], connection=connection_of(stream))
        await ann.renew([todos], connection="unknown")
        assert house.streams[0].subscriber.grants == held  # type: ignore[union-attr]


# ---------------------------------------------------------------------- other origins


CROSS = ["origin: https://evil.example"]


@pytest.mark.parametrize("headers", [CROSS, ["sec-fetch-site: cross-site"], ["sec-fetch-site: same-site"]])
@pytest.mark.parametrize("path", ["/sse/stream", "/sse/renew"])
async def test_a_post_of_another_origin_is_refused(path: str, headers: list[str]) -> None:
    async with visited() as house:
        ann = house.browser()
        body = urlencode({"sub": (await ann.grants())[0]}).encode()
        answer = await (await ann.open(path, method="POST", headers=[*FORM, *headers], body=body)).to_end()
        assert (answer.status, bytes(answer.body[:40])) == (403, b"this address is for the application's ow")
        assert house.streams == []


async def test_a_post_of_the_same_origin_passes() -> None:
    async with visited() as house:
        ann = house.browser()
        body = urlencode({"sub": (await ann.grants())[0]}).encode()
        origin = [f"origin: http://127.0.0.1:{house.port}"]
        await (await ann.open("/sse/stream", method="POST", headers=[*FORM, *origin], body=body)).until("sse:open")


# ---------------------------------------------------------------------- limits


async def test_thousands_of_grants_in_one_address_are_too_many_and_others_do_not_notice() -> None:
    async with visited() as house:
        ann, bob = house.browser(), house.browser()
        stream = await bob.follow(await bob.grants())
        (grant,) = await ann.grants()
        answer = await (await ann.open("/sse/stream?" + f"sub={grant}&" * 300)).to_end()
        assert answer.status == 414
        assert b"8192 bytes" in answer.body
        await house.sse.publish("todos", "milk")
        await stream.until("milk")


async def test_thousands_of_grants_in_one_body_are_too_many_and_others_do_not_notice() -> None:
    async with visited() as house:
        ann, bob = house.browser(), house.browser()
        stream = await bob.follow(await bob.grants())
        (grant,) = await ann.grants()
        for path in ("/sse/stream", "/sse/renew"):
            # FastHTML's own limit of fields comes first.
            assert (await (await ann.post([grant] * 3_000, path)).to_end()).status == 400
            answer = await (await ann.post(["x" * 262_144], path)).to_end()
            assert (answer.status, bytes(answer.body)) == (413, b"the body may have 262144 bytes")
        await ann.follow([grant] * 1_000)
        await house.sse.publish("todos", "milk")
        await stream.until("milk")


async def test_more_grants_than_channels_are_too_many() -> None:
    async with visited(limits=Limits(channels_per_connection=3)) as house:
        ann = house.browser()
        (grant,) = await ann.grants()
        for path in ("/sse/stream", "/sse/renew"):
            answer = await (await ann.post([grant] * 4, path)).to_end()
            assert (answer.status, bytes(answer.body)) == (413, b"a connection may follow 3 channels")


async def test_a_connection_follows_so_many_channels_and_no_more() -> None:
    async with visited(secret_key="key", limits=Limits(channels_per_connection=3)) as house:
        grants = [Grants("key").sign(channels.split(), house.sse.backend.cursor) for channels in ("a b c", "b c d")]
        await house.browser().follow(grants[:1])
        assert (await (await house.browser().post(grants)).to_end()).status == 413


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_a_body_is_a_form(kind: str) -> None:
    async with visited() as house:
        ann = house.browser()
        (grant,) = await ann.grants()
        body = json.dumps({"sub": grant}).encode()
        for path in ("/sse/stream", "/sse/renew"):
            answer = await ann.ask(path, method="POST", headers=[f"content-type: {kind}"], body=body)
            assert answer.status == (400 if "multipart" in kind else 415)


async def test_a_flood_of_one_client_is_held_and_another_one_does_not_notice() -> None:
    async with visited(limits=Limits(connections_per_client=5)) as house:
        ann, bob = house.browser(), house.browser()
        grants, bobs = await ann.grants(), await bob.grants()
        streams = await asyncio.gather(*[answered(await ann.post(grants)) for _ in range(50)])
        assert sorted(stream.status for stream in streams) == [200] * 5 + [429] * 45
        full = next(stream for stream in streams if stream.status == 429)
        assert 5 <= int(full.headers["retry-after"]) <= 15
        stream = await bob.follow(bobs)
        await house.sse.publish("todos", "milk")
        await stream.until("milk")
        await next(stream for stream in streams if stream.status == 200).close()
        await until(lambda: len(house.streams) == 5)
        await ann.follow(grants)


async def answered(stream: Stream) -> Stream:
    while not stream.status:
        await stream.read()
    return stream


async def test_a_full_house_says_when_to_come_back() -> None:
    async with visited(limits=Limits(connections=2)) as house:
        first, second, third = house.browser(), house.browser(), house.browser()
        grants = await first.grants()
        await first.follow(grants)
        await (await second.open("/sse/broadcast")).until("sse:open")
        for answer in (await third.post(await third.grants()), await third.open("/sse/broadcast")):
            await answer.to_end()
            assert answer.status == 503
            assert 5 <= int(answer.headers["retry-after"]) <= 15


async def test_broadcasts_are_limited_for_each_client_too() -> None:
    async with visited(limits=Limits(connections_per_client=1)) as house:
        ann = house.browser()
        await (await ann.open("/sse/broadcast")).until("sse:open")
        assert (await (await ann.open("/sse/broadcast")).to_end()).status == 429


async def test_what_never_became_a_stream_takes_no_room() -> None:
    async with visited(limits=Limits(connections_per_client=2)) as house:
        ann = house.browser()
        (grant,) = await ann.grants()
        for _ in range(5):
            assert (await answered(await ann.open(f"/sse/stream?sub={grant}", method="HEAD"))).status == 200
        await ann.follow([grant])


# ---------------------------------------------------------------------- broadcasts


async def test_broadcasts_are_public_by_default_and_can_be_closed() -> None:
    for options, status in (({}, 200), ({"public_broadcast": False}, 403)):
        async with visited(**options) as house:
            ann = house.browser()
            assert (await answered(await ann.open("/sse/broadcast"))).status == status
            stream = await ann.follow(await ann.grants())
            await house.sse.broadcast("note", {"n": 1})
            await stream.until("event: note")


# ---------------------------------------------------------------------- the log


async def test_neither_grants_nor_channels_nor_ids_reach_the_log_at_info_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "uvicorn.access")  # which a server before it may have silenced
    async with visited(secret_key="key") as house:
        house.sse.debug = house.sse.registry.debug = True
        ann = house.browser()
        grants = [Grants("key").sign(["a-channel"], house.sse.backend.cursor)]
        stream = await ann.follow([*grants, "forged"])
        id = connection_of(stream)
        await ann.renew(grants, connection=id)
        await house.sse.publish("a-channel", "milk", exclude=id)
        await house.sse.broadcast("note", {"n": 1})
        _, queue = await house.sse.register("a-queue")
        for number in range(queue.maxsize + 1):
            await house.sse.broadcast("note", {"n": number})
        await house.sse.revoke(connection=id)
        await stream.to_end()
        await ann.refused(grants)
    logged = [record.getMessage() for record in caplog.records]
    assert [line for line in logged if '"POST /sse/stream HTTP/1.1" 200' in line]
    assert "connection added: 1 in all" in logged
    for secret in ("a-channel", "a-queue", id, *[grant[:20] for grant in grants]):
        assert [line for line in logged if secret in line] == []
