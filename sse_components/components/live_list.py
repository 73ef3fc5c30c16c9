"""`LiveList`: a list that is the same in every tab."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from fasthtml.common import FT, Li

from ..checks import check_whole
from ..errors import MarkupError
from ..html.oob import as_ft, flat, id_selector, own_id
from ..protocol import KEY_ATTRIBUTE, LIVE_LIST_ATTRIBUTE, MAX_ATTRIBUTE
from ..publication import Publication
from .handle import Exclude, Handle
from .handle_registry import address
from .live import live_tag, morph

LISTS = ("ul", "ol", "tbody")
EMPTY = "sse-live-list-empty"
NUMBER = re.compile(r"\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
# Characters of a sort key that count: keys are often texts of users, and every page compares them.
KEY_CHARACTERS = 256


class ItemList(Handle):
    """The server side of a `LiveList`. `sse.list(id)` returns it.

    Each call publishes one message. It may be called anywhere, with or without `await`, as `publish`, and returns a
    `Publication`. A message may arrive twice without harm: a page finds an item by its id.

    Attributes:
        id: the id of the `LiveList`.
        channel: the channel that the `LiveList` follows.

    Args:
        manager: publishes the changes.
        id: the id of the `LiveList`.
        channel: the channel that it follows; by default the id.

    Raises:
        MarkupError: for an id that a selector cannot name.

    Example:
        `sse.list('todos').append(Li('milk', id='todo-1'))`
    """

    KIND = "a list"

    def append(self, *items: Any, exclude: Exclude = None) -> Publication:
        """Add items at the end. An item that the list shows already moves there.

        Args:
            items: FT, each with an id.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError: for an item without id.
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.list('todos').append(Li('milk', id='todo-1'))`
        """
        return self._put("beforeend", *map(check_item, items), exclude=exclude)

    def prepend(self, *items: Any, exclude: Exclude = None) -> Publication:
        """Add items at the beginning. An item that the list shows already moves there.

        Args:
            items: FT, each with an id.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError, NotRunning, MessageTooLarge, ChannelError: as `append`.

        Example:
            `sse.list('todos').prepend(Li('Water the plants', id='todo-7'))`
        """
        return self._put("afterbegin", *map(check_item, items), exclude=exclude)

    def insert(self, item: Any, *, key: Any = None, exclude: Exclude = None) -> Publication:
        """Add an item where its sort key belongs.

        Args:
            item: FT with an id.
            key: its sort key, a number or text; by default the item's own `data_sse_key`.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError: for an item without id, or without key.
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.list('scores').insert(Li('Ada: 7', id='score-ada'), key=-7)`
        """
        return self._put("beforeend", with_key(item, key), exclude=exclude)

    def update(self, item: Any, *, key: Any = None, exclude: Exclude = None) -> Publication:
        """Change the item that has the same id, where a tab shows it. Focus and what is typed in it are kept.

        Args:
            item: FT with an id.
            key: its new sort key, a number or text; by default the item's own `data_sse_key`, if it has one.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError: for an item without id.
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.list('todos').update(Li('oat milk', id='todo-1'))`
        """
        return self._put("beforeend", morph(item_for(item, key)), exclude=exclude)

    def remove(self, item: Any, *, exclude: Exclude = None) -> Publication:
        """Remove an item.

        Args:
            item: its id, or the item.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError: for an item without id.
            NotRunning, ChannelError: as `publish`.

        Example:
            `sse.list('todos').remove('todo-1')`
        """
        id = item.removeprefix("#") if isinstance(item, str) else own_id(check_item(item))
        return self._publish_out_of_band("", target=id_selector(id), swap="delete", exclude=exclude)

    def clear(self, *, exclude: Exclude = None) -> Publication:
        """Remove all items.

        Args:
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            NotRunning, ChannelError: as `publish`.

        Example:
            `sse.list('todos').clear()`
        """
        # htmx 4.0.0 takes no selector with a space.
        return self._publish_out_of_band("", target=f"{id_selector(self.id)}>[id]", swap="delete", exclude=exclude)

    def move(self, item: Any, *, to: ItemList, key: Any = None, exclude: Exclude = None) -> Publication:
        """Move an item to another list: remove it here, and then add it there, at the end or where its key belongs.

        It works for pages that show both lists, and for those that show one of them.

        Args:
            item: FT with an id, as the other list shows it.
            to: the other list.
            key: its sort key there, a number or text; by default the item's own `data_sse_key`, if it has one.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            The `Publication` of the addition, which is the later one.

        Raises:
            MarkupError: for an item without id.
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.list('todos').move(Li('milk', id='todo-1'), to=sse.list('done'))`
        """
        item = item_for(item, key)
        self.remove(item, exclude=exclude)
        return to.append(item, exclude=exclude)

    def _put(self, swap: str, *items: FT, exclude: Exclude) -> Publication:
        return self._publish_out_of_band(*items, target=self.id, swap=swap, exclude=exclude)


def LiveList(
    *items: Any,
    id: ItemList | str | None = None,
    channel: str | None = None,
    tag: str = "ul",
    empty: Any = None,
    max_length: int | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a list that is the same in every tab; `sse.list(id)` adds, changes and removes items.

    Items with a sort key (`data_sse_key`, or `insert(item, key=...)`) are sorted by it: numbers by value, and before
    text; text as a person sorts it, `'item 9'` before `'item 10'`. Negate numbers to have the greatest first.

    Args:
        items: FT, each with an id: an `Li`, or a `Tr` in a `'tbody'`.
        id: its id, or its handle (`sse.list('todos')`). Required.
        channel: the channel that it follows; by default the handle's, which is the id by default.
        tag: `'ul'`, `'ol'`, or `'tbody'` for the rows of a `Table`.
        empty: what it shows without items: text, FT, or a `Tr` in a `'tbody'`.
        max_length: the number of items that a page keeps; by default all. An item that is appended then drops the
            first one, any other the last one.
        cls: classes beside `sse-live-list`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a missing id, an id that a selector cannot name, an item without id, or an unknown tag.
        HandleError: for another channel than the handle's.
        ValueError: for a `max_length` below 1.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveList(*[Li(todo.title, id=f'todo-{todo.id}') for todo in todos()], id='todos', empty='Nothing to do')`
    """
    if tag not in LISTS:
        raise MarkupError(f"tag must be one of {', '.join(LISTS)}, not {tag!r}")
    if max_length is not None:
        check_whole(max_length=max_length)
    children = in_order([check_item(item) for item in flat(items) if item is not None])
    if empty is not None:
        children.insert(0, empty_item(empty, tag))
    id, channel = address(ItemList, id, channel, "LiveList")
    kwargs = {LIVE_LIST_ATTRIBUTE: True, MAX_ATTRIBUTE: max_length, **kwargs}
    return live_tag(tag, *children, id=id, channel=channel, cls=f"sse-live-list {cls}", **kwargs)


def empty_item(empty: Any, tag: str) -> FT:
    """Return what a list shows without items, as an element that the list may contain.

    Raises:
        MarkupError: for anything but a row in a `'tbody'`.
    """
    empty, name = as_ft(empty), "tr" if tag == "tbody" else "li"
    if not (isinstance(empty, FT) and empty.tag == name):
        if name == "tr":
            raise MarkupError("empty must be a Tr where the list is a tbody: Tr(Td('Nothing yet', colspan=3))")
        empty = Li(empty)
    classes = f"{empty.attrs.get('class') or ''} {EMPTY}".strip()
    return FT(empty.tag, empty.children, {**empty.attrs, "class": classes})


def check_item(item: Any) -> FT:
    """Return an item as FT.

    Raises:
        MarkupError: for what is no FT, or has no id.
    """
    found = as_ft(item)
    if not (isinstance(found, FT) and found.attrs.get("id")):
        what = f"<{found.tag}>" if isinstance(found, FT) else repr(item)
        raise MarkupError(f"an item of a list needs an id to be found by in every tab: {what} has none")
    return found


def in_order(items: list[FT]) -> list[FT]:
    """Return items sorted by their keys if each has a key, else as they are.

    The page sorts them again, since only the browser knows how letters are sorted in the reader's language.
    """
    keys = [item.attrs.get(KEY_ATTRIBUTE) for item in items]
    if None in keys:
        return items
    return sorted(items, key=lambda item: (natural_key(item.attrs[KEY_ATTRIBUTE]), natural_key(item.attrs["id"])))


def natural_key(key: Any) -> tuple[bool, float, list[Any]]:
    """Return what sorts a key as a person does: numbers by value, and before text; numbers in a text by value."""
    text = str(key)[:KEY_CHARACTERS]
    if NUMBER.fullmatch(text):
        return (False, float(text), [])
    parts = re.split(r"([0-9]+)", unicodedata.normalize("NFKD", text).casefold())
    return (True, 0.0, [by_value(part) if index % 2 else part for index, part in enumerate(parts)])


def by_value(digits: str) -> tuple[int, str]:
    """Return what sorts digits by their value. It costs no more than their length; `int` costs its square."""
    significant = digits.lstrip("0")
    return len(significant), significant


def item_for(item: Any, key: Any) -> FT:
    """Return an item as FT, with a sort key if one is given.

    Raises:
        MarkupError: for an item without id.
    """
    return check_item(item) if key is None else with_key(item, key)


def with_key(item: Any, key: Any) -> FT:
    """Return an item with a sort key: the one that is given, or its own.

    Raises:
        MarkupError: for an item without id, or without key.
    """
    item = check_item(item)
    found = item.attrs.get(KEY_ATTRIBUTE) if key is None else key
    if found is None:
        raise MarkupError("insert needs a sort key: key=, or data_sse_key of the item")
    return FT(item.tag, item.children, {**item.attrs, KEY_ATTRIBUTE: str(found)})
