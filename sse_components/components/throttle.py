"""Updates of a handle: at most one message in an interval, whatever number of changes there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import Any

from ..background import report, start_task
from ..checks import check_positive
from ..errors import NotRunning
from ..forks import Guard
from ..manager import BroadcastManager
from ..publication import ENDED, Outcome, Publication, calling_place, running_loop

Send = Callable[[frozenset[str]], Outcome[Any]]
NOBODY: frozenset[str] = frozenset()


class Throttle:
    """Sends the state of a handle when it has changed, at most once in an interval.

    A message leaves out a tab only if each change in it does.

    Args:
        manager: sends in its event loop.
        send: sends the present state. It gets the tabs and connections to leave out. It is called in the event loop,
            and not again before its outcome is there.
        interval: seconds between the end of one message and the next, at least.
        leading: whether the first change is sent at once. Otherwise it waits for those that follow in the interval.
        what: what the log calls it if an update fails.

    Raises:
        ValueError: for an interval that is not above 0.
    """

    def __init__(
        self, manager: BroadcastManager, send: Send, interval: float, *, leading: bool, what: str = "a handle"
    ) -> None:
        self.interval, self._leading, self._what = interval, leading, what
        self._manager, self._send_state = manager, send
        self._lock = Guard()
        self._busy_in: asyncio.AbstractEventLoop | None = None  # where it sends, or waits to send
        self._changed, self._exclude, self._place = False, NOBODY, ""

    @property
    def interval(self) -> float:
        """The seconds between two messages, at least."""
        return self._interval

    @interval.setter
    def interval(self, interval: float) -> None:
        check_positive(interval=interval)
        self._interval = interval

    def request(self, exclude: frozenset[str] = NOBODY, place: str = "") -> Publication:
        """Have a change sent: at once, or together with others.

        With `leading`, call it in the event loop; otherwise in any thread.

        Args:
            exclude: tabs and connections that know of the change.
            place: file and line of the caller, for the log; by default the present call's.

        Returns:
            The outcome of sending it. If it is sent later, the outcome is there, with an empty id.

        Raises:
            NotRunning: after shutdown, or before start-up outside of an event loop.
            Exception: what `send` raises, if it is called at once.
        """
        home = self._manager.home
        home.check()
        if (loop := home.loop) is None or loop.is_closed():  # the call starts the manager
            return home.make(lambda: self.request(exclude, place), Publication)  # type: ignore[return-value]
        if not self._join(loop, exclude, place):
            if self._leading:
                return self._send(loop)
            self._begin_to_wait(loop)
        return Publication.of("", shares=True)

    def _join(self, loop: asyncio.AbstractEventLoop, exclude: frozenset[str], place: str) -> bool:
        """Note a change, and return whether a message that will bring it is due already."""
        with self._lock:
            is_busy = self._busy_in is loop
            self._exclude = self._exclude & exclude if self._changed else exclude
            self._busy_in, self._changed = loop, True
        if place or not is_busy:
            self._place = place or calling_place()
        return is_busy

    def _begin_to_wait(self, loop: asyncio.AbstractEventLoop) -> None:
        if running_loop() is loop:
            return self._wait(loop)
        try:
            loop.call_soon_threadsafe(self._wait, loop)
        except RuntimeError as error:  # it was closed a moment ago
            raise NotRunning(ENDED) from error
        return None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        # In an empty context: the present one is that of a request, or of a transaction, which ends.
        loop.call_later(self._interval, self._go_on, loop, context=Context())

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send what has changed meanwhile. If nothing has, the next change is the first one again."""
        with self._lock:
            if self._busy_in is not loop:
                return
            if not self._changed:
                self._busy_in = None
                return
            place = self._place
        try:
            outcome = self._send(loop)
        except Exception as error:
            self._report(error, place)
        else:
            when_done(outcome, lambda error: self._report(error, place))

    def _report(self, error: BaseException, place: str) -> None:
        if not isinstance(error, NotRunning):  # after shutdown nobody is left to see it
            report(f"{self._what}: an update failed that was called at {place}", error)

    def _send(self, loop: asyncio.AbstractEventLoop) -> Publication:
        with self._lock:
            self._changed, exclude = False, self._exclude
        try:
            outcome = self._send_state(exclude)
        except BaseException:
            self._wait(loop)
            raise
        if outcome.done():
            self._wait(loop)
            return outcome  # type: ignore[return-value]
        return self._wait_for(outcome, loop)

    def _wait_for(self, outcome: Outcome[Any], loop: asyncio.AbstractEventLoop) -> Publication:
        def on_done(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._wait, loop)

        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        future.add_done_callback(on_done)
        outcome.pass_on(future)
        return Publication(future, place=self._place)


def start(coroutine: Coroutine[Any, Any, str | None]) -> Publication:
    """Run a coroutine in the running event loop, outside of the present request, and return its outcome.

    Args:
        coroutine: publishes. It returns the event's id, or None.
    """
    future: Future[str] = Future()
    future.set_running_or_notify_cancel()

    async def run() -> None:
        try:
            id = await coroutine
        except Exception as error:
            future.set_exception(error)
        except BaseException:  # the event loop ends
            future.set_exception(NotRunning(ENDED))
            raise
        else:
            future.set_result(id or "")

    start_task(run(), "an update", context=Context())
    return Publication(future)


def when_done(outcome: Outcome[Any], on_error: Callable[[BaseException], None]) -> None:
    """Call a function with the error of an outcome, if there is one."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()

    def on_done(done: Future[Any]) -> None:
        if (error := done.exception()) is not None:
            on_error(error)

    future.add_done_callback(on_done)
    outcome.pass_on(future)
