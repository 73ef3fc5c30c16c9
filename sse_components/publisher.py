"""What the components' server side asks of a manager."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterable
from typing import Any, Protocol


class Publisher(Protocol):
    """Publishes elements to every tab that follows a channel, as `BroadcastManager` does."""

    async def publish(
        self,
        channel: str,
        *elements: Any,
        event: str | None = None,
        target: Any = None,
        swap: str | bool | None = None,
        exclude: str | Iterable[str] | None = None,
        only: str | Iterable[str] | None = None,
    ) -> str:
        """Publish, and return the event's id."""
        ...

    def publish_threadsafe(self, channel: str, *elements: Any, **options: Any) -> concurrent.futures.Future[str]:
        """Publish from a thread."""
        ...

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop in which it publishes, or raise `NotRunning`."""
        ...
