"""What the kit asks of a backend: issue ids, keep the log, tell every process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..events.log import Cursor, Event

Listener = Callable[[Event], None]


class Backend(Protocol):
    """Keeps the log and issues its ids; whatever is appended anywhere reaches every listener, in order."""

    @property
    def cursor(self) -> Cursor:
        """The place after the latest event that this process knows of."""
        ...

    async def open(self, listener: Listener) -> None:
        """Begin to hand each event that is appended, in this process or another, to `listener`."""
        ...

    async def close(self) -> None:
        """Stop, and let go of what `open` took. Closing twice is allowed."""
        ...

    async def append(
        self,
        channel: str,
        data: str,
        *,
        event: str | None = None,
        exclude: frozenset[str] = frozenset(),
        only: frozenset[str] = frozenset(),
        message: Any = None,
    ) -> Event:
        """Append an event to a channel's log and hand it to the listeners before returning it.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude: connections and tabs that do not get it; its frame tells the tabs.
            only: tabs that alone show it, as its frame tells.
            message: what it was made from.

        Raises:
            WireError: if a field cannot be carried.
        """
        ...

    def since(self, channels: Iterable[str], cursor: Cursor | None) -> list[Event]:
        """Return the events of `channels` after `cursor` that this process knows of, in order.

        Synchronous, so that reading the log's end and joining the live events are one step.

        Raises:
            HistoryGap: if something after the cursor is no longer known.
        """
        ...
