"""Two applications with one key on one origin. Each has users, and a team with members."""

from __future__ import annotations

import json
import os
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fasthtml.common import Beforeware, Div, Main, RedirectResponse, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from e2e.pages import page_app
from sse_components import SSE, Kit, ToastStack, setup_sse

APPS = ("a", "b")
USERS = ("ann", "bob", "eve")


class Team:
    """The members of an application's team, as its database has them."""

    def __init__(self, app: str) -> None:
        self._file = Path(os.environ["E2E_FOLDER"]) / f"team-{app}.json"

    @property
    def members(self) -> list[str]:
        return list(json.loads(self._file.read_text())) if self._file.exists() else []

    def change(self, members: list[str]) -> None:
        self._file.write_text(json.dumps(members))


def find_user(request: Request) -> None:
    request.scope["auth"] = request.session.get("user")


def make_app(*, htmx4: bool) -> Any:
    apps = {name: make_part(name, htmx4) for name in APPS}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    return Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()], lifespan=lifespan)


def make_part(name: str, htmx4: bool) -> Any:
    """Return one of the two applications."""
    app, rt = page_app(htmx4=htmx4, before=Beforeware(find_user), session_cookie=f"session_{name}")
    team = Team(name)

    def authorize(request: Request, channel: str) -> bool:
        return channel != "team" or request.scope["auth"] in team.members

    sse = setup_sse(app, authorize=authorize)

    @rt("/page", methods=["GET"])
    def page(request: Request) -> Any:
        user = request.scope["auth"]
        channels = ["hall", *([f"of-{user}"] if user else []), *(["team"] if user in team.members else [])]
        live = [SSE(channels=channel, swap="none", id=f"live-{channel}") for channel in channels]
        return Main(Div(user or "nobody", id="user"), *live, Div("0", id="hall"), Div(id="own"), ToastStack())

    let_users_sign_in(name, rt, sse)

    @rt("/change-team", methods=["POST"])
    async def change_team(members: str, removed: str = "") -> None:
        team.change(members.split())
        if removed:
            await sse.revoke(user=removed, channel="team")

    let_tests_publish(name, rt, sse)
    return app


def let_users_sign_in(name: str, rt: Any, sse: Kit) -> None:
    @rt("/login", methods=["GET"])
    def login(request: Request, user: str) -> Any:
        request.session["user"] = user
        return RedirectResponse(f"/{name}/page", 303)

    @rt("/logout", methods=["GET"])
    async def logout(request: Request, revokes: bool) -> Any:
        request.session.clear()
        if revokes:
            await sse.revoke(session=request.session)
        return RedirectResponse(f"/{name}/page", 303)


def let_tests_publish(name: str, rt: Any, sse: Kit) -> None:
    def mark(number: int, target: str) -> str:
        return f"(({number}:{name}:{target}))"

    @rt("/publish", methods=["POST"])
    async def publish(number: int) -> None:
        """Publish to everything; to the hall, which everybody follows, in the end."""
        for channel in ("team", *(f"of-{user}" for user in USERS)):
            await sse.publish(channel, Div(mark(number, channel), id="own"), swap=True)
        for user in USERS:
            await sse.toast(mark(number, f"user-{user}"), user=user)
        await sse.publish("hall", Div(str(number), id="hall"), swap=True)
