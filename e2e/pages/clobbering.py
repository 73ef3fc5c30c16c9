"""A live page with forms and names of users that shadow the properties of forms and of the document."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Form, Hidden, Li, NotStr, P, Titled

from e2e.pages import page_app
from sse_components import SSE, LiveList, PresenceList, SyncedInput, TabCount, setup_sse
from sse_components.delivery.fanout import reset_frame

# Names that htmx itself does not read of every form, or of the document: with others, its pages stop without the kit.
FORM_NAMES = (
    "id",
    "children",
    "childNodes",
    "firstElementChild",
    "nodeName",
    "nodeType",
    "ownerDocument",
    "isEqualNode",
)
DOCUMENT_NAMES = ("hidden", "implementation", "createTreeWalker", "currentScript")


def names(*more: str) -> NotStr:
    """Return elements whose names shadow the properties of the document."""
    elements = [f'<img name="{name}" alt=""><form name="{name}"></form>' for name in (*DOCUMENT_NAMES, *more)]
    return NotStr("".join(elements))


def users_form(id: str, text: str) -> FT:
    """Return the form of a user, all of whose properties are shadowed."""
    return Form(P(text), *[Hidden(name=name) for name in FORM_NAMES], id=id, enctype=None)


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)
    texts: dict[str, str] = {}

    @rt("/{room}", methods=["GET"])
    def page(room: str) -> Any:
        return Titled(
            "Clobbered",
            names() if htmx4 else names("baseURI"),  # htmx 4 itself reads it
            users_form("first", texts.get(room, "before")),
            SyncedInput("note", aria_label="Note"),
            TabCount(room=room),
            PresenceList(room=room),
            LiveList(Li(users_form("mine", texts.get(room, "before")), id="item-1"), id=room),
            SSE(channels=f"{room}-said", swap="beforeend", id="said"),
        )

    @rt("/{room}/say", methods=["POST"])
    def say(room: str, text: str) -> None:
        texts[room] = text
        sse.publish(f"{room}-said", P(text), users_form("said-form", text))
        sse.publish(f"{room}-said", users_form("first", text), target="first", swap="outerHTML")
        sse.list(room).append(Li(users_form("other", text), id="item-2"))

    @rt("/{room}/reset", methods=["POST"])
    def reset(room: str, text: str) -> None:
        texts[room] = text
        for connection in sse.registry.get_connections():
            connection.offer(reset_frame(connection.channels, sse.backend.cursor))

    return app
