"""A page that is being rendered, without an application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sse_components.access.grants import Grants
from sse_components.events.log import Cursor
from sse_components.html.page_context import Page, current_page

GRANTS = Grants("key")
HERE = Cursor("epoch", 7)


@contextmanager
def rendering(prefix: str = "/live", **scope: Any) -> Iterator[Page]:
    """Be in the handler of a request until the block ends.

    Args:
        prefix: path of the kit's routes.
        scope: the request's.
    """
    page = Page(prefix, GRANTS, HERE, scope)
    token = current_page.set(page)
    try:
        yield page
    finally:
        current_page.reset(token)
