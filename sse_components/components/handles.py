"""What the server side of the components shares: its id and channel, and updates that are sent together."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, ClassVar, TypeVar

from ..errors import MarkupError, NotRunning
from ..html.oob import named_id
from ..manager import BroadcastManager

T = TypeVar("T")

# Handles that a manager remembers by their ids.
REMEMBERED = 1_000


def check_id(id: str | None, what: str) -> str:
    """Return an id that selectors can name, without `#`, else raise `MarkupError`."""
    found = named_id(id)
    if found is None:
        raise MarkupError(f"{what} needs an id of letters, digits, - and _ to be updated by, not {id!r}")
    return found


class Handle:
    """Base of the components' server sides.

    Attributes:
        CALLED: what errors call it.
        id: of the component.
        channel: what the component follows.

    Args:
        publisher: sends the updates.
        id: of the component.
        channel: by default the id.

    Raises:
        MarkupError: for an id that selectors cannot name.
    """

    CALLED: ClassVar[str]

    def __init__(self, publisher: BroadcastManager, id: str, *, channel: str | None = None) -> None:
        self.id = check_id(id, self.CALLED)
        self.channel = channel or self.id
        self._publisher = publisher


class Coalescer:
    """Has what happens within an interval sent together.

    Args:
        publisher: in whose event loop to send.
        send: sends all there is; it is never called while it runs.
        interval: seconds between the first request and `send`.
    """

    def __init__(self, publisher: BroadcastManager, send: Callable[[], Awaitable[None]], interval: float) -> None:
        self._publisher, self._send, self._interval = publisher, send, interval
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # where a task sends, or is about to
        self._task: asyncio.Task[None] | None = None
        self._asked = False

    def request(self) -> None:
        """Have it sent soon; from any thread.

        Raises:
            NotRunning: before the application's start-up and after its shutdown.
        """
        loop = self._publisher.home.require()
        with self._lock:
            self._asked = True
            if self._loop is loop:
                return
            self._loop = loop
        loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        # In a context of its own: the one here is that of a request, perhaps of a transaction, which ends.
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def _run(self) -> None:
        try:
            while self._goes_on():
                await asyncio.sleep(self._interval)
                self._asked = False
                await self._send()
        except BaseException as error:
            self._loop = None
            if not isinstance(error, NotRunning):  # when the application has stopped, nobody is left to see it
                raise

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._asked:
                self._loop = None
            return self._asked


class Handles:
    """Handles by kind and id, so that a component's server side is the same one wherever it is asked for.

    Of more than `REMEMBERED`, those that were not asked for the longest are forgotten.
    """

    def __init__(self) -> None:
        self._handles: OrderedDict[tuple[type, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, kind: type[T], id: str, make: Callable[[], T]) -> T:
        """Return the handle of a kind that an id stands for; the first to ask for it makes it."""
        with self._lock:
            handle: T = self._handles.get((kind, id)) or make()
            self._handles[kind, id] = handle
            self._handles.move_to_end((kind, id))
            if len(self._handles) > REMEMBERED:
                self._handles.popitem(last=False)
        return handle
