"""Toasts: to everyone, this browser or this tab. Closed in one tab, they are closed in all."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, APIRouter, Button, Div, Form, Input, Label, Option, Select
from starlette.datastructures import State
from starlette.requests import Request

from ... import ToastStack, this_tab

LEVELS = ("info", "success", "warning", "error")
rt = APIRouter("/toasts")


def stack() -> FT:
    """Return the toast stack. Every page has one."""
    return ToastStack()


def page(request: Request) -> FT:
    """Show a form with the text, the level and the recipient."""
    text = Input(id="text", value="Tea is ready", required=True, maxlength=200, autocomplete="off")
    level = Select(*map(Option, LEVELS), id="level", aria_label="Level")
    recipients = [("everyone", "To everyone"), ("browser", "To this browser"), ("tab", "To this tab")]
    buttons = [
        Button(words, name="to", value=to, cls="primary" if to == "everyone" else "") for to, words in recipients
    ]
    return Form(Label("What to say", fr="text"), text, level, Div(*buttons, cls="row"), hx_post=send, hx_swap="none")


def glance(request: Request) -> FT:
    """Show a button that greets everyone."""
    values = '{"text": "Hello from the gallery", "level": "success"}'
    return Button("Greet everyone", hx_post=send, hx_vals=values, hx_swap="none")


@rt.post
async def send(state: State, request: Request, text: str, level: str = "info", to: str = "everyone") -> None:
    """Send a toast. Its text is escaped."""
    recipient: dict[str, Any] = {}
    if to == "browser":
        recipient["session"] = request.session
    if to == "tab":
        recipient["tab"] = this_tab()
    state.sse.toast(text[:200], level=level if level in LEVELS else "info", **recipient)
