"""What `Job` and `Answer` have in common: they run for a while, every tab shows them, and a tab may end them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from ..access.identity import as_set
from ..background import report
from ..callbacks import call
from ..errors import AlreadyRunning, NotRunning, SSEComponentsError
from ..manager import BroadcastManager
from ..publication import Outcome, Publication
from .handle import Exclude, Handle
from .throttle import NOBODY, Throttle, start

# Seconds for which the state of what has ended is known, and how many of them are known at most.
KEPT_SECONDS = 3_600.0
KEPT = 1_000
# Characters of a text that pages show on one line.
LINE = 500

IDLE, DONE, FAILED = "idle", "done", "failed"

Reason = Callable[[BaseException], str | Awaitable[str]]


def hide_reason(error: BaseException) -> str:
    """Return what pages show of an error by default: no details, which may be confidential."""
    return "something went wrong"


def first_line(text: str) -> str:
    """Return the first line of a text, shortened to 500 characters."""
    line = (str(text).strip().splitlines() or [""])[0]
    return line if len(line) <= LINE else f"{line[:LINE]}…"


class Works:
    """The jobs and answers of this process, by kind and id: those that run, and for a while those that have ended.

    The latest 1,000 that have ended are known for an hour.

    Attributes:
        clock: returns seconds.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._works: dict[tuple[type[Handle], str], Work] = {}

    def __len__(self) -> int:
        return len(self._works)

    def get(self, kind: type[Handle], id: str) -> Work | None:
        """Return what runs, or has run last, under an id; None if there is nothing, or it is too long ago."""
        found = self._works.get((kind, id))
        return None if found is None or self._is_old(found) else found

    def begin(self, work: Work) -> None:
        """Begin a work, in place of the last one with its id.

        Args:
            work: what begins.

        Raises:
            AlreadyRunning: if the last one has not ended.
        """
        self.forget(work)
        ended = sorted((other for other in self._works.values() if not other.running), key=lambda other: other.ended)
        for old in [*ended[:-KEPT], *filter(self._is_old, ended[-KEPT:])]:
            del self._works[type(old), old.id]
        self._works[type(work), work.id] = work

    def forget(self, work: Work) -> None:
        """Forget what has run last under an id.

        Args:
            work: a handle with the id.

        Raises:
            AlreadyRunning: if it has not ended.
        """
        last = self._works.get((type(work), work.id))
        if last is not None and last.running:
            raise AlreadyRunning(f"{type(work).__name__} {work.id!r} is running: end it first, or use another id")
        self._works.pop((type(work), work.id), None)

    def _is_old(self, work: Work) -> bool:
        return not work.running and work.ended + KEPT_SECONDS < self.clock()


class Work(Handle):
    """Base of `Job` and `Answer`. It runs as long as an `async with` block. Of each id, one runs at a time.

    Attributes:
        id: the id of the component that shows it.
        channel: the channel that the component follows.
        state: `'idle'`, `RUNNING`, `'done'`, `INTERRUPTED` or `'failed'`.
        reason: what pages show of why it failed.
        ended: when it ended, by the clock of its `Works`.

    Args:
        manager: publishes its state.
        works: where it is known by its id.
        id: the id of the component.
        channel: the channel that the component follows; by default the id.
        reason: returns, sync or async, what pages show of an error that the block raises: `str` for the error's own
            text. By default they show no details, and so they do if it raises.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that a selector cannot name.
    """

    RUNNING = "running"
    INTERRUPTED = "cancelled"

    def __init__(
        self,
        manager: BroadcastManager,
        works: Works,
        id: str,
        *,
        channel: str | None = None,
        reason: Reason = hide_reason,
        interval: float = 0.1,
    ) -> None:
        super().__init__(manager, id, channel=channel)
        self.state, self.reason, self.ended = IDLE, "", 0.0
        self._works, self._reason_of = works, reason
        self._throttle = Throttle(manager, self._send, interval, leading=False, what=self.described)
        self._changed = self._interrupted = False
        self._exclude = NOBODY

    @property
    def running(self) -> bool:
        """Whether its block has begun and not ended."""
        return self.state == self.RUNNING

    @property
    def present(self) -> Self:
        """What runs, or has run last, under this id, whichever handle has begun it."""
        found = self._works.get(type(self), self.id)
        return found if isinstance(found, type(self)) else self

    def _interrupt(self) -> Outcome[bool]:
        """End what runs under this id, as `asyncio` cancels a task; the outcome is whether something was running."""
        work = self.present
        if was_running := work.running:
            work._loop.call_soon_threadsafe(work._cancel_task)
        return Outcome.of(was_running)

    def _cancel_task(self) -> None:
        if self.running and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._works.begin(self)
        self._loop, self._task, self._cancelling = asyncio.get_running_loop(), task, task.cancelling()
        self._lock, self._interrupted = asyncio.Lock(), False
        self.state, self.reason = self.RUNNING, ""
        self._restart()
        try:
            await self._publish_now()
        except BaseException:
            self._end(FAILED)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Publish how it has ended. A reader's interruption ends the block, but is not raised after it."""
        was_cancelled = isinstance(error, asyncio.CancelledError)
        by_reader = self._interrupted and self._task.uncancel() <= self._cancelling
        if error is None or was_cancelled:
            self._end(self.INTERRUPTED if was_cancelled or self._interrupted else DONE)
        else:
            self._end(FAILED, hide_reason(error))
            await self._ask_why(error)
        try:
            await self._publish_now()
        except SSEComponentsError as failure:
            if error is None or (was_cancelled and by_reader):
                raise
            error.add_note(f"The end could not be published: {failure}")
        return was_cancelled and by_reader

    def _end(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.ended = state, reason, self._works.clock()

    async def _ask_why(self, error: BaseException) -> None:
        """Ask the application what pages show of an error. Whatever happens meanwhile, they show that it has failed."""
        if self._reason_of is hide_reason:
            return
        try:
            self.reason = first_line(await call(self._reason_of, error))
        except Exception as failure:
            report(f"reason= of {self.described} failed", failure)
        except BaseException:
            self._publish_now()
            raise

    def _check_running(self) -> None:
        if not self.running:
            raise NotRunning(f"{type(self).__name__} {self.id!r} is {self.state}: use it within its async with block")

    def _publish_soon(self, exclude: Exclude = None) -> Publication:
        """Have the present state published with the changes that follow; in any thread."""
        self._changed = True
        return self._throttle.request(as_set(exclude))

    def _publish_now(self) -> Publication:
        """Publish the present state, in the manager's event loop, outside of the transactions around."""
        return self._manager.home.make(lambda: start(self._publish_in_turn()), Publication)  # type: ignore[return-value]

    def _send(self, exclude: frozenset[str]) -> Publication:
        if not self._changed:  # its end has been published meanwhile
            return Publication.of("")
        return start(self._publish_in_turn(exclude))

    async def _publish_in_turn(self, exclude: frozenset[str] = NOBODY) -> None:
        async with self._lock:
            self._changed, self._exclude = False, exclude
            await self._publish()

    def _restart(self) -> None:
        """Forget what the last run with this object has left."""
        raise NotImplementedError

    async def _publish(self) -> None:
        """Publish the present state."""
        raise NotImplementedError
