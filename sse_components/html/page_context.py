"""What a request carries for the components that it renders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers

from ..access.grants import Grants
from ..access.identity import Principal, principal_of, session_channel, tab_of, user_channel, user_of
from ..access.visitor import Visitor, visitor_of
from ..errors import SetupError
from ..events.log import Cursor
from ..events.wire import KitChannel
from ..protocol import PREFIX, SAME_PAGE, STREAM_PATH, SUB_PARAM

# A request of htmx whose answer is a whole page, though it says that it comes from htmx.
WHOLE_PAGE_HEADERS = ("hx-boosted", "hx-history-restore-request")


class Page:
    """The page that a request renders: its cursor, its principal, and the address of its streams.

    Attributes:
        prefix: path of the kit's routes, with the mount path in front of it.
        cursor: the log's end when the request began. What is published later reaches the page by its stream.
        scope: the request's ASGI scope, with what middleware and the handler have added.
        shared: whether it shares its connection with the browser's other pages.
        manager: the application's manager, which knows what an id stands for; None outside of an application.
        is_over: whether its response has been sent.
    """

    __slots__ = ("cursor", "grants", "is_over", "manager", "prefix", "scope", "shared")

    def __init__(
        self,
        prefix: str,
        grants: Grants,
        cursor: Cursor,
        scope: Mapping[str, Any] | None = None,
        *,
        shared: bool = True,
        manager: Any = None,
    ) -> None:
        self.prefix, self.grants, self.cursor, self.shared = prefix, grants, cursor, shared
        self.manager, self.is_over = manager, False
        self.enter(scope or {})

    def enter(self, scope: Mapping[str, Any]) -> None:
        """Use the request's scope as it is now."""
        self.scope = scope

    @property
    def visitor(self) -> Visitor | None:
        """The browser that sends the request; None outside of an app with `setup_sse`."""
        return visitor_of(self.scope)

    @property
    def principal(self) -> Principal:
        """Who sends the request, as far as that is known by now."""
        return principal_of(self.scope)

    @property
    def namespace(self) -> str:
        """The name under which browsers keep what belongs to this application, mount and user."""
        return "" if self.visitor is None else self.visitor.namespace(user_of(self.scope))

    @property
    def tab(self) -> str | None:
        """The tab that sends the request, if it shows a page of the kit."""
        return tab_of(self.scope)

    @property
    def navigates(self) -> bool:
        """Whether the browser shows the answer as its next page, as after a link or a form, and not only perhaps."""
        headers = Headers(raw=self.scope.get("headers", []))
        return headers.get("sec-fetch-mode") == "navigate" and "prefetch" not in headers.get("sec-purpose", "")

    @property
    def address(self) -> str:
        """The path and query whose GET brings this page again.

        It is empty for an answer that no GET brings again: the answer to another method, and a fragment that htmx puts
        into a page. Without a request, it is that of the page that shows it.
        """
        if "method" not in self.scope:
            return SAME_PAGE
        if self.scope["method"] != "GET" or is_fragment(Headers(raw=self.scope.get("headers", []))):
            return ""
        path = (self.scope.get("raw_path") or quote(self.scope["path"]).encode()).decode("latin-1")
        query = self.scope.get("query_string", b"").decode("latin-1")
        return f"{path}?{query}" if query else path

    @property
    def user_channel(self) -> KitChannel | None:
        """The channel of the user, in all browsers; None without a user."""
        user = user_of(self.scope)
        return None if user is None else user_channel(user)

    @property
    def session_channel(self) -> KitChannel | None:
        """The channel of the browser's session, which begins with it; None outside of an app with `setup_sse`."""
        session = self.begin_session()
        return None if session is None else session_channel(session)

    def begin_session(self) -> str | None:
        """Return the id of the browser's session, and give the browser a cookie, if it has none."""
        self.give_cookie()
        return self.principal.session

    def give_cookie(self) -> None:
        """Give the browser a cookie, if it has none."""
        if (visitor := self.visitor) is not None:
            visitor.ensure()

    def stream_url(self, channels: Iterable[str]) -> str:
        """Return the address of a stream of `channels`, as a signed grant for this page's user or browser."""
        self.give_cookie()
        grant = self.grants.sign(channels, self.cursor, self.principal, place=self.prefix)
        return f"{self.prefix}{STREAM_PATH}?{urlencode({SUB_PARAM: grant})}"


def is_fragment(headers: Headers) -> bool:
    """Return whether htmx asks for a part of a page, by a request's headers."""
    is_whole = any(name in headers for name in WHOLE_PAGE_HEADERS) or headers.get("hx-request-type") == "full"
    return "hx-request" in headers and not is_whole


current_page: ContextVar[Page] = ContextVar("sse_components.page")


def this_page() -> Page:
    """Return the page that the present request renders.

    Raises:
        SetupError: outside of a request, or without `setup_sse`.
    """
    try:
        return current_page.get()
    except LookupError:
        raise SetupError(
            "channels are granted to the page of a request: call this in a handler of an app with setup_sse(app)"
        ) from None


def this_tab() -> str | None:
    """Return the tab that sent the present request: a text that stands for this tab of this browser.

    It is None outside of a request, and for a request that is not sent by htmx on a page of the kit.

    Example:
        `sse.publish('todos', item, exclude=this_tab())`
    """
    page = current_page.get(None)
    return None if page is None else page.tab


def this_session() -> str | None:
    """Return the id of the browser's session, for a toast that is sent when the request is over.

    It is another one when somebody has signed in or out. It is None outside of a request of an app with `setup_sse`.

    Example:
        `asyncio.create_task(convert(file, session=this_session()))`
    """
    page = current_page.get(None)
    return None if page is None else page.begin_session()


def page_of_session(session: Mapping[str, Any]) -> Page:
    """Return the page that the present request renders, whose session this is; the handler may have cleared it.

    Raises:
        SetupError: for the session of another request, or outside of one: a session does not say whose it is.
    """
    page = current_page.get(None)
    if page is None or page.scope.get("session") is not session:
        raise SetupError(
            "session= is that of the present request, as its handler gets it; keep this_session() for later"
        )
    return page


def page_namespace() -> str:
    """Return the namespace of the page that the present request renders; an empty one outside of a request."""
    page = current_page.get(None)
    return "" if page is None else page.namespace


def kit_prefix(default: str = PREFIX) -> str:
    """Return the path of the kit's routes: the present request's app's, or the default outside of one."""
    page = current_page.get(None)
    return default if page is None else page.prefix
