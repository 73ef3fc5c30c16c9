"""Where the browser files are for the page that is being rendered, also in an app that nobody has set up."""

from __future__ import annotations

import sys
from typing import Any

from starlette.requests import Request

from ..errors import SetupError
from ..protocol import PREFIX
from . import assets
from .page_context import current_page


def prefix_for_page() -> str:
    """Return the path of the kit's routes for the page that is being rendered.

    An app without `setup_sse` and `setup_broadcast_routes` gets the browser files when its first tag is rendered. With
    several workers, each of them needs that before it is asked for a file: set such an app up.

    Raises:
        SetupError: outside of a request, if no app of this process serves the browser files.
    """
    page = current_page.get(None)
    if page is not None:
        return page.prefix
    request = request_being_answered()
    if request is not None and hasattr(request.scope.get("app"), "router"):
        app = request.scope["app"]
        assets.mount(app, assets.prefix_of(app) or PREFIX)
        return f"{request.scope.get('root_path', '')}{assets.prefix_of(app)}"
    if assets.mounted:
        return assets.mounted[-1]
    raise SetupError(
        "no app serves the browser files of this tag: return it from a handler or give it to fast_app(hdrs=…), which"
        " render it in a request, or call setup_sse(app) first"
    )


def request_being_answered() -> Request | None:
    """Return the request whose answer is being rendered in this thread; None without one.

    FastHTML hands the request from function to function while it renders, and keeps it nowhere else. So the calling
    functions are searched for it, from the nearest one on.
    """
    frame = sys._getframe(1)
    while frame is not None:
        found: Any = next((value for value in frame.f_locals.values() if isinstance(value, Request)), None)
        if found is not None:
            return found  # type: ignore[no-any-return]
        frame = frame.f_back  # type: ignore[assignment]
    return None
