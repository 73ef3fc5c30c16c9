"""The names that programs for cjm-fasthtml-sse 0.0.16 to 0.0.24 import, for the way to the kit's own.

Those versions have another API than 0.0.6, which is the one that this package has. Here are the names that programs
use most, with the same arguments. What they do is the kit's: `docs/migration.md` says, line by line, what to
write instead. The classes for dispatching, updating and monitoring are not here.

Example: `from sse_components.compat import SSEBroadcastManager, oob_update`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from fasthtml.common import FT, Div, Script

from .app import EXTENSIONS, htmx_generation, script_sources
from .callbacks import is_async
from .errors import SetupError
from .events.message import BroadcastMessage
from .html.connect import check_path, connecting
from .html.scripts import cleanup_sse_on_unload
from .manager import BroadcastManager

__all__ = [
    "HTMXSSEConnector",
    "SSEBroadcastManager",
    "cleanup_sse_on_unload",
    "insert_htmx_sse_ext",
    "oob_element",
    "oob_swap",
    "oob_update",
    "sse_element",
]


class SSEBroadcastManager(BroadcastManager):
    """A `BroadcastManager` with the calls of 0.0.16 to 0.0.24, whose connections are queues without a name.

    `broadcast` takes `metadata` where it took a time-out: nothing waits for a client any more. Queues give
    `BroadcastMessage` objects, and `to_dict()` is the dict that they gave. The hooks `on_connect`, `on_disconnect` and
    `on_broadcast` are not here.

    Args:
        max_queue_size: messages that wait for one queue; 0 for no limit.
        history_size: broadcasts that `get_history` remembers.
        default_timeout: seconds that `send_to` waits for room in a queue.

    Example:
        `manager = SSEBroadcastManager(history_size=100)`
    """

    def __init__(self, max_queue_size: int = 100, history_size: int = 50, default_timeout: float = 0.1) -> None:
        super().__init__(max_queue_size, history_size, default_timeout)
        self._ids: dict[asyncio.Queue[Any], str] = {}

    @property
    def connection_count(self) -> int:
        """The number of active connections."""
        return self.get_connection_count()

    async def register_connection(self) -> asyncio.Queue[BroadcastMessage]:
        """Register a connection, and return its queue. It makes the queue itself."""
        connection_id, queue = await self.register()
        self._ids[queue] = connection_id
        return queue

    async def unregister_connection(self, queue: asyncio.Queue[Any]) -> None:
        """Unregister the connection of a queue. An unknown one is no error."""
        if (connection_id := self._ids.pop(queue, None)) is not None:
            await self.unregister(connection_id)


def oob_swap(element: Any, swap_type: str = "outerHTML", target_id: str | None = None) -> Any:
    """Add the out-of-band swap to an element, and return it. The kit's `oob` does not alter its element."""
    if hasattr(element, "attrs"):
        element.attrs["hx-swap-oob"] = f"{swap_type}:#{target_id}" if target_id else swap_type
    return element


def oob_element(element_id: str, content: Any, swap_type: str = "innerHTML") -> FT:
    """Return an element that swaps content into another one by its id, out of band."""
    return Div(content, id=element_id, hx_swap_oob=swap_type)


def oob_update(element_id: str, content: Any, swap_type: str = "innerHTML") -> FT:
    """Return what `oob_element` does."""
    return oob_element(element_id, content, swap_type)


class HTMXSSEConnector:
    """Adds what connects an element to a stream, on htmx 2 and 4."""

    @staticmethod
    def add_sse_attrs(
        element: Any,
        endpoint: str,
        events: str | list[str] | None = None,
        swap_type: str = "message",
        auto_reconnect: bool = True,
    ) -> Any:
        """Add the attributes to an element, and return it.

        `events` may be several; they were not all heard before. `auto_reconnect=False` closes the stream at the event
        `true`, as it did; name an event with `sse_close` instead.
        """
        if hasattr(element, "attrs"):
            named = [swap_type] if not events else [events] if isinstance(events, str) else events
            attrs = connecting(check_path(endpoint=endpoint), named, None)
            element.attrs.update(Div(**attrs).attrs)
            if not auto_reconnect:
                element.attrs["data-sse-close"] = "true"
        return element


def sse_element(
    htmx_sse: Any,
    endpoint: str,
    events: str | list[str] | None = None,
    auto_close: bool = True,
    swap_type: str = "message",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that returns an element, so that the element connects to a stream."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        connect = partial(htmx_sse.add_sse_attrs, endpoint=endpoint, events=events, swap_type=swap_type)
        connect = partial(connect, auto_reconnect=not auto_close)

        async def connected_later(*args: Any, **kwargs: Any) -> Any:
            return connect(await function(*args, **kwargs))

        return connected_later if is_async(function) else lambda *args, **kwargs: connect(function(*args, **kwargs))

    return decorate


def insert_htmx_sse_ext(hdrs: list[Any]) -> None:
    """Add htmx's SSE extension and the clean-up script to headers, in place. `setup_sse(app)` does that and more.

    Raises:
        SetupError: if the headers do not load htmx.
    """
    index = next((i for i, header in enumerate(hdrs) if any("htmx" in url for url in script_sources([header]))), None)
    if index is None:
        raise SetupError("the headers do not load htmx: give those of an app, such as app.hdrs")
    hdrs[index + 1 : index + 1] = [Script(src=EXTENSIONS[htmx_generation(hdrs)][0]), cleanup_sse_on_unload()]
