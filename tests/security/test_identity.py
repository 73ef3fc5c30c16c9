"""Attacks on who somebody is: planted cookies, users that are none, and answers that overtake each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fasthtml.common import Beforeware, FastHTML, Request
from starlette.responses import PlainTextResponse

from sse_components import SSE, IdentityError, Kit, ToastStack, setup_sse
from tests.support.live_app import Browser, set_user
from tests.support.running import running

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
            await stream.until("for everyone")
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
        own = await victim.follow(await victim.grants_of("/page"))
        other = await attacker.follow(await attacker.grants_of("/page"))
        await sse.toast("to ann", user="ann")
        await victim.get("/tell-me?text=secret")
        await own.until("secret")
        assert "to ann" in own.body.decode()
        await sse.toast("for everyone")
        await other.until("for everyone")
        assert "secret" not in other.body.decode()
        for stream in (own, other):
            await stream.close()
