"""`LiveRegion`: what a function renders, the same in every tab."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fasthtml.common import FT, NotStr, Template

from ..access.identity import as_set
from ..callbacks import call
from ..errors import MarkupError, NotRunning
from ..html.granted import Readers, current_readers
from ..html.oob import render as render_html
from ..manager import BroadcastManager
from ..protocol import FETCH_ATTRIBUTE, LIVE_REGION_ATTRIBUTE, MORPH_ATTRIBUTE, SPREAD_ATTRIBUTE
from ..publication import Publication, calling_place
from .handle import Exclude, Handle
from .handle_registry import address, bind
from .live import live_tag, morph
from .throttle import Throttle, start

# Seconds between two messages of one region.
INTERVAL = 0.1
# Requests for a fetched region that are spread over one second.
FETCHES_PER_SECOND = 500


class Region(Handle):
    """The server side of a `LiveRegion`: a function that renders it. `sse.region(id)` makes it, as a decorator.

    Call the region to show it in a page. Call `refresh()` when what it shows has changed.

    Attributes:
        id: the id of the `LiveRegion`.
        channel: the channel that the `LiveRegion` follows.
        render: the function.

    Args:
        manager: publishes what is rendered.
        id: the id of the `LiveRegion`.
        render: returns FT; it may be an async function. Everyone who sees the region gets what it returns.
        channel: the channel that it follows; by default the id.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ValueError: for an interval that is not above 0.

    Example:
        `@sse.region('board') def board(): return Ul(*map(Li, names))`
    """

    KIND = "a region"

    def __init__(
        self,
        manager: BroadcastManager,
        id: str,
        render: Callable[[], Any],
        *,
        channel: str | None = None,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(manager, id, channel=channel)
        self.render, self._throttle = render, Throttle(manager, self._send, interval, leading=True, what=self.described)

    def __call__(self, **kwargs: Any) -> Any:
        """Return the `LiveRegion` for a page, with its present content. If the function is async, await the call.

        Args:
            kwargs: arguments of `LiveRegion`: `tag`, `cls`, and any attribute.

        Returns:
            The element, or an awaitable of it.
        """
        content = self.render()
        show = partial(LiveRegion, id=self, **kwargs)
        return show_awaited(content, show) if inspect.isawaitable(content) else show(content)

    def refresh(self, *, exclude: Exclude = None) -> Publication:
        """Render the region again, and show it in every tab. Focus, caret, scroll position and what is typed are kept.

        It may be called anywhere, with or without `await`, as `publish`. The function runs in a worker thread, or in
        the application's event loop if it is async. Of several calls within the interval, the first renders at once,
        and the others together when the interval has passed. What is published meanwhile reaches pages first: await the
        call, or its `result()` in a thread, where the order counts.

        Args:
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`. Its id is empty if the region is rendered later, with others. It raises what the function
            raises, which is logged with the line of this call if nobody looks at it.

        Raises:
            NotRunning: before start-up or after shutdown.

        Example:
            `board.refresh()`
        """
        return self._manager.run_after_commit(partial(self._throttle.request, as_set(exclude), calling_place()))

    def _send(self, exclude: frozenset[str]) -> Publication:
        # In a context without a page: channels that are granted to one page must not be sent to all.
        return start(self._render_and_publish(exclude))

    async def _render_and_publish(self, exclude: frozenset[str]) -> str:
        # Whatever it shows follows its channels from before it was rendered.
        readers = Readers(self.channel, self._manager, self._manager.backend.cursor)
        current_readers.set(readers)
        html = NotStr(await call(render_html, await call(self.render)))
        try:
            return await self._publish_out_of_band(morph(html), target=self.id, swap="beforeend", exclude=exclude)
        except NotRunning:
            return ""  # the application has stopped meanwhile


class FetchedRegion(Handle):
    """What `sse.refresh(id)` works with: it tells pages that their region has changed, and each fetches its own.

    Attributes:
        id: the id of the `LiveRegion`.
        channel: the channel that the `LiveRegion` follows.

    Args:
        manager: publishes.
        id: the id of the `LiveRegion`.
        channel: the channel that it follows; by default the id.

    Raises:
        MarkupError: for an id that a selector cannot name.
    """

    KIND = "a region that pages fetch"

    def __init__(self, manager: BroadcastManager, id: str, *, channel: str | None = None) -> None:
        super().__init__(manager, id, channel=channel)
        self._throttle = Throttle(manager, self._send, INTERVAL, leading=True)

    def refresh(self, *, exclude: Exclude = None) -> Publication:
        """Have each page that shows the region fetch it."""
        return self._manager.run_after_commit(partial(self._throttle.request, as_set(exclude), calling_place()))

    def _send(self, exclude: frozenset[str]) -> Publication:
        spread = 1_000 * self._manager.get_connection_count(channel=self.channel) // FETCHES_PER_SECOND
        changed = Template(**{MORPH_ATTRIBUTE: True, SPREAD_ATTRIBUTE: spread})
        return self._publish_out_of_band(changed, target=self.id, swap="beforeend", exclude=exclude)


async def show_awaited(content: Awaitable[Any], show: Callable[[Any], FT]) -> FT:
    """Show content as soon as it is there."""
    return show(await content)


def LiveRegion(
    *content: Any,
    id: Region | str | None = None,
    channel: str | None = None,
    tag: str = "div",
    cls: str = "",
    fetch: Any = None,
    **kwargs: Any,
) -> FT:
    """Show what a function renders, the same in every tab; or, with `fetch`, what each tab's user may see.

    `sse.region(id)` makes a region of the function. Its `refresh()` renders it again, once for everybody. With `fetch`,
    `sse.refresh(id)` has each tab fetch the region by itself, so that its handler knows the user and the session.

    Args:
        content: what it shows at first; or the region, which renders it.
        id: its id, or its handle, if `content` is not the region. Required then.
        channel: the channel that it follows; by default the region's, which is the id by default.
        tag: the name of its tag.
        cls: classes beside `sse-live-region`.
        fetch: the handler that renders the region for one user, or its path. It returns the content, or the region.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a missing id, an id that a selector cannot name, a region whose function is async, or a `fetch`
            that is no path.
        HandleError: for another channel than the region's.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveRegion(board)`

    Example:
        `LiveRegion(my_orders(session), id='orders', fetch=my_orders)`
    """
    if content and isinstance(content[0], Region):
        id = bind(Region, content[0], also=id)
        content = (render_now(id), *content[1:])
    id, channel = address(Region, id, channel, "LiveRegion")
    kwargs = {LIVE_REGION_ATTRIBUTE: True, FETCH_ATTRIBUTE: path_of(fetch), **kwargs}
    return live_tag(tag, *content, id=id, channel=channel, cls=f"sse-live-region {cls}", **kwargs)


def path_of(fetch: Any) -> str | None:
    """Return the path of a handler, as FastHTML's `rt` makes it, or the path that is given; None for None.

    Raises:
        MarkupError: for anything else.
    """
    path = None if fetch is None else str(fetch)
    if path is not None and (not path.startswith("/") or path.startswith("//")):
        raise MarkupError(f"fetch must be a handler with a route, or its path, not {path!r}")
    return path


def render_now(region: Region) -> Any:
    """Return what a region's function returns.

    Raises:
        MarkupError: if the function is async.
    """
    content = region.render()
    if inspect.iscoroutine(content):
        content.close()
    if inspect.isawaitable(content):
        raise MarkupError(f"an async function renders the region {region.id!r}: write `await region()` instead")
    return content
