"""A page with toasts, and routes that send them."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1, A, Beforeware, Button, Form, Input, Redirect, RedirectResponse, Request

from e2e.pages import page_app
from sse_components import ToastStack, setup_sse, this_tab


def know_the_user(req: Request) -> None:
    req.scope["auth"] = req.session.get("user")


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"}, before=Beforeware(know_the_user))
    sse = setup_sse(app)

    @rt("/{room}/toasts")
    def show_toasts(room: str) -> Any:
        return (
            H1("Toasts"),
            Form(Input(name="text", aria_label="Text"), Button("Save"), action=f"/{room}/save", method="post"),
            Button("To this tab", hx_post=f"/{room}/tab", hx_swap="none"),
            Button("To this session", hx_post=f"/{room}/session", hx_swap="none"),
            Button("Leave", hx_post=f"/{room}/leave", hx_swap="none"),
            A("Again", href=f"/{room}/toasts"),
            ToastStack(limit=4),
        )

    @rt("/{room}/toast", methods=["POST"])
    def toast(text: str, level: str = "info", seconds: float = 0, user: str = "") -> None:
        to = {"user": user} if user else {}
        sse.toast(text, level=level, timeout=seconds or None, **to)

    @rt("/{room}/tab", methods=["POST"])
    def toast_to_tab() -> None:
        sse.toast("this tab", level="error", tab=this_tab())

    @rt("/{room}/session", methods=["POST"])
    def toast_to_session(req: Request) -> None:
        sse.toast("this session", level="error", session=req.session)

    @rt("/{room}/save", methods=["POST"])
    def save(room: str, text: str, req: Request) -> Any:
        sse.toast("saved: ", text, level="success", timeout=None, session=req.session)
        return RedirectResponse(f"/{room}/toasts", 303)

    @rt("/{room}/leave", methods=["POST"])
    def leave(room: str) -> Any:
        sse.toast("left", level="error", tab=this_tab())
        return Redirect(f"/{room}/toasts?again=1")

    @rt("/{room}/login")
    def login(room: str, user: str, req: Request) -> Any:
        req.session["user"] = user
        return RedirectResponse(f"/{room}/toasts", 303)

    return app
