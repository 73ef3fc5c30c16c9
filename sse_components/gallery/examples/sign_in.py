"""Sign in: then sign out in one tab. All other tabs show it, and also when a session ends."""

from __future__ import annotations

import asyncio
import secrets

from fasthtml.common import FT, APIRouter, Button, Div, Form, Input, Label, P, RedirectResponse, Strong
from starlette.datastructures import State
from starlette.requests import Request

from ... import SessionGuard

SECONDS = 5
rt = APIRouter("/sign-in")


def setup(state: State) -> None:
    """Start without users. `state.users` maps the key in a session to a name."""
    state.users = {}


def set_user(request: Request) -> None:
    """Set the user of a request before its handler runs: FastHTML's `before`."""
    request.scope["auth"] = request.app.state.users.get(request.session.get("user"))


def guard() -> FT:
    """Return the dialog that opens when the user is signed out. It is on every page."""
    return SessionGuard(sign_in="/sign-in")


def page(request: Request) -> tuple[FT, ...]:
    """Show a form to sign in, or two buttons that end the session."""
    if request.scope["auth"] is None:
        name = Input(id="name", required=True, maxlength=30, autocomplete="off")
        label = Label("Your name, any will do", fr="name")
        return glance(request), Form(label, name, Button("Sign in"), action=enter, method="post")
    out = Form(Button("Sign out", cls="primary"), action=sign_out, method="post", data_sse_sign_out=True)
    end = Button(f"Let the session end in {SECONDS} seconds", hx_post=expire, hx_swap="none")
    return glance(request), Div(out, end, cls="row")


def glance(request: Request) -> FT:
    """Show the user's name."""
    user = request.scope["auth"]
    return P("Nobody is signed in.") if user is None else P("You are signed in as ", Strong(user), ".")


@rt.post
def enter(state: State, request: Request, name: str) -> RedirectResponse:
    """Sign in."""
    request.session["user"] = key = secrets.token_urlsafe()
    state.users[key] = name.strip()[:30] or "Somebody"
    return RedirectResponse("/sign-in", 303)


@rt.post
async def sign_out(state: State, request: Request) -> RedirectResponse:
    """Sign out: forget the session, and reconnect the browser's streams, which checks their grants again."""
    state.users.pop(request.session.get("user"), None)
    await state.sse.disconnect(session=request.session)
    return RedirectResponse("/sign-in", 303)


@rt.post
async def expire(state: State, request: Request) -> None:
    """End the session after some seconds."""
    await asyncio.sleep(SECONDS)
    state.users.pop(request.session.get("user"), None)
    await state.sse.disconnect(session=request.session)
