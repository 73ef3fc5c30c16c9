"""The default backend: one process, its own memory."""

from __future__ import annotations

from collections.abc import Iterable

from ..events.log import Cursor, Event, EventLog
from .base import Listener


class MemoryBackend:
    """Keeps the log in this process; a restart begins a new epoch.

    Args:
        log: the log to keep; by default one with the default bounds.
    """

    def __init__(self, log: EventLog | None = None) -> None:
        self.log = log or EventLog()
        self._listener: Listener | None = None

    @property
    def cursor(self) -> Cursor:
        """The position after the latest event."""
        return self.log.cursor

    async def open(self, listener: Listener) -> None:
        """Hand out each event that is appended.

        Args:
            listener: called with each event.
        """
        self._listener = listener

    async def close(self) -> None:
        """Stop handing out events."""
        self._listener = None

    def append(
        self,
        channel: str,
        data: str,
        *,
        event: str | None = None,
        exclude_tabs: Iterable[str] = (),
        exclude_connections: frozenset[str] = frozenset(),
        only_tabs: Iterable[str] = (),
        message: str | None = None,
    ) -> Event:
        """Append an event, and hand it to the listener.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude_tabs: tabs that leave it out, as its frame lists them.
            exclude_connections: connections that do not get it.
            only_tabs: the only tabs that show it, as its frame lists them; by default all tabs do.
            message: the JSON of the broadcast that it was made from.

        Returns:
            The event: nothing has to be waited for.

        Raises:
            WireError: if a field cannot be carried.
        """
        appended = self.log.append(
            channel,
            data,
            event=event,
            exclude_tabs=exclude_tabs,
            exclude_connections=exclude_connections,
            only_tabs=only_tabs,
            message=message,
        )
        if self._listener is not None:
            self._listener(appended)
        return appended

    def since(self, channels: Iterable[str], cursor: Cursor | None) -> list[Event]:
        """Return the events of `channels` after `cursor`, in order.

        Args:
            channels: their names.
            cursor: the position that has been seen; None, and the cursor of another log, is a gap.

        Raises:
            HistoryGap: if events after the cursor are no longer kept.
        """
        return self.log.since(channels, cursor)
