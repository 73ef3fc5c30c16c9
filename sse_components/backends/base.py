"""The interface of a backend: it issues ids, keeps the log, and notifies every process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple, Protocol, Self, runtime_checkable

from ..events.log import Cursor, Event
from ..protocol import CONTROL_PREFIX

Listener = Callable[[Event], None]

# What listeners get where the log is another one from here on: what they have handed out has no continuation in it.
NEW_LOG = Event("", 0, "", b"")
# The channel of the events that tell of values. No page can follow it.
STATE_CHANNEL = f"{CONTROL_PREFIX}state"


class Item(NamedTuple):
    """A value that a backend keeps, as the `message` of the event that tells of it.

    Attributes:
        key: of the value.
        value: the value.
        until: seconds since 1970 until which it is kept.
    """

    key: str
    value: str
    until: float

    @property
    def is_kept(self) -> bool:
        """Whether its time is not over."""
        return self.until > time.time()

    def written(self) -> str:
        """Return it as JSON."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return the item of an event of `STATE_CHANNEL`."""
        return cls.read(event.message or "")

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the item that `written` has written."""
        return cls(*json.loads(text))


class Backend(Protocol):
    """Keeps the log and issues its ids. Each event that any process appends reaches every listener, in order.

    It is made when the application is imported, perhaps before a server forks its workers: what must not be shared with
    other processes (an epoch, a connection, a thread, a lock) is made by `open`. Several managers may open one backend.
    After a fork it is closed in the child, without a call of `close`; `tell_after_fork` has it told.
    """

    @property
    def cursor(self) -> Cursor:
        """The position after the latest event that this process knows of."""
        ...

    async def open(self, listener: Listener) -> None:
        """Begin to hand out to a listener each event that this process or another one appends.

        Args:
            listener: called with each event, in the running event loop. Several may listen. It is called with
                `NEW_LOG` if the log has begun again, so that there is a gap after what it was called with before.

        Raises:
            BackendUnavailable: if the file or server that keeps the log cannot be used.
            SetupError: if it is open in another event loop, and cannot be used in two.
        """
        ...

    async def close(self, listener: Listener) -> None:
        """Stop handing out events to a listener. With the last one, release what `open` acquired.

        Args:
            listener: one that was given to `open`; any other is ignored, so closing twice is allowed.
        """
        ...

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
    ) -> Event | Future[Event]:
        """Append an event to a channel's log, in the order of the calls. It is called in the event loop.

        A backend that waits for a store returns a future, and hands the event to the listener before the future is
        done. One that does not wait returns the event.

        Args:
            channel: of the event.
            data: of the event.
            event: its name.
            exclude_tabs: tabs that leave it out, as `this_tab()` names them.
            exclude_connections: connections that do not get it.
            only_tabs: the only tabs that show it, as `this_tab()` names them; by default all tabs do.
            message: the JSON of the broadcast that it was made from.

        Returns:
            The event, or a future of it, which fails with `BackendUnavailable` if it could not be stored.

        Raises:
            WireError: if a field cannot be carried.
            BackendUnavailable: if it cannot be stored.
        """
        ...

    def since(self, channels: Iterable[str], cursor: Cursor | None) -> list[Event]:
        """Return the events of `channels` after `cursor` that this process knows of, in order.

        It is synchronous, so that reading the log's end and joining the live events are one step.

        Args:
            channels: their names.
            cursor: the position that has been seen; None, and the cursor of another log, is a gap.

        Raises:
            HistoryGap: if events after the cursor are no longer known.
        """
        ...

    async def reach(self, cursor: Cursor) -> None:
        """Learn of what other processes have appended up to a cursor, if this process does not know of it yet.

        A page's cursor may come from a process that has heard of an event before this one.

        Args:
            cursor: a position, perhaps one that does not exist.
        """
        ...


@runtime_checkable
class KeepsState(Protocol):
    """A backend that keeps values beside its log, for all its processes and after a restart."""

    def put(self, key: str, value: str, *, keep: float) -> Future[Event]:
        """Keep a value in the place of the one that the key has, and tell every process.

        Each listener is called with an event of `STATE_CHANNEL`, whose item has the value. `open` calls a listener with
        those that were kept before, and so does a log that begins again.

        Args:
            key: of the value.
            value: the value.
            keep: seconds for which it is kept; with 0, it is told, and nothing is kept.

        Returns:
            A future of the event, which fails with `BackendUnavailable` if it could not be stored.

        Raises:
            BackendUnavailable: if it cannot be stored.
        """
        ...
