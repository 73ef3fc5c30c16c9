"""`ConnectionStats`: how a page, and the server, are connected, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fasthtml.common import FT, Dd, Div, Dl, Dt

from ..checks import check_positive
from ..html.scripts import create_connection_manager_script
from ..protocol import (
    AGO_ATTRIBUTE,
    CONNECTIONS_PATH,
    NEVER_ATTRIBUTE,
    NUMBERS_ATTRIBUTE,
    PREFIX,
    STAT_ATTRIBUTE,
    STATS_ATTRIBUTE,
)

UNKNOWN = "…"
NUMBERS = {
    "state": "This page",
    "heard": "Last heard",
    "reconnects": "Reconnects",
    "active": "Open on the server",
    "total": "Known to the server",
}
LABELS = NUMBERS | {"idle": "follows nothing"}


def ConnectionStats(
    *children: Any,
    stats: Mapping[str, Any] | None = None,
    interval: float = 10.0,
    endpoint: str = PREFIX + CONNECTIONS_PATH,
    labels: Mapping[str, str] | None = None,
    ago: str = "{} s ago",
    never: str = "not yet",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show figures, live: of this page's connection, and of all connections that the server has.

    Args:
        children: further pairs of `Dt` and `Dd`, such as `Dd(data_sse_stats='by_type.job')`.
        stats: the server's figures when the page is rendered, as `sse.registry.get_stats()` returns them.
        interval: seconds between two requests for the server's figures.
        endpoint: the path of the route that returns them.
        labels: other words for `state`, `heard`, `reconnects`, `active`, `total`, or the name of a state.
        ago: the words for the time since the server was heard; `{}` stands for the seconds.
        never: the words for a server that was not heard yet.
        cls: classes beside `sse-connection-stats`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        ValueError: for an interval that is not above 0.
        MarkupError: for an empty endpoint.

    Example:
        `ConnectionStats(stats=sse.registry.get_stats(), interval=2)`
    """
    check_positive(interval=interval)
    words, numbers = {**LABELS, **(labels or {})}, stats or {}
    states = {f"data_{state}": word for state, word in words.items() if state not in NUMBERS}
    attributes = {
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
        create_connection_manager_script(endpoint, max(1, round(interval * 1_000))),
        **{**attributes, **kwargs},
    )


def pair(label: str, value: Any, **attributes: Any) -> FT:
    """Return a label with its value, as a part of a `Dl`."""
    return Div(Dt(label), Dd(value, **attributes))
