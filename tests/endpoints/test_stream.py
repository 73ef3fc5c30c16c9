"""Authorization and limits of streams, served by uvicorn."""

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
from tests.support.live_app import (
    FORM,
    Browser,
    LiveApp,
    PendingAuthorization,
    connection_of,
    data_of,
    make_app,
    run_live_app,
)
from tests.support.running import running
from tests.support.serving import Stream, until

pytestmark = pytest.mark.anyio

HERE = Cursor("epoch", 0)


def sign(live_app: LiveApp, channels: list[str]) -> str:
    """Return a grant for everybody, of an app with the secret key `key`."""
    return Grants("key").sign(channels, live_app.sse.backend.cursor, place="/sse")


# ---------------------------------------------------------------------- requests


@pytest.mark.parametrize("path", ["/sse/stream", "/sse/stream?channel=todos", "/sse/stream?other="])
async def test_a_stream_needs_a_grant(path: str) -> None:
    async with run_live_app() as live_app:
        for method in ("GET", "POST"):
            answer = await live_app.browser().ask(path, method=method, headers=FORM)
            assert (answer.status, bytes(answer.body)) == (400, b"a stream needs a grant: sub=<grant>")
        assert (await live_app.browser().ask("/sse/renew", method="POST", headers=FORM)).status == 400
        assert (await live_app.browser().ask("/sse/renew")).status == 405


async def test_the_first_frame_lists_the_granted_channels_and_when_they_expire() -> None:
    async with run_live_app(grant_seconds=100) as live_app:
        ann = live_app.browser()
        stream = await ann.follow(await ann.grants("todos,chat"))
        subs = data_of(stream, "sse:open")["subs"]
        assert [sub["channels"] for sub in subs] == [["todos"], ["chat"]]
        assert all(90 < sub["expires"] <= 100 for sub in subs)
        assert stream.headers["cache-control"] == "no-store, no-transform"


async def test_grants_are_read_from_the_query_or_the_body() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        grants = await ann.grants("todos")
        by_get = await (await ann.open("/sse/stream?" + urlencode([("sub", grant) for grant in grants]))).until(
            "sse:open"
        )
        by_post = await ann.follow(grants)
        await live_app.sse.publish("todos", "milk")
        for stream in (by_get, by_post):
            assert (await stream.until("milk")).texts == ["milk"]


async def test_a_stream_by_post_bypasses_middleware_too() -> None:
    async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)

    app, sse = make_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    async with running(app) as site:
        ann = Browser(site.port)
        stream = await ann.follow(await ann.grants())
        await until(lambda: [getattr(stream, "steppable", None) for stream in sse.registry.get_connections()] == [True])
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
    async with run_live_app() as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        for forged in forgeries(grant):
            assert await ann.refusal([forged]) == (403, [{"sub": 0, "reason": "forged"}]), forged
        everything = await ann.refusal(forgeries(grant))
        assert everything == (403, [{"sub": index, "reason": "forged"} for index in range(9)])
        stream = await ann.open(f"/sse/stream?sub={forgeries(grant)[-1]}")
        assert (await stream.to_end()).headers["content-type"] == "application/json"
        assert b'"detail":"the grant was not signed by this application: reload the page"' in stream.body


async def test_a_forged_grant_does_not_affect_the_other_grants() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await (await ann.post([todos, "forged", chat])).until("sse:denied")
        assert [sub and sub["channels"] for sub in data_of(stream, "sse:open")["subs"]] == [["todos"], None, ["chat"]]
        assert data_of(stream, "sse:denied") == {"denied": [{"sub": 1, "reason": "forged"}]}
        for channel in ("todos", "secret", "chat"):
            await live_app.sse.publish(channel, channel)
        assert (await stream.until("data: chat")).texts == ["todos", "chat"]


async def test_an_expired_grant_is_refused() -> None:
    async with run_live_app(grant_seconds=0.05) as live_app:
        ann = live_app.browser()
        grants = await ann.grants()
        denied = [{"sub": 0, "channels": ["todos"], "reason": "expired"}]
        await until(lambda: is_refused(ann, grants))
        assert await ann.refusal(grants) == (403, denied)
        assert await ann.renew(grants) == [{"denied": "expired"}]


async def is_refused(browser: Browser, grants: list[str]) -> bool:
    async with await browser.post(grants) as stream:
        await until(lambda: stream_begins(stream))
        return stream.status == 403


async def stream_begins(stream: Stream) -> bool:
    await stream.read()
    return stream.status > 0


async def test_the_grant_of_another_session_is_refused() -> None:
    async with run_live_app() as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        grants = await ann.grants()
        await bob.grants()
        denied = {"sub": 0, "channels": ["todos"], "reason": "foreign"}
        assert await bob.refusal(grants) == (403, [denied])
        # A browser without the cookie is told so: perhaps it blocks cookies.
        assert await live_app.browser().refusal(grants) == (403, [{**denied, "reason": "cookie"}])
        assert await bob.renew(grants) == [{"denied": "foreign"}]
        await ann.follow(grants)


async def test_a_user_grant_is_valid_in_all_browsers_of_the_user_and_no_others() -> None:
    async with run_live_app() as live_app:
        ann, bob, anns_phone = [await live_app.browser().login(user) for user in ("ann", "bob", "ann")]
        grants = await ann.grants()
        assert (await bob.refusal(grants))[1][0]["reason"] == "foreign"
        await anns_phone.follow(grants)


async def test_a_grant_from_before_the_login_stays_valid() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        grants = await ann.grants()
        await ann.login("ann")
        await ann.follow(grants)


@pytest.mark.parametrize("first", ["clear", "revoke"])
async def test_a_grant_cannot_be_replayed_after_the_logout(first: str) -> None:
    async with run_live_app() as live_app:
        ann, thief = await live_app.browser().login("ann"), live_app.browser()
        grants = await ann.grants()
        thief.jar = dict(ann.jar)
        streams = [await ann.follow(grants), await ann.follow(grants)]
        assert await ann.get(f"/logout?first={first}") == "2"
        for stream in streams:
            assert data_of(await stream.to_end(1), "sse:denied") == {
                "denied": [{"channels": ["todos"], "reason": "revoked"}]
            }
        assert (await ann.refusal(grants))[1][0]["reason"] == "foreign"
        assert (await thief.refusal(grants))[1][0]["reason"] == "revoked"
        assert await thief.renew(grants) == [{"denied": "revoked"}]
        await ann.follow(await ann.grants())


async def test_revoking_a_session_without_grants_ends_nothing() -> None:
    async with run_live_app() as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        await bob.follow(await bob.grants())
        assert await ann.get("/logout") == "0"
        assert len(live_app.streams) == 1


# ---------------------------------------------------------------------- authorize


def make_authorize(allowed: set[str], calls: list[str]) -> Callable[[Request, str], bool]:
    def authorize(request: Request, channel: str) -> bool:
        calls.append(f"{request.url.path} {channel}")
        return channel in allowed

    return authorize


@pytest.mark.parametrize("awaits", [False, True])
async def test_authorize_decides_for_each_request(awaits: bool) -> None:
    allowed, calls = {"todos"}, list[str]()
    decide = make_authorize(allowed, calls)

    async def decide_later(request: Request, channel: str) -> bool:
        await asyncio.sleep(0)
        return decide(request, channel)

    async with run_live_app(authorize=decide_later if awaits else decide) as live_app:
        ann = live_app.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await (await ann.post([todos, chat, todos])).until("sse:denied")
        denied = {"sub": 1, "channels": ["chat"], "reason": "forbidden"}
        assert data_of(stream, "sse:denied") == {"denied": [denied]}
        assert calls == ["/sse/stream chat", "/sse/stream todos"]
        assert await ann.refusal([chat]) == (403, [denied | {"sub": 0}])
        allowed.clear()
        assert await ann.renew([todos]) == [{"denied": "forbidden"}]


async def test_a_grant_with_a_forbidden_channel_is_refused_as_a_whole() -> None:
    async with run_live_app(authorize=make_authorize({"todos"}, []), secret_key="key") as live_app:
        both = sign(live_app, ["todos", "chat"])
        denied = [{"sub": 0, "channels": ["chat", "todos"], "reason": "forbidden"}]
        assert await live_app.browser().refusal([both]) == (403, denied)


async def test_a_grant_that_is_revoked_during_authorization_is_refused() -> None:
    authorize = PendingAuthorization()
    async with run_live_app(authorize=authorize) as live_app:
        ann = live_app.browser()
        grants = await ann.grants()
        stream, renewal = asyncio.create_task(ann.refusal(grants)), asyncio.create_task(ann.renew(grants))
        await authorize.called.wait()
        await live_app.sse.revoke(channel="todos")
        authorize.granted.set()
        assert (await stream)[1][0]["reason"] == (await renewal)[0]["denied"] == "revoked"


# ---------------------------------------------------------------------- renewal


async def test_renewal_extends_a_stream_and_a_stream_without_it_ends() -> None:
    async with run_live_app(grant_seconds=2) as live_app:
        ann = live_app.browser()
        grants = await ann.grants("todos")
        renewed, other = await ann.follow(grants), await ann.follow(grants)
        end = live_app.streams[0].subscriber.expires_at  # type: ignore[union-attr]
        ending = asyncio.create_task(other.to_end(20))
        # Renew until the other stream ends, so that this one lives longer on a slow machine, too.
        while not ending.done():
            (answer,) = await ann.renew(grants, connection=connection_of(renewed))
            grants = [answer["grant"]]
            assert answer["expires"] <= 2
        assert live_app.streams[0].subscriber.expires_at > end  # type: ignore[union-attr]
        denied = {"denied": [{"channels": ["todos"], "reason": "expired"}]}
        assert data_of(other, "sse:denied") == denied
        assert [stream.connection_id for stream in live_app.streams if stream.final_event is None] == [
            connection_of(renewed)
        ]
        assert data_of(await renewed.to_end(20), "sse:denied") == denied


async def test_a_renewed_grant_keeps_the_cursor_of_the_first() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        grants = await ann.grants()
        await live_app.sse.publish("todos", "milk")
        (answer,) = await ann.renew([f"{grants[0]}~{live_app.sse.backend.cursor}"])
        assert (await (await ann.follow([answer["grant"]])).until("milk")).texts == ["milk"]


async def test_renewal_answers_for_each_grant() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        todos, chat = await ann.grants("todos,chat")
        first, second, third = await ann.renew([todos, "forged", chat])
        assert second == {"denied": "forged"}
        assert set(first) == set(third) == {"grant", "expires"}


async def test_renewal_neither_extends_the_stream_of_another_nor_adds_channels() -> None:
    async with run_live_app() as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        todos, chat = await ann.grants("todos,chat")
        stream = await ann.follow([todos])
        held = live_app.streams[0].subscriber.grants  # type: ignore[union-attr]
        await bob.renew(await bob.grants(), connection=connection_of(stream))
        await ann.renew([chat], connection=connection_of(stream))
        await ann.renew([todos], connection="unknown")
        assert live_app.streams[0].subscriber.grants == held  # type: ignore[union-attr]


# ---------------------------------------------------------------------- other origins


CROSS = ["origin: https://evil.example"]


@pytest.mark.parametrize("headers", [CROSS, ["sec-fetch-site: cross-site"], ["sec-fetch-site: same-site"]])
@pytest.mark.parametrize("path", ["/sse/stream", "/sse/renew"])
async def test_a_post_from_another_origin_is_refused(path: str, headers: list[str]) -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        body = urlencode({"sub": (await ann.grants())[0]}).encode()
        answer = await (await ann.open(path, method="POST", headers=[*FORM, *headers], body=body)).to_end()
        assert (answer.status, bytes(answer.body[:40])) == (403, b"this address is for the application's ow")
        assert live_app.streams == []


async def test_a_post_from_the_same_origin_is_accepted() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        body = urlencode({"sub": (await ann.grants())[0]}).encode()
        origin = [f"origin: http://127.0.0.1:{live_app.port}"]
        await (await ann.open("/sse/stream", method="POST", headers=[*FORM, *origin], body=body)).until("sse:open")


# ---------------------------------------------------------------------- limits


async def test_a_url_with_too_many_grants_is_refused_and_other_streams_continue() -> None:
    async with run_live_app() as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        stream = await bob.follow(await bob.grants())
        (grant,) = await ann.grants()
        answer = await (await ann.open("/sse/stream?" + f"sub={grant}&" * 300)).to_end()
        assert answer.status == 414
        assert b"8192 bytes" in answer.body
        await live_app.sse.publish("todos", "milk")
        await stream.until("milk")


async def test_a_body_with_too_many_grants_is_refused_and_other_streams_continue() -> None:
    async with run_live_app() as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        stream = await bob.follow(await bob.grants())
        (grant,) = await ann.grants()
        for path in ("/sse/stream", "/sse/renew"):
            assert (await (await ann.post([grant] * 6_000, path)).to_end()).status == 413
            answer = await (await ann.post(["x" * 262_144], path)).to_end()
            assert (answer.status, bytes(answer.body)) == (413, b"the body may have 262144 bytes")
        await ann.follow([grant] * 1_000)
        await live_app.sse.publish("todos", "milk")
        await stream.until("milk")


async def test_a_grant_may_come_more_often_than_there_may_be_channels() -> None:
    async with run_live_app(limits=Limits(channels_per_connection=3)) as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        stream = await ann.follow([grant] * 1_200)
        assert data_of(stream, "sse:open")["subs"][-1]["channels"] == ["todos"]


async def test_grants_beyond_the_channels_per_connection_are_refused_one_by_one() -> None:
    async with run_live_app(secret_key="key", limits=Limits(channels_per_connection=3)) as live_app:
        grants = [sign(live_app, channels.split()) for channels in ("a b c", "b c d", "a b")]
        stream = await (await live_app.browser().post(grants)).until("sse:denied")
        assert [bool(sub) for sub in data_of(stream, "sse:open")["subs"]] == [True, False, True]
        refused = {"sub": 1, "channels": ["b", "c", "d"], "reason": "limit"}
        assert data_of(stream, "sse:denied") == {"denied": [refused]}


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_a_body_that_is_no_form_is_refused(kind: str) -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        body = json.dumps({"sub": grant}).encode()
        for path in ("/sse/stream", "/sse/renew"):
            answer = await ann.ask(path, method="POST", headers=[f"content-type: {kind}"], body=body)
            assert answer.status == 415


async def test_connections_are_limited_per_client_and_other_clients_are_not_affected() -> None:
    async with run_live_app(limits=Limits(connections_per_client=5)) as live_app:
        ann, bob = live_app.browser(), live_app.browser()
        grants, bobs = await ann.grants(), await bob.grants()
        streams = await asyncio.gather(*[read_head(await ann.post(grants)) for _ in range(50)])
        assert sorted(stream.status for stream in streams) == [200] * 5 + [429] * 45
        full = next(stream for stream in streams if stream.status == 429)
        assert 5 <= int(full.headers["retry-after"]) <= 15
        stream = await bob.follow(bobs)
        await live_app.sse.publish("todos", "milk")
        await stream.until("milk")
        await next(stream for stream in streams if stream.status == 200).close()
        await until(lambda: len(live_app.streams) == 5)
        await ann.follow(grants)


async def read_head(stream: Stream) -> Stream:
    while not stream.status:
        await stream.read()
    return stream


async def test_a_full_server_answers_503_with_retry_after() -> None:
    async with run_live_app(limits=Limits(connections=2), public_broadcast=True) as live_app:
        first, second, third = live_app.browser(), live_app.browser(), live_app.browser()
        grants = await first.grants()
        await first.follow(grants)
        await (await second.open("/sse/broadcast")).until("sse:open")
        for answer in (await third.post(await third.grants()), await third.open("/sse/broadcast")):
            await answer.to_end()
            assert answer.status == 503
            assert 5 <= int(answer.headers["retry-after"]) <= 15


async def test_broadcast_streams_count_towards_the_limit_per_client() -> None:
    async with run_live_app(limits=Limits(connections_per_client=1), public_broadcast=True) as live_app:
        ann = live_app.browser()
        await (await ann.open("/sse/broadcast")).until("sse:open")
        assert (await (await ann.open("/sse/broadcast")).to_end()).status == 429


async def test_a_head_request_does_not_count_as_a_stream() -> None:
    async with run_live_app(limits=Limits(connections_per_client=2)) as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        for _ in range(5):
            assert (await read_head(await ann.open(f"/sse/stream?sub={grant}", method="HEAD"))).status == 200
        await ann.follow([grant])


# ---------------------------------------------------------------------- broadcasts


async def test_broadcasts_need_a_grant_by_default_and_can_be_opened() -> None:
    for options, status in (({}, 403), ({"public_broadcast": True}, 200)):
        async with run_live_app(**options) as live_app:
            ann = live_app.browser()
            assert (await read_head(await ann.open("/sse/broadcast"))).status == status
            stream = await ann.follow(await ann.grants())
            await live_app.sse.broadcast("note", {"n": 1})
            await stream.until("event: note")


# ---------------------------------------------------------------------- the log


async def test_grants_channels_and_ids_are_not_logged_at_info_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "uvicorn.access")  # which a server before it may have silenced
    async with run_live_app(secret_key="key") as live_app:
        live_app.sse.debug = live_app.sse.registry.debug = True
        ann = live_app.browser()
        grants = [sign(live_app, ["a-channel"])]
        stream = await ann.follow([*grants, "forged"])
        id = connection_of(stream)
        await ann.renew(grants, connection=id)
        await live_app.sse.publish("a-channel", "milk", exclude=id)
        await live_app.sse.broadcast("note", {"n": 1})
        _, queue = await live_app.sse.register("a-queue")
        for number in range(queue.maxsize + 1):
            await live_app.sse.broadcast("note", {"n": number})
        await live_app.sse.revoke(connection=id)
        await stream.to_end()
        await ann.refusal(grants)
    logged = [record.getMessage() for record in caplog.records]
    assert [line for line in logged if '"POST /sse/stream HTTP/1.1" 200' in line]
    assert "connection added: 1 in all" in logged
    for secret in ("a-channel", "a-queue", id, *[grant[:20] for grant in grants]):
        assert [line for line in logged if secret in line] == []
