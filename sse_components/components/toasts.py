"""Toasts: short messages to everyone, a user, a session or one tab, which go away by themselves."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from fasthtml.common import FT, B, Button, Div, Safe, Section

from ..access.identity import ensure_session_id, session_channel, user_channel
from ..errors import MarkupError
from ..events.wire import KitChannel
from ..html.oob import render
from ..html.page_context import Page, current_page, session_of_request, this_page
from ..protocol import CONTROL_PREFIX, LEVEL_ATTRIBUTE, TOAST_ATTRIBUTE, TOASTS_ATTRIBUTE
from .element import following

# Seconds that a toast of a level stays; None: until it is closed.
SECONDS: dict[str, float | None] = {"info": 6.0, "success": 6.0, "warning": 12.0, "error": None}
EVERYONE = KitChannel(f"{CONTROL_PREFIX}toasts")
STACK = "sse-toasts"
# What screen readers say at once, and what they say when there is time for it.
ALERTS, NEWS = f"{STACK}-alerts", f"{STACK}-news"
LIMIT = 5
# Where a session keeps toasts for the page that a form's answer leads to, for so many seconds, in so many bytes of it.
SESSION_KEY = "sse_toasts"
KEPT_SECONDS = 30.0
KEPT_BYTES = 1_500

UNSET: Any = object()


class Toast(NamedTuple):
    """A toast that is ready to be sent.

    Attributes:
        element: what pages show.
        target: the list that shows it.
        channel: whom it is for.
        only: the tab that alone shows it.
    """

    element: FT
    target: str
    channel: str
    only: str | None

    @property
    def options(self) -> dict[str, Any]:
        """How it is published."""
        return {"target": self.target, "swap": "beforeend", "only": self.only}


def prepared(
    content: tuple[Any, ...],
    *,
    level: str = "info",
    timeout: float | None = UNSET,
    user: Any = UNSET,
    session: Any = UNSET,
    tab: str | None = UNSET,
) -> Toast:
    """Return a toast for whom it is meant. If the present request leads to a new page, that shows it, too.

    Raises:
        MarkupError: for an unknown level, a time-out that is none, or an addressee that is none.
    """
    channel, only = addressee(user=user, session=session, tab=tab)
    toast = Toast(toast_element(content, level, timeout), list_of(level), channel, only)
    if (page := current_page.get(None)) is not None:
        keep_for_next_page(page, toast)
    return toast


def addressee(**given: Any) -> tuple[str, str | None]:
    """Return the channel of the one addressee that is given, and the tab, if it is one; without any it is everyone."""
    named = [name for name, value in given.items() if value is not UNSET]
    if not named:
        return EVERYONE, None
    if len(named) > 1:
        raise MarkupError(f"a toast is for one of user, session and tab, not for {' and '.join(named)}")
    (name,) = named
    channel = channel_of(name, given[name])
    if channel is None:
        # Not everyone instead: who is not known may be meant to be alone with it.
        raise MarkupError(f"toast({name}={given[name]!r}) has nobody to go to; leave {name} out for everyone")
    return channel, given["tab"] if name == "tab" else None


def channel_of(name: str, value: Any) -> KitChannel | None:
    """Return the channel of a user, of a session, or of the session that a tab belongs to; None if there is none."""
    if name == "user":
        return None if value is None else user_channel(value)
    if name == "session":
        id = value if isinstance(value, str) else session_of_request(value) or ensure_session_id(value)
        return None if id is None else session_channel(id)
    page = current_page.get(None)
    own = None if page is None else page.session_channel
    return EVERYONE if own is None and value is not None else own


def toast_element(content: tuple[Any, ...], level: str, timeout: float | None = UNSET) -> FT:
    """Return a toast as an element. Its level is a word, too."""
    list_of(level)
    seconds = SECONDS[level] if timeout is UNSET else timeout
    if seconds is not None and not seconds > 0:
        raise MarkupError(f"timeout must be more than 0 seconds, or None for a toast that stays, not {seconds!r}")
    return Div(
        B(level),
        Div(*content, cls="sse-toast-text"),
        Button("×", type="button", cls="sse-toast-close", aria_label="Close"),  # noqa: RUF001 - as everyone draws it
        id=f"toast-{secrets.token_urlsafe(9)}",
        cls="sse-toast",
        **{LEVEL_ATTRIBUTE: level, TOAST_ATTRIBUTE: str(round((seconds or 0) * 1_000))},
    )


def list_of(level: str) -> str:
    """Return the id of the list for a level, else raise `MarkupError`."""
    if level not in SECONDS:
        raise MarkupError(f"unknown level {level!r}; allowed are: {', '.join(SECONDS)}")
    return ALERTS if level in ("warning", "error") else NEWS


def ToastStack(
    *children: Any, limit: int = LIMIT, label: str = "Notifications", id: str = STACK, cls: str = "", **kwargs: Any
) -> FT:
    """Show the toasts that `await sse.toast('Saved')` sends, in a corner of the page. One stack belongs on each page.

    A toast stays a few seconds, as its level has it, while somebody can see it and does not point at it; an error stays
    until it is closed. What is closed in one tab is closed in all tabs of the browser.

    A toast that is sent while a form is handled (`POST`), whose answer leads to another page, is shown there.

    Args:
        children: what it shows from the start.
        limit: toasts at once; the oldest give way.
        label: what it is called for those who do not see it.
        id: its id.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        ValueError: for a limit below 1.
        SetupError: outside of a request of an app with `setup_sse`.

    Example:
        `ToastStack()`
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit!r}")
    page = this_page()
    kept = list(kept_from_last_page(page))
    lists = [
        # What is on its way out stays, when the page heals: the server does not know of it.
        Div(
            *[Safe(html) for target, html in kept if target == name],
            *(children if name == NEWS else ()),
            id=name,
            role=role,
            aria_atomic="false",
            hx_preserve="true",
        )
        for name, role in ((NEWS, "status"), (ALERTS, "alert"))
    ]
    attributes = {**following(channels_of(page)), "aria_label": label, TOASTS_ATTRIBUTE: str(limit), **kwargs}
    return Section(*lists, id=id, cls=f"sse-toasts {cls}".strip(), **attributes)


def channels_of(page: Page) -> list[str]:
    """Return the channels by which toasts reach a page."""
    return [one for one in (EVERYONE, page.session_channel, page.user_channel) if one is not None]


def keep_for_next_page(page: Page, toast: Toast) -> None:
    """Keep a toast for the page that the present request leads to, if the browser shows what it answers."""
    if not page.navigates or page.session is None or toast.channel not in channels_of(page):
        return
    new = [round(time.time()), toast.target, render(toast.element)]
    kept = [*still_kept(page.session.get(SESSION_KEY)), new]
    while len(json.dumps(kept)) > KEPT_BYTES:
        kept.pop(0)  # a cookie has no room for more
    page.session[SESSION_KEY] = kept


def kept_from_last_page(page: Page) -> Iterable[tuple[str, str]]:
    """Take the toasts, and the lists that show them, that wait for the page which the present request renders."""
    if not page.navigates or page.session is None:
        return []
    return [(target, html) for _, target, html in still_kept(page.session.pop(SESSION_KEY, None))]


def still_kept(kept: Any) -> list[list[Any]]:
    """Return what of it is not too old."""
    return [one for one in kept or [] if time.time() - one[0] < KEPT_SECONDS]
