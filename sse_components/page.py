"""What a request carries for the components of the page that it renders."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import urlencode

from .errors import SetupError
from .log import Cursor
from .protocol import PREFIX, STREAM_PATH, SUB_PARAM
from .tokens import Grants


class Page:
    """The page that a request renders: since when its content is known, and where its streams are.

    Attributes:
        cursor: the log's end when the request began. What is published later reaches the page through its stream.
        prefix: path of the kit's routes, with the mount path in front of it.
    """

    __slots__ = ("cursor", "grants", "prefix")

    def __init__(self, prefix: str, grants: Grants, cursor: Cursor) -> None:
        self.prefix, self.grants, self.cursor = prefix, grants, cursor

    def stream_url(self, channels: Iterable[str]) -> str:
        """Return the address of a stream of `channels`, as a signed grant."""
        return f"{self.prefix}{STREAM_PATH}?{urlencode({SUB_PARAM: self.grants.sign(channels, self.cursor)})}"


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


def kit_prefix(default: str = PREFIX) -> str:
    """Return the path of the kit's routes: the present request's app's, or the default outside of one."""
    page = current_page.get(None)
    return default if page is None else page.prefix
