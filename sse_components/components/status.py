"""How a page is connected, in words and in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fasthtml.common import FT, Button, Dd, Div, Dl, Dt, Noscript, Span

from ..html.scripts import create_connection_manager_script
from ..protocol import (
    AGO_ATTRIBUTE,
    CONNECTIONS_PATH,
    COUNTDOWN_ATTRIBUTE,
    NEVER_ATTRIBUTE,
    NUMBERS_ATTRIBUTE,
    PREFIX,
    STAT_ATTRIBUTE,
    STATE_ATTRIBUTE,
    STATS_ATTRIBUTE,
    STATUS_ATTRIBUTE,
)

UNKNOWN = "…"


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
    """Show how the page is connected: the worst state of all that it follows.

    A change is announced to screen readers; the countdown is not. `data-sse-state` of the element is a hook for CSS.

    Args:
        children: what stands in front, such as an icon.
        connecting: the words for the first attempt to connect.
        live: ... for a page that is connected.
        reconnecting: ... for a connection that was lost and is tried again.
        offline: ... for a connection that is not tried again until there is new hope.
        denied: ... for a server that refuses.
        stale: ... for a page that has missed something and fetches itself anew.
        idle: ... for a page that follows nothing.
        countdown: the words for the time until the next attempt; `{}` stands for the seconds.
        retry: the button that tries at once.
        noscript: the words for a browser without JavaScript.
        cls: classes beside `sse-connection-status`.
        kwargs: any attribute of the tag.

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
    shown = {
        "cls": f"sse-connection-status {cls}".strip(),
        STATUS_ATTRIBUTE: True,
        STATE_ATTRIBUTE: "connecting",
        "tabindex": "-1",  # focus comes here when the button goes
        "hx_preserve": True,  # a fresh page says "connecting"
        COUNTDOWN_ATTRIBUTE: countdown,
        **{f"data_{state}": text for state, text in words.items()},
    }
    return Div(
        *children,
        Span(connecting, role="status"),
        Span(aria_hidden="true", cls="sse-countdown"),
        Button(retry, type="button"),
        Noscript(noscript),
        **{**shown, **kwargs},
    )


def ConnectionStats(
    *children: Any,
    stats: Mapping[str, Any] | None = None,
    interval: int = 10_000,
    endpoint: str = PREFIX + CONNECTIONS_PATH,
    labels: Mapping[str, str] | None = None,
    ago: str = "{} s ago",
    never: str = "not yet",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show numbers, live: of this page's connection, and of all that the server has.

    Args:
        children: more `Dt` and `Dd`, such as `Dd(data_sse_stats='by_type.job')`.
        stats: the server's numbers for the first paint, as `sse.registry.get_stats()` gives them.
        interval: milliseconds between two requests for the server's numbers.
        endpoint: path of the route that gives them.
        labels: words of your own for `state`, `heard`, `reconnects`, `active`, `total`, or the name of a state.
        ago: the words for how long ago the server was heard; `{}` stands for the seconds.
        never: ... for not having heard it.
        cls: classes beside `sse-connection-stats`.
        kwargs: any attribute of the tag.

    Example:
        `ConnectionStats(stats=sse.registry.get_stats(), interval=2000)`
    """
    words, numbers = {**LABELS, **(labels or {})}, stats or {}
    states = {f"data_{state}": word for state, word in words.items() if state not in NUMBERS}
    shown = {
        "cls": f"sse-connection-stats {cls}".strip(),
        NUMBERS_ATTRIBUTE: True,
        AGO_ATTRIBUTE: ago,
        NEVER_ATTRIBUTE: never,
        **states,
    }
    return Dl(
        pair(words["state"], words.get("connecting", "connecting"), **{STAT_ATTRIBUTE: "state"}),
        pair(words["heard"], never, **{STAT_ATTRIBUTE: "heard"}),
        pair(words["reconnects"], 0, **{STAT_ATTRIBUTE: "reconnects"}),
        pair(words["active"], numbers.get("active", UNKNOWN), **{STATS_ATTRIBUTE: "active"}),
        pair(words["total"], numbers.get("total", UNKNOWN), **{STATS_ATTRIBUTE: "total"}),
        *children,
        create_connection_manager_script(endpoint, interval),
        **{**shown, **kwargs},
    )


NUMBERS = {
    "state": "This page",
    "heard": "Last heard",
    "reconnects": "Reconnects",
    "active": "Open on the server",
    "total": "Known to the server",
}
LABELS = NUMBERS | {"idle": "follows nothing"}


def pair(label: str, value: Any, **attributes: Any) -> FT:
    """Return a name with its value, as part of a `Dl`."""
    return Div(Dt(label), Dd(value, **attributes))
