"""What jobs and answers share: they go on for a while under an id, show in every tab, and can be ended from there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ..errors import AlreadyRunning, NotRunning, SSEComponentsError
from ..manager import BroadcastManager
from .handles import Coalescer, Handle

# Ended works are forgotten after so many seconds, or when there are more of them than that.
KEPT_SECONDS = 3_600.0
KEPT = 1_000
# Seconds after which a task that does nothing but work lets others run.
BREATH = 0.01
# Characters of what is told in a line.
LINE = 500

IDLE, DONE, FAILED = "idle", "done", "failed"

Reason = Callable[[BaseException], str]


def unsaid(error: BaseException) -> str:
    """Return what pages tell of an error by default: nothing, since its text may be for the server's people only."""
    return "something went wrong"


def short(text: str) -> str:
    """Return the first line of a text, or as much of it as fits."""
    line = (str(text).strip().splitlines() or [""])[0]
    return line if len(line) <= LINE else f"{line[:LINE]}…"


class Works:
    """The works of this process, by kind and id: those that run, and for a while those that have ended.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._works: dict[tuple[type[Work], str], Work] = {}

    def __len__(self) -> int:
        return len(self._works)

    def get(self, kind: type[Work], id: str) -> Work | None:
        """Return the work that an id stands for, unless it is forgotten."""
        found = self._works.get((kind, id))
        return None if found is None or self._is_over(found) else found

    def begin(self, work: Work) -> None:
        """Let a work take the place of the last one with its id.

        Raises:
            AlreadyRunning: if that has not ended.
        """
        key = type(work), work.id
        if (last := self._works.get(key)) is not None and last.running:
            raise AlreadyRunning(f"{type(work).__name__} {work.id!r} is running: end it first, or use another id")
        self._works.pop(key, None)
        ended = [one for one in self._works.values() if not one.running]
        ended.sort(key=lambda one: one.ended)
        for one in [*ended[:-KEPT], *filter(self._is_over, ended[-KEPT:])]:
            del self._works[type(one), one.id]
        self._works[key] = work

    def _is_over(self, work: Work) -> bool:
        return not work.running and work.ended + KEPT_SECONDS < self.clock()


class Work(Handle):
    """Base of `Job` and `Answer`: runs as long as an `async with` block of it, once at a time for each id.

    Attributes:
        id: of the component that shows it.
        channel: on which it is told.
        state: `'idle'`, `RUNNING`, `'done'`, `INTERRUPTED` or `'failed'`.
        reason: what pages tell of why it has failed.
        ended: when it has ended, by the clock of its registry.

    Args:
        publisher: tells the pages.
        works: where it is known by its id.
        id: of the component.
        channel: by default the id.
        reason: makes the words for pages out of what the block has raised; `str` for its own text, of which nothing is
            told by default.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that selectors cannot name.
    """

    RUNNING = "running"
    INTERRUPTED = "cancelled"

    def __init__(
        self,
        publisher: BroadcastManager,
        works: Works,
        id: str,
        *,
        channel: str | None = None,
        reason: Reason = unsaid,
        interval: float = 0.1,
    ) -> None:
        super().__init__(publisher, id, channel=channel)
        self.state, self.reason, self.ended = IDLE, "", 0.0
        self._works, self._reason_of = works, reason
        self._coalescer = Coalescer(publisher, self._tell_if_due, interval)
        self._due = self._interrupted = False
        self._breathed = 0.0

    @property
    def running(self) -> bool:
        """Whether its block has begun and not ended."""
        return self.state == self.RUNNING

    @property
    def present(self) -> Self:
        """What runs, or has run last, under this id, whoever has begun it."""
        found = self._works.get(type(self), self.id)
        return found if isinstance(found, type(self)) else self

    def interrupt(self) -> bool:
        """End what runs under this id, as `asyncio` cancels a task: its block is left. From any thread.

        Returns:
            Whether something was running.
        """
        work = self.present
        if was_running := work.running:
            work._loop.call_soon_threadsafe(work._interrupt)
        return was_running

    def _interrupt(self) -> None:
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
            await self._tell()
        except BaseException:
            self._end(FAILED)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Tell how it has ended. An interruption by the reader goes no further than the block."""
        cut = isinstance(error, asyncio.CancelledError)
        ours = self._interrupted and self._task.uncancel() <= self._cancelling
        if error is None or cut:
            self._end(self.INTERRUPTED if cut or self._interrupted else DONE)
        else:
            self._end(FAILED, short(self._reason_of(error)))
        try:
            await self._tell()
        except SSEComponentsError as trouble:
            if error is None or (cut and ours):
                raise
            error.add_note(f"The pages could not be told: {trouble}")
        return cut and ours

    def _end(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.ended = state, reason, self._works.clock()

    def _check_running(self) -> None:
        if not self.running:
            raise NotRunning(f"{type(self).__name__} {self.id!r} is {self.state}: use it within its async with block")

    def _changed(self) -> None:
        """Have the pages told soon; from any thread."""
        self._due = True
        self._coalescer.request()

    async def _breathe(self) -> None:
        if time.monotonic() - self._breathed > BREATH:
            await asyncio.sleep(0)
            self._breathed = time.monotonic()

    async def _tell_if_due(self) -> None:
        if self._due:
            await self._tell()

    async def _tell(self) -> None:
        async with self._lock:
            self._due = False
            await self._publish()

    def _restart(self) -> None:
        """Forget what the last run with this object has left."""
        raise NotImplementedError

    async def _publish(self) -> None:
        """Publish the present state."""
        raise NotImplementedError
