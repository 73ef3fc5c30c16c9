"""Applications for the tests: each module has a function `make_app`."""

from __future__ import annotations

from typing import Any

from fasthtml.common import Link, Safe, fast_app

from sse_components import Kit

# Browsers request no favicon.
NO_ICON = Link(rel="icon", href="data:,")


def page_app(*, htmx4: bool, **options: Any) -> Any:
    """Return `fast_app(...)` as in a user's program, without style sheets and the key file."""
    return fast_app(htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=(NO_ICON,), **options)


def let_tests_publish(rt: Any, sse: Kit) -> None:
    """Add `POST /publish`, which publishes HTML to a channel."""

    @rt("/publish", methods=["POST"])
    async def publish(channel: str, html: str = "", event: str | None = None) -> None:
        await sse.publish(channel, Safe(html), event=event)
