"""Applications for the tests beside: each module makes one with `make_app`."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Link, fast_app

# Keeps browsers from asking for one.
NO_ICON = Link(rel="icon", href="data:,")


def page_app(*, htmx4: bool, **options: Any) -> Any:
    """Return `fast_app(...)` as users make it, but for style sheets and the key file."""
    return fast_app(htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=(NO_ICON,), **options)
