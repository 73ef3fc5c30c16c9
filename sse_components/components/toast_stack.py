"""`ToastStack`: short messages to everyone, a user, a session or one tab, which disappear by themselves."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, NamedTuple

from fasthtml.common import FT, B, Button, Div, Safe, Section

from ..access.identity import session_channel, user_channel
from ..checks import check_positive, check_whole
from ..errors import MarkupError
from ..events.wire import KitChannel
from ..html.oob import render
from ..html.page_context import Page, current_page, page_of_session, this_page
from ..protocol import CONTROL_PREFIX, LEVEL_ATTRIBUTE, TOAST_ATTRIBUTE, TOASTS_ATTRIBUTE
from .element import following

# Seconds for which a toast of a level is shown; None: until somebody closes it.
SECONDS: dict[str, float | None] = {"info": 6.0, "success": 6.0, "warning": 12.0, "error": None}
EVERYONE = KitChannel(f"{CONTROL_PREFIX}toasts")
STACK = "sse-toasts"
# The ids of the list that screen readers announce at once, and of the one that they announce in a pause.
ALERTS, NOTICES = f"{STACK}-alerts", f"{STACK}-news"
LIMIT = 5
# What the browser keeps toasts as that the next page shows, after a form is sent; and how long and large they may be.
KEPT = "toasts"
KEPT_SECONDS = 30
KEPT_BYTES = 1_500

UNSET: Any = object()


class Toast(NamedTuple):
    """A toast that can be published.

    Attributes:
        element: what pages show.
        target: the id of the list that shows it.
        channel: the channel of those who get it.
        only: the only tab that shows it; None for all of them.
    """

    element: FT
    target: str
    channel: str
    only: str | None

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `publish`."""
        return {"target": self.target, "swap": "beforeend", "only": self.only}


def make_toast(
    content: tuple[Any, ...],
    *,
    level: str = "info",
    timeout: float | None = UNSET,
    user: Any = UNSET,
    session: Any = UNSET,
    tab: str | None = UNSET,
) -> Toast:
    """Return a toast. If the present request leads to another page, that page shows the toast as well.

    The arguments are those of `sse.toast`.

    Raises:
        MarkupError: for an unknown level, or a recipient that is None.
        ValueError: for a timeout that is not above 0.
    """
    channel, only = find_recipient(user=user, session=session, tab=tab)
    toast = Toast(toast_element(content, level, timeout), list_of(level), channel, only)
    if (page := current_page.get(None)) is not None:
        keep_for_next_page(page, toast)
    return toast


def find_recipient(**given: Any) -> tuple[str, str | None]:
    """Return the channel of the one recipient that is given, and its tab, if it is a tab; everyone's without any.

    Raises:
        MarkupError: for more than one recipient, or one that is None.
    """
    named = [name for name, value in given.items() if value is not UNSET]
    if not named:
        return EVERYONE, None
    if len(named) > 1:
        raise MarkupError(f"a toast has one recipient: user, session or tab, not {' and '.join(named)}")
    (name,) = named
    channel = channel_of(name, given[name])
    if channel is None:
        # It must not go to everyone: it may be for this recipient only.
        raise MarkupError(f"toast({name}={given[name]!r}) has no recipient; leave {name} out to send it to everyone")
    return channel, given["tab"] if name == "tab" else None


def channel_of(name: str, value: Any) -> KitChannel | None:
    """Return the channel of a user, of a session, or of the session that a tab belongs to; None if there is none."""
    if name == "user":
        return None if value is None else user_channel(value)
    if name == "session":
        if value is None or isinstance(value, str):
            return session_channel(value) if value else None
        return page_of_session(value).session_channel
    page = current_page.get(None)
    own = None if page is None else page.session_channel
    return EVERYONE if own is None and value is not None else own


def toast_element(content: tuple[Any, ...], level: str, timeout: float | None = UNSET) -> FT:
    """Return a toast as an element. Its level is also a word, for those who cannot see its colour.

    Raises:
        MarkupError: for an unknown level.
        ValueError: for a timeout that is not above 0.
    """
    list_of(level)
    seconds = SECONDS[level] if timeout is UNSET else timeout
    if seconds is not None:
        check_positive(timeout=seconds)
    return Div(
        B(level),
        Div(*content, cls="sse-toast-text"),
        Button("×", type="button", cls="sse-toast-close", aria_label="Close"),  # noqa: RUF001 - as everyone draws it
        id=f"toast-{secrets.token_urlsafe(9)}",
        cls="sse-toast",
        **{LEVEL_ATTRIBUTE: level, TOAST_ATTRIBUTE: str(round((seconds or 0) * 1_000))},
    )


def list_of(level: str) -> str:
    """Return the id of the list for a level.

    Raises:
        MarkupError: for an unknown level.
    """
    if level not in SECONDS:
        raise MarkupError(f"unknown level {level!r}; allowed are: {', '.join(SECONDS)}")
    return ALERTS if level in ("warning", "error") else NOTICES


def ToastStack(
    *children: Any, limit: int = LIMIT, label: str = "Notifications", id: str = STACK, cls: str = "", **kwargs: Any
) -> FT:
    """Show the toasts that `sse.toast('Saved')` sends, in a corner of the page. Each page needs one stack.

    A toast is shown for some seconds, which its level decides. The time does not pass while nobody sees the page, or
    somebody points at the toast. An error is shown until somebody closes it. A toast that is closed in one tab is
    closed in all tabs of the browser.

    If a handler of a form (`POST`) sends a toast and then leads to another page, that page shows it.

    Args:
        children: what it shows from the start.
        limit: the number of toasts that are shown at once; the oldest are removed.
        label: its name for screen readers.
        id: its id.
        cls: classes beside `sse-toasts`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        ValueError: for a limit below 1.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `ToastStack()`
    """
    check_whole(limit=limit)
    page = this_page()
    kept = take_kept(page)
    lists = [toast_list(NOTICES, "status", kept, *children), toast_list(ALERTS, "alert", kept)]
    attributes = {**following(channels_of(page)), "aria_label": label, TOASTS_ATTRIBUTE: str(limit), **kwargs}
    return Section(*lists, id=id, cls=f"sse-toasts {cls}".strip(), **attributes)


def toast_list(id: str, role: str, kept: list[tuple[str, str]], *children: Any) -> FT:
    """Return a list of toasts, with those of the last page.

    Args:
        id: the id of the list.
        role: how screen readers announce it: `'status'` or `'alert'`.
        kept: pairs of the id of a list and the HTML of a toast.
        children: further content.
    """
    toasts = [Safe(html) for target, html in kept if target == id]
    # The list stays when the page loads its content again: the server does not know which toasts are still shown.
    return Div(*toasts, *children, id=id, role=role, aria_atomic="false", hx_preserve="true")


def channels_of(page: Page) -> list[str]:
    """Return the channels by which toasts reach a page."""
    return [channel for channel in (EVERYONE, page.session_channel, page.user_channel) if channel is not None]


def keep_for_next_page(page: Page, toast: Toast) -> None:
    """Keep a toast for the page to which the present request leads, if the browser shows its response as a page."""
    visitor = page.visitor
    if not page.navigates or visitor is None or toast.channel not in channels_of(page):
        return
    new = [round(time.time()), toast.target, render(toast.element)]
    kept = [*still_kept(visitor.kept(KEPT, KEPT_SECONDS)), new]
    while len(json.dumps(kept)) > KEPT_BYTES:
        kept.pop(0)  # a cookie is small
    visitor.keep(KEPT, kept, KEPT_SECONDS)


def take_kept(page: Page) -> list[tuple[str, str]]:
    """Return the toasts that were kept for a page, as pairs of the id of a list and HTML, and keep them no longer."""
    visitor = page.visitor
    if not page.navigates or visitor is None:
        return []
    kept = still_kept(visitor.kept(KEPT, KEPT_SECONDS))
    if kept:
        visitor.keep(KEPT, None, KEPT_SECONDS)
    return [(target, html) for _, target, html in kept]


def still_kept(kept: Any) -> list[list[Any]]:
    """Return those of the kept toasts that are not too old."""
    return [toast for toast in kept or [] if time.time() - toast[0] < KEPT_SECONDS]
