"""What a page says when the user whom it was made for has signed out, in whichever tab."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, H2, A, Article, Button, Dialog, Footer, Form, P

from ..access.identity import digest
from ..html.page_context import this_page
from ..protocol import RELOAD_ATTRIBUTE, SESSION_GUARD_ATTRIBUTE, WHEN_ATTRIBUTE, WHO_ATTRIBUTE
from .handles import check_id


def SessionGuard(
    *children: Any,
    sign_in: str = "/login",
    user: Any = None,
    signed_out: str = "You have been signed out",
    changed: str = "You are now signed in as someone else",
    again: str = "Sign in again",
    reload: str = "Reload",
    stay: str = "Stay on this page",
    id: str = "sse-session-guard",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a dialog in every tab when the user signs out in one, when the session ends, or when it becomes another's.

    It closes by itself when the same user has signed in again. Three things open it:

    - the server refuses the page's streams, as after `sse.revoke(...)` or when a session has run out; then the page
      asks for itself once more, to see whether its user is still the same;
    - a tab says so, with or without the server: mark what signs out with `data_sse_sign_out=True` (a link, a button, a
      form), or answer with the header `HX-Trigger: sse:sign-out`;
    - a page with a guard shows up in another tab for another user.

    Fields that a browser remembers (`SyncedInput`) are forgotten then. On a page without a user it does nothing.

    Args:
        children: what the dialog says; by default, that what stands on the page is kept.
        sign_in: where to sign in again.
        user: whom the page is for, such as `session.get('user')`; by default what FastHTML's beforeware has put into
            `request.scope['auth']`. The page carries its hash only.
        signed_out: the dialog's name when nobody is signed in.
        changed: ... when somebody else is.
        again: the words of the link to `sign_in`.
        reload: the words of the button that shows the page of somebody else.
        stay: the words of the button that closes the dialog.
        id: the dialog's id.
        cls: classes beside `sse-session-guard`.
        kwargs: any attribute of the dialog.

    Raises:
        MarkupError: for an id that selectors cannot name.
        SetupError: without `user`, outside of a request of an app with `setup_sse`.

    Example:
        `SessionGuard(), A('Sign out', href='/logout', data_sse_sign_out=True)`
    """
    titles = {kind: f"{check_id(id, 'a session guard')}-{kind}" for kind in ("out", "changed")}
    shown = {
        "id": id,
        "cls": f"sse-session-guard {cls}".strip(),
        "aria_labelledby": titles["out"],
        SESSION_GUARD_ATTRIBUTE: True,
        WHO_ATTRIBUTE: mark(user),
    }
    return Dialog(
        Article(
            H2(signed_out, id=titles["out"], **{WHEN_ATTRIBUTE: "signedOut"}),
            H2(changed, id=titles["changed"], hidden=True, **{WHEN_ATTRIBUTE: "changed"}),
            *(children or (P("This page is kept as it is, with all that you have typed."),)),
            Footer(
                A(again, href=sign_in, **{WHEN_ATTRIBUTE: "signedOut"}),
                Button(reload, type="button", hidden=True, **{RELOAD_ATTRIBUTE: True, WHEN_ATTRIBUTE: "changed"}),
                Form(Button(stay, cls="secondary outline"), method="dialog"),
            ),
        ),
        **{**shown, **kwargs},
    )


def mark(user: Any) -> str:
    """Return the hash of a user, by default the request's; an empty string for none."""
    name = this_page().principal.user if user is None else str(user)
    return digest(name) if name else ""
