"""The HTML that a test has published, as the browser gets it."""

from __future__ import annotations

import re
from typing import Any

from sse_components import BroadcastManager
from sse_components.events.log import Cursor


def published_html(manager: BroadcastManager, *channels: str) -> list[str]:
    """Return the HTML of all events of these channels, in order."""
    events = manager.backend.since(channels, Cursor(manager.backend.cursor.epoch, 0))
    return ["\n".join(re.findall(r"^data: ?(.*)", event.frame.decode(), re.MULTILINE)) for event in events]


def out_of_band(html: Any, *, into: str, swap: str = "beforeend") -> str:
    """Return HTML in a wrapper that htmx swaps out of band into a target."""
    return f'<div hx-swap-oob="{swap}:#{into}">{html}</div>'
