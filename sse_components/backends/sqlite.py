"""The backend for several processes of one host: a SQLite file, and nothing that has to run beside the application."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from os import PathLike
from pathlib import Path

from ..checks import check_positive
from ..errors import BackendUnavailable
from ..events.log import Cursor, Event, EventLog
from .shared import PUBLISH_TIMEOUT, Draft, SharedBackend, events_of, state_event
from .sqlite_store import News, Row, SqliteStore
from .wake_up import WakeUp

logger = logging.getLogger("sse_components")

# Seconds between two looks at the file while no other process has told anything.
LOOK_SECONDS = 1.0
# Events that are handed out in one turn of the event loop.
PART_EVENTS = 500
# Seconds that the end of the process waits for what is to be stored.
EXIT_SECONDS = 5.0


class SqliteBackend(SharedBackend):
    """Keeps the log in a SQLite file, which several processes of one host share. A restart continues it.

    One thread of each process stores what is pending in one transaction, wakes the other processes, and reads what they
    have stored. Any process may be killed at any moment.

    Args:
        path: of the file, on a disk of this host. It is made if it is not there, for this user only.
        log: the copy of the log in each process, with its bounds, which should be the same in all processes; by default
            one with the default bounds. The file keeps as many bytes in all, for as long.
        publish_timeout: seconds that publishing waits while another process keeps the file locked.

    Example:
        `setup_sse(app, backend=SqliteBackend('live.db', EventLog(max_age=86_400)))`; with the default bounds,
        `setup_sse(app, backend='sqlite:///live.db')`
    """

    def __init__(
        self, path: str | PathLike[str], log: EventLog | None = None, *, publish_timeout: float = PUBLISH_TIMEOUT
    ) -> None:
        check_positive(publish_timeout=publish_timeout)
        self.path = Path(path)
        self._worker: Worker | None = None
        super().__init__(log, publish_timeout=publish_timeout)

    def after_fork(self) -> None:
        """Be closed: the thread is one of the parent process."""
        if self._worker is not None:
            self._worker.drop()
        self._worker = None
        super().after_fork()

    async def _start(self) -> None:
        self._worker = Worker(self, asyncio.get_running_loop())
        try:
            await asyncio.wrap_future(self._worker.opened)
        except BaseException:
            self._abandon()
            raise

    async def _finish(self) -> None:
        worker, self._worker = self._worker, None
        assert worker is not None
        worker.stop()
        await asyncio.wrap_future(worker.closed)

    def _abandon(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._worker = None

    def _wake(self) -> None:
        assert self._worker is not None
        self._worker.wake()

    async def _read_now(self) -> None:
        if self._worker is not None:
            await asyncio.wrap_future(self._worker.look())


class Worker:
    """The thread of a process that uses the file.

    Args:
        backend: gets what is new, and has what is to be stored.
        loop: the event loop of the backend.

    Attributes:
        opened: done when the file is open and its log is read.
        closed: done when the thread has ended.
    """

    def __init__(self, backend: SqliteBackend, loop: asyncio.AbstractEventLoop) -> None:
        self._backend, self._loop = backend, loop
        log = backend.log
        self._store = SqliteStore(
            backend.path, max_bytes=log.max_total_bytes, max_age=log.max_age, timeout=backend.publish_timeout
        )
        self._wake_up: WakeUp | None = None
        self._is_told = self._stops = self._failed = False
        self._looks: list[Future[None]] = []
        self._handed_over = ("", 0)  # the epoch and the sequence up to which the backend has been told
        self.opened: Future[None] = Future()
        self.closed: Future[None] = Future()
        for future in (self.opened, self.closed):  # who waits may be cancelled, and the thread goes on
            future.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, name="sse-components sqlite", daemon=True)
        _workers.add(self)
        self._thread.start()

    # In the event loop.

    def wake(self) -> None:
        """Have what waits stored."""
        if not self._is_told and self._wake_up is not None:
            self._is_told = True
            self._wake_up.tell_self()

    def look(self) -> Future[None]:
        """Have the file read; return a future that is done afterwards."""
        looked: Future[None] = Future()
        self._looks.append(looked)
        self.wake()
        return looked

    def stop(self) -> None:
        """Store what waits, and end."""
        self._stops = True
        if self._wake_up is not None:
            self._wake_up.tell_self()

    def join(self) -> None:
        """Wait for its end, for `EXIT_SECONDS` at most."""
        self._thread.join(EXIT_SECONDS)

    def drop(self) -> None:
        """Let go of the sockets, in a forked process."""
        _workers.discard(self)
        if self._wake_up is not None:
            self._wake_up.drop()

    # In the thread.

    def _run(self) -> None:
        try:
            self._open()
        except BaseException as error:
            self._close_sockets()
            _workers.discard(self)
            self.opened.set_exception(error)
            return
        try:
            while self._goes_on():
                self._turn()
            self._leave()
        except Exception as error:
            logger.error("the thread of %s has ended", self._backend.path, exc_info=error)
        finally:
            self._close_sockets()
            _workers.discard(self)
            self._in_loop(self.closed.set_result, None)

    def _goes_on(self) -> bool:
        # Where another event loop has opened the file again, what waits is its worker's to store.
        if self._backend._waiting and self._backend._worker in (self, None):
            return True
        return not (self._stops or self._loop.is_closed())

    def _open(self) -> None:
        self._wake_up = WakeUp(self._backend.path)
        self._store.open(self._wake_up.name, self._is_alive)
        self._store.state.epoch = ""  # nothing is known yet
        news = self._store.news()
        self._backend.log.begin(Cursor(news.epoch, news.after), missing=news.after)
        events = self._events(news.epoch, news.rows)
        for event in events:
            self._backend.log.keep(event)
        self._in_loop(self._learn, news, events)
        self._handed_over = news.epoch, self._store.state.sequence
        self.opened.set_result(None)

    def _leave(self) -> None:
        try:
            self._store.close(self._is_alive)
        except BackendUnavailable as error:
            logger.warning("%s", error)

    def _close_sockets(self) -> None:
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            wake_up.close()

    def _turn(self) -> None:
        """Wait until there is something to do, and do it."""
        assert self._wake_up is not None
        is_told = bool(self._backend._waiting) or self._wake_up.wait(LOOK_SECONDS)
        # What is told from now on is a reason for another turn.
        self._is_told = False
        looks, self._looks = self._looks, []
        drafts = self._backend._take_waiting()
        try:
            if drafts:
                self._append(drafts)
            elif is_told or self._store.has_changed():
                self._hand_over(self._store.news())
            self._failed = False
        except BackendUnavailable as error:
            self._fail(drafts, error)
        for looked in looks:
            self._in_loop(looked.set_result, None)

    def _append(self, drafts: list[Draft]) -> None:
        others, row = self._store.append(drafts)
        self._hand_over(others, row)
        assert self._wake_up is not None
        if dead := self._wake_up.tell(self._store.peers):
            self._store.forget(dead)
            for name in dead:
                self._wake_up.remove(name)

    def _is_alive(self, name: str) -> bool:
        """Tell whether a process is there; remove the socket of one that is not."""
        assert self._wake_up is not None
        dead = self._wake_up.tell([name])
        for each in dead:
            self._wake_up.remove(each)
        return not dead

    def _hand_over(self, news: News, own: Row | None = None) -> None:
        events = self._events(news.epoch, [*news.rows, *([own] if own else [])])
        if events or (news.epoch, news.after) != self._handed_over:
            self._handed_over = news.epoch, self._store.state.sequence
            self._in_loop(self._learn, news, [])  # the backend learns of the events when they arrive
            # In parts, so that a process which has much to hear of does other things meanwhile.
            for begin in range(0, len(events) or 1, PART_EVENTS):
                self._in_loop(self._arrive, news.epoch, news.after + begin, events[begin : begin + PART_EVENTS])
            if own is not None:
                self._in_loop(self._fulfil, own.drafts, events[-len(own.drafts) :])

    def _arrive(self, epoch: str, after: int, events: list[Event]) -> None:
        """Hand events to the backend, in its event loop."""
        backend = self._backend
        if (epoch, after) != (backend.log.epoch, backend.log.sequence):
            backend._begin(Cursor(epoch, after), after)
        backend._receive(events)

    def _learn(self, news: News, events: list[Event]) -> None:
        """Hand values that were kept before to the backend, in its event loop."""
        if news.epoch != self._backend.log.epoch:
            self._backend._begin(Cursor(news.epoch, news.after), news.after)
        kept = [state_event(Cursor(news.epoch, sequence), item) for sequence, item in news.items]
        self._backend._learn_all([*kept, *events])

    def _fulfil(self, drafts: list[Draft], events: list[Event]) -> None:
        for draft, event in zip(drafts, events, strict=True):
            draft.future.set_result(event)

    def _events(self, epoch: str, rows: list[Row]) -> list[Event]:
        clock = self._backend.log.clock()
        now = time.time()
        return [
            event for row in rows for event in events_of(row.drafts, epoch, row.first, clock - max(0.0, now - row.at))
        ]

    def _fail(self, drafts: list[Draft], error: BackendUnavailable) -> None:
        for draft in drafts:
            self._in_loop(draft.future.set_exception, error)
        if not self._failed:
            logger.error("%s", error)
        self._failed = True
        if not drafts:
            time.sleep(LOOK_SECONDS / 4)

    def _in_loop(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # it was closed without a shutdown
            self._loop.call_soon_threadsafe(call, *arguments)


_workers: set[Worker] = set()


@atexit.register
def _leave_files() -> None:
    """Have what waits stored, and the files left, where an event loop has ended without a lifespan."""
    workers = list(_workers)
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join()
