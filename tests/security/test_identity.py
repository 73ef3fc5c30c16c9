"""Attacks on who somebody is: planted cookies, users that are none, and answers that overtake each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fasthtml.common import Beforeware, FastHTML, Request
from starlette.responses import PlainTextResponse

from sse_components import SSE, IdentityError, Kit, ToastStack, setup_sse, this_tab
from tests.support.live_app import Browser, set_user
from tests.support.running import running
from tests.support.serving import Stream

pytestmark = pytest.mark.anyio


def make_app(**options: Any) -> tuple[FastHTML, Kit]:
    """Return an application with toasts for sessions, routes to sign in and out, and a slow page."""
    app = FastHTML(secret_key="tests", before=Beforeware(set_user))
    sse = setup_sse(app, **options)
    app.state.may_answer = asyncio.Event()

    @app.route("/page")
    def page() -> Any:
        return ToastStack()

    @app.route("/slow")
    async def slow() -> Any:
        await app.state.may_answer.wait()
        return ToastStack()

    @app.route("/login")
    def login(user: str, request: Request) -> PlainTextResponse:
        request.session["auth"] = user
        return PlainTextResponse(user)

    @app.route("/logout")
    async def logout(request: Request) -> PlainTextResponse:
        request.session.clear()
        await sse.revoke(session=request.session)
        return PlainTextResponse("out")

    @app.route("/who")
    def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.scope["auth"]))

    @app.route("/tell-me")
    async def tell_me(text: str, request: Request) -> PlainTextResponse:
        await sse.toast(text, session=request.session)
        return PlainTextResponse("sent")

    return app, sse


async def test_a_slow_first_page_that_answers_after_a_sign_in_does_not_undo_it() -> None:
    app, _ = make_app()
    async with running(app) as site:
        browser = Browser(site.port)
        slow = asyncio.create_task(browser.ask("/slow"))
        await browser.get("/login?user=ann")
        app.state.may_answer.set()
        answer = await slow
        assert len(answer.set_cookies) == 1  # its own: the application's session is left alone
        assert await browser.get("/who") == "ann"


async def test_a_page_writes_nothing_into_the_applications_session() -> None:
    app, _ = make_app()
    async with running(app) as site:
        browser = Browser(site.port)
        (cookie,) = (await browser.ask("/page")).set_cookies
        assert cookie.startswith("sse-")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert (await browser.ask("/page")).set_cookies == []
        session_before = dict((await browser.login("ann")).jar)
        await browser.get("/page")
        assert browser.jar == session_before


@pytest.mark.parametrize("stays", [False, True])
async def test_who_plants_a_cookie_does_not_get_the_toasts_of_the_user_who_signs_in_with_it(stays: bool) -> None:
    app, sse = make_app()
    async with running(app) as site:
        attacker, victim = Browser(site.port), Browser(site.port)
        early = await attacker.follow(await attacker.grants_of("/page"))
        victim.jar = dict(attacker.jar)
        await victim.login("ann")
        if stays:
            await attacker.login("mallory")
        late = await attacker.follow(await attacker.grants_of("/page"))
        own = await victim.follow(await victim.grants_of("/page"))
        await victim.get("/tell-me?text=secret")
        await own.until("secret")
        await sse.toast("for everyone")
        for stream in (early, late):
            # Of two users of what looks like one browser, the later one has it.
            await (stream.to_end() if stays and stream is late else stream.until("for everyone"))
            assert "secret" not in stream.body.decode()
            await stream.close()
        await own.close()


async def test_the_next_user_of_a_browser_does_not_get_the_toasts_of_the_last_one() -> None:
    app, sse = make_app()
    async with running(app) as site:
        browser = await Browser(site.port).login("ann")
        await browser.get("/page")
        anns = dict(browser.jar)
        await browser.get("/logout")
        await browser.login("bob")
        bobs = await browser.follow(await browser.grants_of("/page"))
        last = Browser(site.port)
        last.jar = anns  # an answer to Ann's request that comes late
        await last.get("/tell-me?text=private")
        await sse.toast("for everyone")
        await bobs.until("for everyone")
        assert "private" not in bobs.body.decode()
        await bobs.close()


async def test_true_is_no_user() -> None:
    errors: list[str] = []

    def note(request: Request, error: Exception) -> PlainTextResponse:
        errors.append(str(error))
        return PlainTextResponse("error", 500)

    beforeware = Beforeware(lambda request: request.scope.update(auth=True))
    app = FastHTML(secret_key="tests", before=beforeware, exception_handlers={IdentityError: note})
    setup_sse(app)

    @app.route("/page")
    def page() -> Any:
        return SSE(channels="todos")

    async with running(app) as site:
        answer = await site.ask("/page")
    assert answer.status == 500
    assert errors == [
        "True names nobody: a user is named by an id or a name, in request.scope['auth'] and wherever user= is"
    ]


async def test_an_application_says_who_its_users_are_without_a_beforeware() -> None:
    async def find_user(request: Request) -> Any:
        return request.session.get("auth")

    app, sse = make_app(user=find_user)
    async with running(app) as site:
        attacker, victim = Browser(site.port), Browser(site.port)
        await attacker.get("/page")
        victim.jar = dict(attacker.jar)
        await victim.login("ann")
        other = await attacker.follow(await attacker.grants_of("/page"))
        own = await victim.follow(await victim.grants_of("/page"))
        await sse.toast("to ann", user="ann")
        await victim.get("/tell-me?text=secret")
        await own.until("secret")
        assert "to ann" in own.body.decode()
        await sse.toast("for everyone")
        await other.until("for everyone")
        assert "secret" not in other.body.decode()
        for stream in (own, other):
            await stream.close()


async def test_nobody_hides_a_change_from_another_by_naming_their_tab() -> None:
    app = FastHTML(secret_key="tests", before=Beforeware(set_user))
    sse = setup_sse(app)

    @app.route("/page")
    def page() -> Any:
        return SSE(channels="board")

    @app.route("/change")
    def change(text: str, way: str) -> None:
        sse.publish("board", text, **{way: this_tab()})

    tab = "tab_0123456789abcdef"
    async with running(app) as site:
        ann, mallory = Browser(site.port), Browser(site.port)
        hers = await ann.follow(await ann.grants_of("/page"))
        his = await mallory.follow(await mallory.grants_of("/page"))
        named = [f"SSE-Tab: {tab}"]
        await mallory.ask("/change?text=hidden&way=exclude", headers=named)
        await mallory.ask("/change?text=whispered&way=only", headers=named)
        await ann.ask("/change?text=own&way=exclude", headers=named)
        await sse.publish("board", "last")
        late = await ann.follow(await ann.grants_of("/page"))
        for stream in (hers, his):
            await stream.until("last")
        assert [(frame_of(hers, text) or "").count(tab) for text in ("hidden", "own")] == [0, 1]
        assert [(frame_of(his, text) or "").count(tab) for text in ("hidden", "whispered", "own")] == [1, 1, 0]
        assert frame_of(hers, "whispered") is None
        assert frame_of(his, "own") is not None
        for stream in (hers, his, late):
            await stream.close()


async def test_a_reader_that_comes_later_or_lags_gets_no_names_of_others_either() -> None:
    app = FastHTML(secret_key="tests", before=Beforeware(set_user))
    sse = setup_sse(app)

    @app.route("/page")
    def page() -> Any:
        return SSE(channels="board")

    async with running(app) as site:
        ann, bob = Browser(site.port), Browser(site.port)
        grants = {browser: await browser.grants_of("/page") for browser in (ann, bob)}
        await ann.follow(grants[ann])
        (stream,) = sse.registry.get_connections()
        assert stream.subscriber is not None
        own = f"tab_0123456789abcdef.{stream.subscriber.principal.browser}"
        await sse.publish("board", "excluded", exclude=own)
        await sse.publish("board", "alone", only=own)
        await sse.publish("board", "last")
        hers, his = [await (await browser.follow(grants[browser])).until("last") for browser in (ann, bob)]
        assert "tab_" not in his.body.decode()
        assert frame_of(his, "excluded") is not None
        assert frame_of(his, "alone") is None
        assert hers.body.decode().count("tab_0123456789abcdef\n") == 2
        for browser in (ann, bob):
            await browser.close()


def frame_of(stream: Stream, text: str) -> str | None:
    """Return the frame with a text; None if there is none."""
    return next((frame for frame in stream.frames if frame.endswith(f"data: {text}")), None)
