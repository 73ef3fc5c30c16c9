"""Elements whose grants expire, are renewed, are revoked, or are refused, each independently of the others."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Beforeware, P, RedirectResponse, Request, Response

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, create_sse_element, setup_sse

# Seconds for which a grant is valid.
SECONDS = 5


def set_user(req: Request) -> Any:
    """Set the user of a request, and redirect guests from the members' pages to the sign-in page."""
    user = req.scope["auth"] = req.session.get("user")
    if user is None and req.url.path.startswith("/members"):
        return RedirectResponse("/sign-in", status_code=303)
    return None


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, before=Beforeware(set_user))
    authorized: list[str] = []
    closed: set[str] = set()

    async def authorize(request: Request, channel: str) -> bool:
        authorized.append(channel)
        return channel not in closed and not channel.endswith("/forbidden")

    sse = setup_sse(app, grant_seconds=SECONDS, authorize=authorize)
    let_tests_publish(rt, sse)

    @rt("/{room}/page", methods=["GET"])
    def page(room: str) -> Any:
        return [SSE(P("old"), channels=f"{room}/{name}", id=name) for name in ("one", "two", "forbidden")], forged()

    @rt("/members/{room}", methods=["GET"])
    def members(room: str) -> Any:
        return SSE(P("old"), channels=room, id="one")

    @rt("/sign-in", methods=["GET", "POST"])
    def sign_in(req: Request, user: str = "") -> Any:
        if user:
            req.session["user"] = user
        return P("Who are you?", id="sign-in")

    @rt("/sign-out", methods=["POST"])
    async def sign_out(req: Request) -> Any:
        req.session.clear()
        await sse.revoke(session=req.session)
        return Response(status_code=204)

    @rt("/close", methods=["POST"])
    async def close(channel: str) -> Any:
        closed.add(channel)
        return await sse.revoke(channel=channel)

    @rt("/{room}/asked", methods=["GET"])
    def count_authorizations(room: str) -> Any:
        return str(authorized.count(f"{room}/one"))

    return app


def forged() -> Any:
    return create_sse_element("/sse/stream?sub=forged", "forged")
