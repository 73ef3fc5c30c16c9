"""`SessionGuard`: a dialog in every tab when the user of the page has signed out."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, H2, A, Article, Button, Dialog, Footer, Form, P

from ..access.identity import digest
from ..html.page_context import this_page
from ..protocol import RELOAD_ATTRIBUTE, SESSION_GUARD_ATTRIBUTE, WHEN_ATTRIBUTE, WHO_ATTRIBUTE
from .handle import check_id


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
    """Show a dialog in every tab when the user signs out in one, when the session ends, or when another user signs in.

    It closes by itself when the same user has signed in again. Three things open it:

    - The server refuses the page's streams, as after `sse.revoke(...)`, or when a session has expired. The page then
      requests itself once more, to find out whether its user is still the same.
    - A tab signs out, with or without the server: mark the link, button or form with `data_sse_sign_out=True`, or
      respond with the header `HX-Trigger: sse:sign-out`.
    - Another tab shows a page with a guard for another user.

    The browser then forgets the values of `SyncedInput`s. On a page without a user, the guard does nothing.

    Args:
        children: the text of the dialog; by default, that the content of the page is kept.
        sign_in: the path of the page to sign in again.
        user: the user of the page, such as `session.get('user')`; by default what FastHTML's beforeware has put into
            `request.scope['auth']`. The page contains only a hash of it.
        signed_out: the title of the dialog when nobody is signed in.
        changed: the title of the dialog when another user is signed in.
        again: the text of the link to `sign_in`.
        reload: the text of the button that shows the page of the other user.
        stay: the text of the button that closes the dialog.
        id: the id of the dialog.
        cls: classes beside `sse-session-guard`.
        kwargs: attributes of the dialog.

    Returns:
        The dialog, which is closed.

    Raises:
        MarkupError: for an id that a selector cannot name.
        SetupError: without `user`, outside of a request of an app with `setup_sse`.

    Example:
        `SessionGuard(), A('Sign out', href='/logout', data_sse_sign_out=True)`
    """
    titles = {kind: f"{check_id(id, 'a session guard')}-{kind}" for kind in ("out", "changed")}
    attributes = {
        "id": id,
        "cls": f"sse-session-guard {cls}".strip(),
        "aria_labelledby": titles["out"],
        SESSION_GUARD_ATTRIBUTE: True,
        WHO_ATTRIBUTE: user_hash(user),
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
        **{**attributes, **kwargs},
    )


def user_hash(user: Any) -> str:
    """Return the hash of a user, by default the request's; an empty string if there is none."""
    name = this_page().principal.user if user is None else str(user)
    return digest(name) if name else ""
