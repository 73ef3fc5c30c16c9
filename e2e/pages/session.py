"""Pages for signed-in users, with every way to sign out."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1, A, Beforeware, Button, Form, Input, Main, P, RedirectResponse, Request, Response, Title

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, ConnectionStatus, SessionGuard, SyncedInput, SyncedToggle, setup_sse


def find_user(request: Request) -> None:
    request.scope["auth"] = request.session.get("user")


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"}, before=Beforeware(find_user, skip=[r"/sse/assets/.*"]))
    sse = setup_sse(app)
    let_tests_publish(rt, sse)

    @rt("/login", methods=["GET"])
    def login(request: Request, user: str = "", next: str = "/login") -> Any:
        if not user:
            return Title("Sign in"), Main(H1("Sign in"))
        request.session["user"] = user
        return RedirectResponse(next, 303)

    @rt("/{room}/desk", methods=["GET"])
    def desk(request: Request, room: str, sign_in: str = "/login") -> Any:
        if request.scope["auth"] is None:
            return RedirectResponse(sign_in, 303)
        live = ConnectionStatus(), SSE(channels=f"{room}/desk", id="live", swap="beforeend")
        return page(room, request, *live)

    @rt("/{room}/plain", methods=["GET"])
    def plain(request: Request, room: str) -> Any:
        return page(room, request)

    @rt("/{room}/leave", methods=["GET", "POST"])
    async def leave(request: Request, room: str) -> Any:
        request.session.clear()
        return RedirectResponse("/login", 303)

    @rt("/{room}/leave-here", methods=["POST"])
    async def leave_here(request: Request, room: str) -> Any:
        request.session.clear()
        return Response("", headers={"HX-Trigger": "sse:sign-out"})

    @rt("/{room}/leave-not", methods=["POST"])
    def leave_not(room: str) -> Response:
        return Response("no", 409)

    @rt("/{room}/end", methods=["POST"])
    async def end(request: Request, room: str) -> None:
        await sse.revoke(session=request.session)
        request.session.clear()

    return app


def page(room: str, request: Request, *content: Any) -> Any:
    return Title("Desk"), Main(
        H1("Desk"),
        P(request.scope["auth"], id="user"),
        *content,
        Input(id="draft", aria_label="Draft"),
        SyncedInput("note", "Note", key=f"{room}-note"),
        SyncedToggle("Dense", name="dense", key=f"{room}-dense"),
        A("Leave", href=f"/{room}/leave", data_sse_sign_out=True),
        Form(Button("Leave by form"), action=f"/{room}/leave", method="post", data_sse_sign_out=True),
        Button("Leave by htmx", hx_post=f"/{room}/leave", hx_swap="none", data_sse_sign_out=True),
        Button("Leave here", hx_post=f"/{room}/leave-here", hx_swap="none"),
        Button("Leave not", hx_post=f"/{room}/leave-not", hx_swap="none", data_sse_sign_out=True),
        Button("End", hx_post=f"/{room}/end", hx_swap="none"),
        SessionGuard(sign_in="/login?user=ann&next=/login"),
    )
