"""The context of a request that renders a page, without an application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sse_components.access.grants import Grants
from sse_components.access.visitor import SCOPE_KEY, Visitors
from sse_components.events.log import Cursor
from sse_components.html.page_context import Page, current_page

GRANTS = Grants("key")
VISITORS = Visitors("key")
HERE = Cursor("epoch", 7)


@contextmanager
def rendering(prefix: str = "/live", **scope: Any) -> Iterator[Page]:
    """Run the block as if it were in the handler of a request.

    Args:
        prefix: path of the kit's routes.
        scope: keys of the request's ASGI scope.
    """
    scope.setdefault(SCOPE_KEY, VISITORS.of(scope))
    page = Page(prefix, GRANTS, HERE, scope)
    token = current_page.set(page)
    try:
        yield page
    finally:
        current_page.reset(token)
