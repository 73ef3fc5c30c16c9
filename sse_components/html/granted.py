"""What an element is granted: decided when it is rendered, for those who get it.

An element that a handler makes may become a part of its page, or of a message to others. In a page, its grant belongs
to who asks for the page. In a message, it is for everybody who may follow the message's channel, and for nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlencode

from ..access.grants import Grants
from ..access.identity import is_personal
from ..errors import GrantError, MarkupError, SetupError
from ..events.log import Cursor
from ..events.wire import check_channel
from ..protocol import SAME_PAGE, STREAM_PATH, SUB_PARAM
from .page_context import current_page, this_page

P = ParamSpec("P")
R = TypeVar("R")


class Site(NamedTuple):
    """Where an application serves the kit's routes, as far as that is known without a request.

    Attributes:
        prefix: path of the kit's routes, with the mount path in front of it.
        grants: signs the grants of its pages.
    """

    prefix: str
    grants: Grants


class Readers(NamedTuple):
    """Those who get what is rendered: everybody who may follow a channel.

    Attributes:
        channel: the channel.
        manager: publishes on it.
        since: the log's end before anything was rendered; None for the moment when an element is.
    """

    channel: str
    manager: Any
    since: Cursor | None = None


current_readers: ContextVar[Readers | None] = ContextVar("sse_components.readers", default=None)


def render_for(readers: Readers, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that renders something for the readers of a channel, and return its result."""
    token = current_readers.set(readers)
    try:
        return function(*args, **kwargs)
    finally:
        current_readers.reset(token)


def present_manager() -> Any:
    """Return the manager of the application that renders something, for a page or for readers.

    Raises:
        SetupError: outside of both.
    """
    readers = current_readers.get()
    return this_page().manager if readers is None else readers.manager


class Late:
    """The value of an attribute that is known when it is rendered.

    Args:
        value: returns it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Callable[[], object]) -> None:
        self._value = value

    def __html__(self) -> str:
        return str(self._value())

    def __str__(self) -> str:
        return self.__html__()

    def __deepcopy__(self, memo: object) -> Late:
        return self


class Granted:
    """The grant of one element, which is signed when the element is rendered.

    Args:
        channels: the channels.

    Raises:
        ChannelError: if a channel's name is not allowed.
        GrantError: without channels.
    """

    def __init__(self, channels: Iterable[str]) -> None:
        self._channels = [check_channel(name) for name in channels]
        if not self._channels:
            raise GrantError("a grant needs at least one channel")
        self._page = current_page.get(None)
        self._signed: tuple[object, str, Cursor] | None = None
        self.address, self.cursor = Late(lambda: self._decide()[1]), Late(lambda: self._decide()[2])
        self.page = Late(self._page_address)
        if self._page is not None:
            self._page.give_cookie()  # while the response can still bring a cookie

    def _decide(self) -> tuple[object, str, Cursor]:
        """Return for whom it is signed, the address of the stream, and the cursor from which it is followed."""
        readers = current_readers.get()
        whom = current_page.get(self._page) if readers is None else readers
        if self._signed is None or self._signed[0] is not whom:
            self._signed = (whom, *(self._for_page() if readers is None else self._for_readers(readers)))
        return self._signed

    def _page_address(self) -> str:
        """Return the address whose GET brings the element again."""
        page = current_page.get(self._page)
        return SAME_PAGE if current_readers.get() is not None or page is None else page.address

    def _for_page(self) -> tuple[str, Cursor]:
        page = current_page.get(self._page) or this_page()
        return page.stream_url(self._channels), page.cursor

    def _for_readers(self, readers: Readers) -> tuple[str, Cursor]:
        shared = [name for name in self._channels if not is_personal(name)]
        if not shared:
            raise MarkupError("what one user or session follows cannot be in what others get: leave that element out")
        cursor = self._cursor_for(readers)
        site: Site | None = readers.manager.site
        if site is None:
            raise SetupError("an element that follows channels can be published in an app with setup_sse(app) only")
        grant = site.grants.sign(shared, cursor, place=site.prefix, via=readers.channel)
        return f"{site.prefix}{STREAM_PATH}?{urlencode({SUB_PARAM: grant})}", cursor

    def _cursor_for(self, readers: Readers) -> Cursor:
        """Return the log's end before the content was made, as far as that is known."""
        if readers.since is not None:
            return readers.since
        if self._page is not None and not self._page.is_over:
            return self._page.cursor
        found: Cursor = readers.manager.backend.cursor
        return found
