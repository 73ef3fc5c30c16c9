"""Rooms with several users, browsers and tabs."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1, A, Beforeware, Request, Response

from e2e.pages import page_app
from sse_components import PresenceList, TabCount, setup_sse


def know_the_user(req: Request) -> None:
    req.scope["auth"] = req.session.get("user")


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"}, before=Beforeware(know_the_user))
    sse = setup_sse(app, heartbeat=2)

    @rt("/{room}/here")
    def here(room: str) -> Any:
        return (
            H1("Here"),
            TabCount(room=room, id="count"),
            PresenceList(sse.here, room, id="people"),
            A("Again", href=f"/{room}/here", hx_boost="true"),
        )

    @rt("/sign-in", methods=["POST"])
    def sign_in(user: str, req: Request) -> Any:
        req.session["user"] = user
        return Response(status_code=204)

    return app
