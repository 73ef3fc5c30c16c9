"""`ConnectionStatus`: how a page is connected, in words."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Button, Div, Noscript, Span

from ..protocol import COUNTDOWN_ATTRIBUTE, STATE_ATTRIBUTE, STATUS_ATTRIBUTE


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
        noscript: the words for a browser without JavaScript.
        cls: classes beside `sse-connection-status`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Example:
        `ConnectionStatus(live='Verbunden', offline='Getrennt')`
    """
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
    }
    return Div(
        *children,
        Span(connecting, role="status"),
        Span(aria_hidden="true", cls="sse-countdown"),
        Button(retry, type="button"),
        Noscript(noscript),
        **{**attributes, **kwargs},
    )
