"""The gallery itself."""

from __future__ import annotations

from typing import Any

from sse_components.gallery import create_app


def make_app(*, htmx4: bool) -> Any:
    return create_app(htmx=4 if htmx4 else 2)
