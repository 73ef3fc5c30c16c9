"""Content that is the same in every tab: one value, a list, a region that a function renders."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import unicodedata
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Any

from fasthtml.common import FT, Li, NotStr, Template, ft_hx

from ..errors import MarkupError, NotRunning
from ..html.oob import as_ft, flat, id_selector, own_id, render
from ..manager import BroadcastManager
from ..protocol import (
    KEY_ATTRIBUTE,
    LABEL_ATTRIBUTE,
    LIVE_LIST_ATTRIBUTE,
    LIVE_REGION_ATTRIBUTE,
    LIVE_TEXT_ATTRIBUTE,
    MAX_ATTRIBUTE,
    MORPH_ATTRIBUTE,
    PAUSE_ATTRIBUTE,
)
from ..transactions import Action, hold
from .element import following
from .handles import Handle, check_id

logger = logging.getLogger("sse_components")

# Seconds between two messages of one value, or of one region.
INTERVAL = 0.1
# Seconds between two announcements of one value to a screen reader.
ANNOUNCED = 5.0
POLITENESS = ("polite", "assertive", "off")
LISTS = ("ul", "ol", "tbody")
EMPTY = "sse-live-list-empty"
NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")


def LiveText(
    value: Any = "",
    *,
    id: str | None = None,
    channel: str | None = None,
    live: str = "polite",
    label: str | None = None,
    announced: float = ANNOUNCED,
    tag: str = "span",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show one value that is the same in every tab; `await sse.text(id).set(value)` changes it.

    Who sees it sees each change. A screen reader says the latest value once in a while, so that it does not flood.

    Args:
        value: what it shows at first: text, a number, or FT.
        id: its id; needed.
        channel: by default the id.
        live: when a screen reader says it: `'polite'` in a pause, `'assertive'` at once, `'off'` never.
        label: what a screen reader says before the value, such as `'Load'`.
        announced: seconds between two announcements, at least.
        tag: its tag.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        MarkupError: without a usable id, or for an unknown `live`.
        ValueError: if `announced` is negative.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveText('0 %', id='cpu', label='Load')`
    """
    if live not in POLITENESS:
        raise MarkupError(f"live must be one of {', '.join(POLITENESS)}, not {live!r}")
    if announced < 0:
        raise ValueError(f"announced must be at least 0 seconds, not {announced!r}")
    id = check_id(id, "LiveText")
    if live != "off":
        said = {LIVE_TEXT_ATTRIBUTE: live, LABEL_ATTRIBUTE: label, PAUSE_ATTRIBUTE: round(announced * 1000)}
        kwargs = said | kwargs
    return live_tag(tag, value, id=id, channel=channel, cls=f"sse-live-text {cls}", **kwargs)


def LiveList(
    *items: Any,
    id: str | None = None,
    channel: str | None = None,
    tag: str = "ul",
    empty: Any = None,
    max_length: int | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a list that is the same in every tab; `sse.list(id)` appends, inserts, updates and removes items.

    Items with a sort key (`data_sse_key`, or `insert(item, key=...)`) stand in the order of their keys: numbers by
    value, and before text; text as a person would sort it, `'item 9'` before `'item 10'`. Negate numbers to have the
    greatest first.

    Args:
        items: FT, each with an id: an `Li`, or a `Tr` in a `'tbody'`.
        id: its id; needed.
        channel: by default the id.
        tag: `'ul'`, `'ol'`, or `'tbody'` for the rows of a `Table`.
        empty: what it shows without items: text, FT, or a `Tr` in a `'tbody'`.
        max_length: items that a tab keeps. One that is appended drops the first, and any other the last.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        MarkupError: without a usable id, for an item without one, or for another tag.
        ValueError: for a `max_length` below 1.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveList(*[Li(todo.title, id=f'todo-{todo.id}') for todo in todos()], id='todos', empty='Nothing to do')`
    """
    if tag not in LISTS:
        raise MarkupError(f"tag must be one of {', '.join(LISTS)}, not {tag!r}")
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length must be at least 1, not {max_length!r}")
    shown = in_order([check_item(item) for item in flat(items) if item is not None])
    if empty is not None:
        shown.insert(0, empty_item(empty, tag))
    kwargs = {LIVE_LIST_ATTRIBUTE: True, MAX_ATTRIBUTE: max_length, **kwargs}
    return live_tag(tag, *shown, id=check_id(id, "LiveList"), channel=channel, cls=f"sse-live-list {cls}", **kwargs)


def LiveRegion(
    *content: Any, id: str | None = None, channel: str | None = None, tag: str = "div", cls: str = "", **kwargs: Any
) -> FT:
    """Show what a function renders, the same in every tab. `sse.region` makes one of it, with its `refresh()`.

    Args:
        content: what it shows at first.
        id: its id; needed.
        channel: by default the id.
        tag: its tag.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        MarkupError: without a usable id.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveRegion(render_board(), id='board')`
    """
    kwargs = {LIVE_REGION_ATTRIBUTE: True, **kwargs}
    return live_tag(
        tag, *content, id=check_id(id, "LiveRegion"), channel=channel, cls=f"sse-live-region {cls}", **kwargs
    )


def live_tag(tag: str, *content: Any, id: str, channel: str | None, cls: str, **kwargs: Any) -> FT:
    """Return a tag that follows its channel; `kwargs` have the last word."""
    return ft_hx(tag, *flat(content), id=id, cls=cls.strip(), **{**following(channel or id), **kwargs})


def empty_item(empty: Any, tag: str) -> FT:
    """Return what a list shows without items, as an element that may stand in it."""
    empty, name = as_ft(empty), "tr" if tag == "tbody" else "li"
    if not (isinstance(empty, FT) and empty.tag == name):
        if name == "tr":
            raise MarkupError("empty must be a Tr where the list is a tbody: Tr(Td('Nothing yet', colspan=3))")
        empty = Li(empty)
    classes = f"{empty.attrs.get('class') or ''} {EMPTY}".strip()
    return FT(empty.tag, empty.children, {**empty.attrs, "class": classes})


def check_item(item: Any) -> FT:
    """Return an item as FT, else raise `MarkupError` if it is none, or has no id."""
    found = as_ft(item)
    if not (isinstance(found, FT) and found.attrs.get("id")):
        what = f"<{found.tag}>" if isinstance(found, FT) else repr(item)
        raise MarkupError(f"an item of a list needs an id to be found by in every tab: {what} has none")
    return found


def in_order(items: list[FT]) -> list[FT]:
    """Return items sorted by their keys if each has one, else as they are. The browser has the last word on letters."""
    keys = [item.attrs.get(KEY_ATTRIBUTE) for item in items]
    if None in keys:
        return items
    return sorted(items, key=lambda item: (natural(item.attrs[KEY_ATTRIBUTE]), natural(item.attrs["id"])))


def natural(key: Any) -> tuple[bool, float, list[Any]]:
    """Return what sorts a key as a person would: numbers by value, and before text; numbers in a text by value."""
    text = str(key)
    if NUMBER.fullmatch(text):
        return (False, float(text), [])
    parts = re.split(r"(\d+)", unicodedata.normalize("NFKD", text).casefold())
    return (True, 0.0, [int(part) if index % 2 else part for index, part in enumerate(parts)])


class Pace:
    """Lets what it is given run one at a time, and one begin in each interval; of what waits, the latest runs.

    Args:
        interval: seconds.
    """

    def __init__(self, interval: float) -> None:
        if interval <= 0:
            raise ValueError(f"interval must be above 0 seconds, not {interval!r}")
        self._interval = interval
        self._busy_in: asyncio.AbstractEventLoop | None = None
        self._latest: Action | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self, action: Action) -> None:
        """Run an action now; or later, if one has begun within the interval. Then its errors are logged."""
        loop = asyncio.get_running_loop()
        if self._busy_in is loop:
            self._latest = action
        else:
            self._busy_in, self._latest = loop, None
            await self._run(action)

    async def _run(self, action: Action) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await action()
        finally:
            # Not in the context of a request, or of a transaction, that is over by then.
            loop.call_at(begun + self._interval, self._go_on, loop, context=Context())

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._latest is None:
            self._busy_in = None
        else:
            action, self._latest = self._latest, None
            self._task = loop.create_task(self._run_late(action))

    async def _run_late(self, action: Action) -> None:
        try:
            await self._run(action)
        except NotRunning:
            pass  # the application has stopped: nobody is left to see it
        except Exception:
            logger.exception("an update that had waited for its turn has failed")


class Text(Handle):
    """The server side of a `LiveText`.

    Args:
        publisher: sends the value.
        id: of the `LiveText`.
        channel: by default the id.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that selectors cannot name.
        ValueError: for an interval that is not above 0.
    """

    CALLED = "a text"

    def __init__(
        self, publisher: BroadcastManager, id: str, *, channel: str | None = None, interval: float = INTERVAL
    ) -> None:
        super().__init__(publisher, id, channel=channel)
        self._pace = Pace(interval)

    async def set(self, value: Any) -> None:
        """Show a value in every tab: at once, or as the last one that was set within the interval.

        Args:
            value: text, a number, or FT; rendered here.
        """
        html = NotStr(render(value))
        publish = partial(self._publisher.publish, self.channel, html, target=self.id, swap="innerHTML")
        action = partial(self._pace.run, publish)
        if not hold(action):
            await action()


class ItemList(Handle):
    """The server side of a `LiveList`. Each call is one message, and safe to come twice: an item is known by its id.

    Args:
        publisher: sends the changes.
        id: of the `LiveList`.
        channel: by default the id.

    Raises:
        MarkupError: for an id that selectors cannot name.
    """

    CALLED = "a list"

    async def append(self, *items: Any) -> None:
        """Put items at the end; what stands there under the same id moves there.

        Raises:
            MarkupError: for an item without id.
        """
        await self._put("beforeend", *map(check_item, items))

    async def prepend(self, *items: Any) -> None:
        """Put items at the beginning, as `append` does at the end."""
        await self._put("afterbegin", *map(check_item, items))

    async def insert(self, item: Any, *, key: Any = None) -> None:
        """Put an item where its sort key belongs.

        Args:
            item: FT with an id.
            key: a number, or what as text is its key; by default the item's own `data_sse_key`.

        Raises:
            MarkupError: without an id or a key.
        """
        await self._put("beforeend", keyed(item, key))

    async def update(self, item: Any, *, key: Any = None) -> None:
        """Change the item that has the same id, where a tab shows it. Focus and what is typed in it are kept.

        Args:
            item: FT with an id.
            key: its new sort key; by default its own, if it has any.

        Raises:
            MarkupError: without an id.
        """
        await self._put("beforeend", morph(check_item(item) if key is None else keyed(item, key)))

    async def remove(self, item: Any) -> None:
        """Take an item away.

        Args:
            item: its id, or the item.
        """
        id = item if isinstance(item, str) else own_id(check_item(item))
        await self._publisher.publish(self.channel, "", target=id_selector(id.removeprefix("#")), swap="delete")

    async def clear(self) -> None:
        """Take all items away."""
        # htmx 4.0.0 takes no selector with a space.
        await self._publisher.publish(self.channel, "", target=f"{id_selector(self.id)}>[id]", swap="delete")

    async def _put(self, swap: str, *items: FT) -> None:
        await self._publisher.publish(self.channel, *items, target=self.id, swap=swap)


def keyed(item: Any, key: Any) -> FT:
    """Return an item with its sort key, else raise `MarkupError`."""
    item = check_item(item)
    found = item.attrs.get(KEY_ATTRIBUTE) if key is None else key
    if found is None:
        raise MarkupError("insert needs a sort key: key=, or data_sse_key of the item")
    return FT(item.tag, item.children, {**item.attrs, KEY_ATTRIBUTE: str(found)})


def morph(*content: Any) -> FT:
    """Return content as an element that has the one it comes into take it over, and is gone."""
    return Template(*content, **{MORPH_ATTRIBUTE: True})


class Region(Handle):
    """A function's FT that is rendered anew, and sent to every tab, by `refresh()`. Call it to have it in a page.

    Args:
        publisher: sends what is rendered.
        id: of the `LiveRegion`.
        render: returns FT; it may be an async function. What it returns is for everyone who sees the region.
        channel: by default the id.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that selectors cannot name.
        ValueError: for an interval that is not above 0.
    """

    CALLED = "a region"

    def __init__(
        self,
        publisher: BroadcastManager,
        id: str,
        render: Callable[[], Any],
        *,
        channel: str | None = None,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(publisher, id, channel=channel)
        self.render, self._pace = render, Pace(interval)

    def __call__(self, **kwargs: Any) -> Any:
        """Return the `LiveRegion` for a page, with its present content. If the function is async, await it.

        Args:
            kwargs: of `LiveRegion`: `tag`, `cls`, any attribute.
        """
        content = self.render()
        show = partial(LiveRegion, id=self.id, channel=self.channel, **kwargs)
        return shown_later(content, show) if inspect.isawaitable(content) else show(content)

    async def refresh(self) -> None:
        """Render it anew, and show that in every tab, with focus, caret, scroll and what was typed kept.

        Of several calls within the interval the first renders at once, and the others once, when it has passed.

        Raises:
            Exception: what the function raises, if it is called at once.
            SetupError: if the function makes an element that connects by itself: grants are made for one page.
        """
        action = partial(self._pace.run, self._publish)
        if not hold(action):
            await action()

    async def _publish(self) -> None:
        # In a context without a page: what would be granted to it is not to be sent to all.
        content = await asyncio.create_task(called(self.render), context=Context())
        await self._publisher.publish(self.channel, morph(content), target=self.id, swap="beforeend")


async def shown_later(content: Awaitable[Any], show: Callable[[Any], FT]) -> FT:
    """Show content that has to be waited for."""
    return show(await content)


async def called(function: Callable[[], Any]) -> NotStr:
    """Return as HTML what a function returns, sync or async."""
    content = function()
    return NotStr(render(await content if inspect.isawaitable(content) else content))
