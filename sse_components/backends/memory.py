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
        """Hand each event that is appended to `listener`."""
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
        """Append an event, hand it to the listener, and return it."""
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
        """Return the events of `channels` after `cursor`."""
        return self.log.since(channels, cursor)
