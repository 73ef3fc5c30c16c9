"""The event loop in which a manager runs, and the calls that come to it from everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from functools import partial, wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from .errors import NotRunning
from .forks import tell_after_fork
from .publication import NOT_RUNNING, Outcome, running_loop

P = ParamSpec("P")
T = TypeVar("T")


class HomeLoop:
    """Makes calls in one event loop, in the order in which each thread makes them.

    Args:
        start: starts the manager in the running loop, and then calls `enter`.
    """

    def __init__(self, start: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self.starts_by_itself = True
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Not run: the loop is one of the parent process, and goes on there."""
        self._lock = Lock()
        self._starting: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Future[Any], Callable[[], Outcome[Any]]]] = []
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a loop to make calls in."""
        return self.loop is not None and not self.loop.is_closed()

    def enter(self) -> None:
        """Make calls in the running loop from now on, those that wait for it first."""
        with self._lock:
            self.loop = asyncio.get_running_loop()
            waiting, self._waiting = self._waiting, []
        for future, call in waiting:
            fulfil(future, call)

    def leave(self) -> None:
        """Make no more calls, and do not start again by the next one."""
        self.loop, self.starts_by_itself = None, False

    def check(self) -> None:
        """Check that a call can be made, now or after the start that it causes.

        Raises:
            NotRunning: before start-up, and after shutdown.
        """
        if not (self.is_running or self.starts_by_itself):
            raise NotRunning(NOT_RUNNING)

    def make(self, call: Callable[[], Outcome[T]], kind: type[Outcome[T]]) -> Outcome[T]:
        """Make a call now, if this is the loop's thread; else hand it over.

        Args:
            call: what to do, in the loop.
            kind: of the outcome that is returned.

        Raises:
            NotRunning: before start-up, and after shutdown.
            Exception: what the call raises, if it is made now.
        """
        self.check()
        here = running_loop()
        if self.is_running and here is self.loop:
            return call()
        if here is None and not self.is_running:
            return kind(call=partial(self.make, call, kind))
        future: Future[T] = Future()
        # Whoever waits for the result may be cancelled; the call is made nevertheless.
        future.set_running_or_notify_cancel()
        with self._lock:
            if not self.is_running:
                self._wait_for_start(future, call)
                return kind(future)
        self._hand_over(future, call)
        return kind(future)

    async def ready(self) -> None:
        """Start, if that is allowed and has not been done, and wait for it.

        Raises:
            NotRunning: before start-up, and after shutdown.
        """
        if not self.is_running:
            await self.make(lambda: Outcome.of(None), Outcome)

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the loop, and return its result; start by it, if that is allowed.

        Raises:
            NotRunning: before start-up, and after shutdown.
        """
        await self.ready()
        assert self.loop is not None
        if self.loop is asyncio.get_running_loop():
            return await make()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), self.loop))

    def _hand_over(self, future: Future[T], call: Callable[[], Outcome[T]]) -> None:
        assert self.loop is not None
        try:
            self.loop.call_soon_threadsafe(self._call_if_running, future, call)
        except RuntimeError as error:  # it was closed a moment ago
            raise NotRunning(NOT_RUNNING) from error

    def _call_if_running(self, future: Future[T], call: Callable[[], Outcome[T]]) -> None:
        if self.is_running:
            fulfil(future, call)
        else:
            future.set_exception(NotRunning(NOT_RUNNING))

    def _wait_for_start(self, future: Future[T], call: Callable[[], Outcome[T]]) -> None:
        self._waiting.append((future, call))
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start_for_waiting())

    async def _start_for_waiting(self) -> None:
        try:
            await self._start()
        except BaseException as error:
            with self._lock:
                waiting, self._waiting = self._waiting, []
            for future, _ in waiting:
                future.set_exception(error)
        finally:
            self._starting = None


class HasHome(Protocol):
    """What has a home loop."""

    home: HomeLoop


Self = TypeVar("Self", bound=HasHome)


def in_home_loop(
    method: Callable[Concatenate[Self, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Self, P], Coroutine[Any, Any, T]]:
    """Let a coroutine method run in the manager's loop, whichever loop awaits it."""

    @wraps(method)
    async def wrapper(self: Self, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.home.run(lambda: method(self, *args, **kwargs))

    return wrapper  # type: ignore[return-value]


def fulfil(future: Future[T], call: Callable[[], Outcome[T]]) -> None:
    """Make a call, and set a future's result as soon as there is one."""
    try:
        call().pass_on(future)
    except BaseException as error:
        future.set_exception(error)
