"""The script tags of the first API."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Script

from ..checks import check_positive, check_whole
from ..protocol import CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, RECONNECT_ATTRIBUTE
from .assets import asset_url
from .connect import check_path
from .mounting import prefix_for_page


class ScriptTag(FT):  # type: ignore[misc]
    """A `<script>` that loads a browser file, whose address it finds out when it is rendered.

    So it can be made when a module is imported, as in `fast_app(hdrs=(cleanup_sse_on_unload(),))`, and one tag serves
    apps with different prefixes.

    Args:
        name: of the browser file.
        attrs: attributes of the tag. A `data_endpoint` that is `DEFAULT_ENDPOINT` becomes that route's address.
    """

    def __init__(self, name: str, **attrs: Any) -> None:
        tag = Script(type="module", **attrs)
        super().__init__(tag.tag, tag.children, tag.attrs, tag.void_)
        self.file_ = name

    def __ft__(self) -> FT:
        prefix = prefix_for_page()
        found = {"src": asset_url(self.file_, prefix), **self.attrs}
        if found.get("data-endpoint") == DEFAULT_ENDPOINT:
            found["data-endpoint"] = prefix + CONNECTIONS_PATH
        return FT(self.tag, self.children, found, self.void_)


# It means the route that `setup_sse` adds, whatever its prefix is.
DEFAULT_ENDPOINT = PREFIX + CONNECTIONS_PATH


def cleanup_sse_on_unload() -> FT:
    """Create a script to clean up SSE connections on page unload, and to take them up again on the way back.

    Returns:
        The tag. It works in any FastHTML app, as `prefix_for_page` has it.

    Raises:
        SetupError: when it is rendered outside of a request, if no app serves the browser files.

    Example:
        `app, rt = fast_app(hdrs=(cleanup_sse_on_unload(),))`

    Source: cjm-fasthtml-sse, `connections`.
    """
    return ScriptTag("unload.js")


def create_reconnection_script(check_interval: float = 5000, max_retries: int = 5, debug: bool = False) -> FT:
    """Create a script for automatic SSE reconnection.

    Args:
        check_interval: milliseconds between two attempts, at most, unless the server asks for more (`retry`: 500).
        max_retries: attempts in a row that may fail before it gives up, and shows that.
        debug: log each attempt to the browser's console.

    Returns:
        The tag, as `cleanup_sse_on_unload` has it.

    Raises:
        ValueError: if `check_interval` is not a number above 0, or `max_retries` not a whole number of at least 0.

    Example:
        `create_reconnection_script(check_interval=2000, max_retries=10)`

    Source: cjm-fasthtml-sse, `connections`.
    """
    check_positive(check_interval=check_interval)
    check_whole(least=0, max_retries=max_retries)
    options = {"data_check_interval": check_interval, "data_max_retries": max_retries, "data_debug": bool(debug)}
    return ScriptTag("reconnect.js", **{RECONNECT_ATTRIBUTE: True}, **options)


def create_connection_manager_script(registry_endpoint: str = DEFAULT_ENDPOINT, update_interval: float = 10000) -> FT:
    """Create a script to manage and monitor connections.

    It fills the elements with `data-sse-stats` and fires `sse:stats` at the document.

    Args:
        registry_endpoint: path of a route that gives `ConnectionRegistry.get_stats()` as JSON. The default stands for
            the one that `setup_sse` made, wherever its prefix puts it.
        update_interval: milliseconds between two requests.

    Returns:
        The tag, as `cleanup_sse_on_unload` has it.

    Raises:
        MarkupError: for an empty endpoint.
        ValueError: if `update_interval` is not a number above 0.

    Example:
        `create_connection_manager_script('/admin/connections', update_interval=2000)`

    Source: cjm-fasthtml-sse, `connections`.
    """
    check_positive(update_interval=update_interval)
    endpoint = check_path(registry_endpoint=registry_endpoint)
    options = {"data_endpoint": endpoint, "data_update_interval": update_interval}
    return ScriptTag("monitor.js", **{MONITOR_ATTRIBUTE: True}, **options)
