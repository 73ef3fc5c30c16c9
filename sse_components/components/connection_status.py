"""`ConnectionStatus`: how a page is connected, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fasthtml.common import FT, Button, Div, Noscript, Span

from ..errors import MarkupError
from ..protocol import COUNTDOWN_ATTRIBUTE, STALE_REASONS, STATE_ATTRIBUTE, STATUS_ATTRIBUTE

# Why a page that is stale stays so; the others of `STALE_REASONS` are `OUT_OF_DATE` without more.
OUT_OF_DATE = "Out of date"
REASONS = {
    "too-often": "Out of date: it changes too often",
    "cached": "Out of date: a cache sends an old page",
    "redirected": "Out of date: it has moved, or you are signed out",
    "signed-out": "Out of date: you are signed out",
    "refused": "Out of date: the server refuses it",
    "not-html": "Out of date: the server sends no page",
    "too-large": "Out of date: it is too large",
    "unavailable": "Catching up: the server does not answer",
}


def ConnectionStatus(
    *children: Any,
    connecting: str = "Connecting",
    live: str = "Live",
    reconnecting: str = "Reconnecting",
    offline: str = "Offline",
    denied: str = "No access",
    stale: str = "Catching up",
    idle: str = "Nothing live here",
    countdown: str = "in {} s",
    retry: str = "Try now",
    reload: str = "Reload",
    reasons: Mapping[str, str] | None = None,
    noscript: str = "Live updates need JavaScript",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show how the page is connected: the worst state of all streams that it follows.

    A change is announced to screen readers, the countdown is not. CSS may use the element's `data-sse-state`.

    Args:
        children: content in front of the words, such as an icon.
        connecting: the words for the first attempt to connect.
        live: the words for a page that is connected.
        reconnecting: the words for a connection that was lost and is being restored.
        offline: the words for a connection that is not retried until the browser is online or the reader asks for it.
        denied: the words for a server that refuses access.
        stale: the words for a page that missed something and loads its content again.
        idle: the words for a page that follows no channel.
        countdown: the words for the time until the next attempt; `{}` stands for the seconds.
        retry: the text of the button that tries at once.
        reload: the text of the button where only a reload brings the page up to date.
        reasons: the words for a page that stays stale, by the reason, such as `{'signed-out': 'Please sign in again'}`.
            docs/healing.md lists the reasons.
        noscript: the words for a browser without JavaScript.
        cls: classes beside `sse-connection-status`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a reason that does not exist.

    Example:
        `ConnectionStatus(live='Verbunden', offline='Getrennt')`
    """
    unknown = {*(reasons or {})} - {*STALE_REASONS}
    if unknown:
        raise MarkupError(f"reasons= has {sorted(unknown)}; the reasons are {', '.join(STALE_REASONS)}")
    words = {
        "connecting": connecting,
        "live": live,
        "reconnecting": reconnecting,
        "offline": offline,
        "denied": denied,
        "stale": stale,
        "idle": idle,
    }
    attributes = {
        "cls": f"sse-connection-status {cls}".strip(),
        STATUS_ATTRIBUTE: True,
        STATE_ATTRIBUTE: "connecting",
        "tabindex": "-1",  # it gets the focus of the button when that is hidden
        "hx_preserve": True,  # new content from the server would say "connecting"
        COUNTDOWN_ATTRIBUTE: countdown,
        **{f"data_{state}": text for state, text in words.items()},
        **{f"data-reason-{reason}": text for reason, text in reason_words(reasons or {}).items()},
        "data_retry": retry,
        "data_reload": reload,
    }
    return Div(
        *children,
        Span(connecting, role="status"),
        Span(aria_hidden="true", cls="sse-countdown"),
        Button(retry, type="button"),
        Noscript(noscript),
        **{**attributes, **kwargs},
    )


def reason_words(given: Mapping[str, str]) -> dict[str, str]:
    """Return the words for every reason: the given ones, and the defaults."""
    return {reason: given.get(reason, REASONS.get(reason, OUT_OF_DATE)) for reason in STALE_REASONS}
