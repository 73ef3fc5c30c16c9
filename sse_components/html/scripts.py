"""The script tags of the first API."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Script

from ..checks import check_whole
from ..protocol import CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, RECONNECT_ATTRIBUTE
from .assets import asset_url
from .connect import check_path
from .page_context import kit_prefix


def cleanup_sse_on_unload() -> FT:
    """Create a script to clean up SSE connections on page unload, and to take them up again on the way back.

    Source: cjm-fasthtml-sse, `connections`.
    """
    return _script("unload.js")


def create_reconnection_script(check_interval: int = 5000, max_retries: int = 5, debug: bool = False) -> FT:
    """Create a script for automatic SSE reconnection.

    Args:
        check_interval: milliseconds between two attempts, at most, unless the server asks for more (`retry`: 500).
        max_retries: attempts in a row that may fail before it gives up, and shows that.
        debug: log each attempt to the browser's console.

    Raises:
        ValueError: if `check_interval` is not a whole number above 0, or `max_retries` not one of at least 0.

    Source: cjm-fasthtml-sse, `connections`.
    """
    check_whole(check_interval=check_interval)
    check_whole(least=0, max_retries=max_retries)
    options = {"data_check_interval": check_interval, "data_max_retries": max_retries, "data_debug": bool(debug)}
    return _script("reconnect.js", **{RECONNECT_ATTRIBUTE: True}, **options)


def create_connection_manager_script(
    registry_endpoint: str = PREFIX + CONNECTIONS_PATH, update_interval: int = 10000
) -> FT:
    """Create a script to manage and monitor connections.

    It fills the elements with `data-sse-stats` and fires `sse:stats` at the document.

    Args:
        registry_endpoint: path of a route that gives `ConnectionRegistry.get_stats()` as JSON. The default stands for
            the one that `setup_sse` made, wherever its prefix puts it.
        update_interval: milliseconds between two requests.

    Raises:
        MarkupError: for an empty endpoint, or a trigger that is an SSE event.
        ValueError: if `update_interval` is not a whole number above 0.

    Source: cjm-fasthtml-sse, `connections`.
    """
    check_whole(update_interval=update_interval)
    endpoint = check_path(registry_endpoint=registry_endpoint)
    if endpoint == PREFIX + CONNECTIONS_PATH:
        endpoint = kit_prefix() + CONNECTIONS_PATH
    options = {"data_endpoint": endpoint, "data_update_interval": update_interval}
    return _script("monitor.js", **{MONITOR_ATTRIBUTE: True}, **options)


def _script(name: str, **attrs: Any) -> FT:
    return Script(src=asset_url(name, kit_prefix()), type="module", **attrs)
