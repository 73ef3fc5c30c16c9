"""The default backend: one process, its own memory."""

from __future__ import annotations

from collections.abc import Iterable

from ..events.log import Cursor, Event, EventLog
from ..forks import tell_after_fork
from .base import Listener
from .listeners import Listeners


class MemoryBackend:
    """Keeps the log in this process; a restart begins a new epoch, and so does a fork.

    Several applications of one event loop may share it.

    Args:
        log: the log to keep; by default one with the default bounds.
    """

    def __init__(self, log: EventLog | None = None) -> None:
        self.log = log or EventLog()
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Be closed: the listeners are those of the parent process."""
        self._listeners = Listeners("MemoryBackend")

    @property
    def cursor(self) -> Cursor:
        """The position after the latest event."""
        return self.log.cursor

    async def open(self, listener: Listener) -> None:
        """Hand out to a listener each event that is appended.

        Args:
            listener: called with each event.

        Raises:
            SetupError: if another event loop uses it.
        """
        self._listeners.enter()
        self._listeners.add(listener)

    async def close(self, listener: Listener) -> None:
        """Stop handing out events to a listener.

        Args:
            listener: one that was given to `open`; any other is ignored.
        """
        self._listeners.remove(listener)

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
        """Append an event, and hand it to the listeners.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude_tabs: tabs that leave it out, as `this_tab()` names them.
            exclude_connections: connections that do not get it.
            only_tabs: the only tabs that show it, as `this_tab()` names them; by default all tabs do.
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
        self._listeners(appended)
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

    async def reach(self, cursor: Cursor) -> None:
        """Do nothing: there is no other process.

        Args:
            cursor: a position.
        """
