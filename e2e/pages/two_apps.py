"""Two applications with one key on one origin, `/a` and `/b`, each with its own users."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fasthtml.common import A, Beforeware, Li, Main, P, RedirectResponse, Request, Title, Ul
from starlette.applications import Starlette
from starlette.routing import Mount

from e2e.pages import page_app
from sse_components import SSE, SessionGuard, SyncedInput, SyncedToggle, ToastStack, setup_sse, this_tab


def find_user(request: Request) -> None:
    request.scope["auth"] = request.session.get("user")


def make_app(*, htmx4: bool) -> Any:
    apps = [make_part(name, htmx4) for name in ("a", "b")]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    mounts = [Mount(f"/{name}", app) for name, app in zip("ab", apps, strict=True)]
    return Starlette(routes=mounts, lifespan=lifespan)


def make_part(name: str, htmx4: bool) -> Any:
    """Return one of the two applications."""
    app, rt = page_app(htmx4=htmx4, before=Beforeware(find_user), session_cookie=f"session_{name}")
    sse = setup_sse(app)

    @rt("/login", methods=["GET"])
    def login(request: Request, user: str, next: str) -> Any:
        request.session["user"] = user
        return RedirectResponse(next, 303)

    @rt("/logout", methods=["GET"])
    def logout(request: Request) -> Any:
        request.session.clear()
        sse.revoke(session=request.session)
        return P("Nobody is here.")

    @rt("/{room}/desk", methods=["GET"])
    def desk(request: Request, room: str) -> Any:
        return Title(f"Desk {name}"), Main(
            P(request.scope["auth"] or "nobody", id="user"),
            Ul(id="heard"),
            SSE(channels=room, swap="none"),
            SyncedInput("note", "Note", key=f"{room}-note"),
            SyncedToggle("Dense", name="dense", key=f"{room}-dense"),
            SyncedToggle("Dark", attribute="data-theme", on="dim", off="bright", key=f"{room}-theme"),
            A("Elsewhere", href="/elsewhere"),
            ToastStack(),
            SessionGuard(),
        )

    @rt("/{room}/say", methods=["POST"])
    def say(request: Request, room: str, text: str) -> None:
        sse.publish(room, Li(text), target="heard", swap="beforeend", exclude=this_tab())

    @rt("/{room}/tell", methods=["POST"])
    def tell(room: str, text: str) -> None:
        user, _, said = text.partition(": ")
        sse.toast(said, user=user, timeout=None)

    @rt("/{room}/toast", methods=["POST"])
    def toast(request: Request, room: str, text: str) -> None:
        sse.toast(text, session=request.session, timeout=None)

    return app
