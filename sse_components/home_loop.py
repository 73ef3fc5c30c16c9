"""The event loop in which a manager runs, and the calls that come to it from everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from functools import partial, wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from .background import start_task
from .errors import NotRunning, SetupError
from .forks import tell_after_fork
from .publication import ENDED, NOT_STARTED, Outcome, running_loop

P = ParamSpec("P")
T = TypeVar("T")

NO_ASYNCIO = (
    "sse_components needs asyncio, and no event loop of asyncio runs here: serve the application with asyncio,"
    " such as hypercorn without `--worker-class trio`"
)
OTHER_LOOP = (
    "the application is served in another event loop already, and all its pages must be served in one:"
    " stop the other server first, or make another application for this one"
)
# Seconds in which another event loop may end what runs in it, and seconds between two looks.
MOVE_SECONDS, MOVE_POLL = 5.0, 0.02


class HomeLoop:
    """Makes calls in one event loop, in the order in which each thread makes them.

    It starts with a lifespan, a request or a call, whichever comes first. The end of the lifespan ends it; without a
    lifespan, it runs as long as its event loop.

    Attributes:
        loop: where it runs; None before the start, and after the end.
        ended: whether it has been ended, so that a request or a call does not start it again.
        by_call: whether a call has caused the latest start.
        needs_server: whether a call outside of any event loop is refused before the start. Otherwise it waits to be
            awaited.

    Args:
        start: has the manager run in the running loop.
        stop: ends that.
        in_use: tells whether clients are connected.
    """

    def __init__(
        self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]], in_use: Callable[[], bool]
    ) -> None:
        self._start, self._stop, self._in_use = start, stop, in_use
        self.needs_server = False
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Not run: the loop is one of the parent process, and goes on there."""
        self._lock = Lock()
        self._starting: Future[None] | None = None
        self._start_loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[Future[Any], Callable[[], Outcome[Any]]]] = []
        self._lifespans: list[asyncio.AbstractEventLoop] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ended = self.by_call = False

    @property
    def is_running(self) -> bool:
        """Whether there is a loop to make calls in."""
        return self.loop is not None and not self.loop.is_closed()

    @property
    def _is_starting(self) -> bool:
        # The loop of a start may have ended before it.
        return self._starting is not None and self._start_loop is not None and not self._start_loop.is_closed()

    # ------------------------------------------------------------------ start and end

    async def begin_lifespan(self) -> None:
        """Run until `end_lifespan`; of several lifespans in a loop, such as those of two servers, the last one ends it.

        Raises:
            SetupError, Exception: as `start`.
        """
        loop = asyncio_loop()
        self._lifespans.append(loop)
        try:
            await self.start()
        except BaseException:
            self._lifespans.remove(loop)
            raise

    async def end_lifespan(self) -> None:
        """End, unless another lifespan goes on in this loop."""
        loop = asyncio_loop()
        self._lifespans.remove(loop)
        if self.loop is loop and loop not in self._lifespans:
            await self._stop()

    async def start(self) -> None:
        """Run in the running loop, also after the end. Who asks while a start is under way waits for that one.

        Raises:
            SetupError: without asyncio, or while another event loop serves the application.
            Exception: what `start` raises; the next call tries again.
        """
        loop = asyncio_loop()
        if not (self.is_running and self.loop is loop):
            self.ended = False
            with self._lock:
                started = self._begin(loop)
            await asyncio.wrap_future(started)

    async def be_here(self) -> None:
        """Run in the running loop, because a client is connected there.

        Raises:
            NotRunning: after the end.
            SetupError, Exception: as `start`.
        """
        if not self.is_running and self.ended:
            raise NotRunning(ENDED)
        await self.start()

    def leave(self) -> None:
        """Make no more calls, and do not start again by the next one."""
        self.loop, self.ended = None, True

    def _begin(self, loop: asyncio.AbstractEventLoop, *, by_call: bool = False) -> Future[None]:
        """Return the start that is under way, or begin one. The lock is held."""
        if not self._is_starting or self._starting is None:
            self._starting, self._start_loop, self.by_call = pending(), loop, by_call
            loop.call_soon_threadsafe(self._create_task, self._starting, context=Context())
        return self._starting

    def _create_task(self, started: Future[None]) -> None:
        start_task(self._start_here(started), "the start of the manager")

    async def _start_here(self, started: Future[None]) -> None:
        try:
            await self._leave_other_loop()
            await self._start()
        except BaseException as error:
            self._fail(started, error if isinstance(error, Exception) else NotRunning(ENDED))
            if not isinstance(error, Exception):
                raise
        else:
            self._enter(started)

    def _enter(self, started: Future[None]) -> None:
        """Make calls in the running loop from now on, those that wait for it first."""
        with self._lock:
            self.loop, self.ended = asyncio.get_running_loop(), False
            self._starting, waiting, self._waiting = None, self._waiting, []
        for future, call in waiting:
            fulfil(future, call)
        started.set_result(None)

    def _fail(self, started: Future[None], error: Exception) -> None:
        with self._lock:
            self._starting, waiting, self._waiting = None, self._waiting, []
        for future in (*[future for future, _ in waiting], started):
            future.set_exception(error)

    async def _leave_other_loop(self) -> None:
        """Wait until it has ended in the loop where it runs; end it there, if it has started by itself."""
        other, here = self.loop, asyncio.get_running_loop()
        if other is None or other is here or not other.is_running():
            return
        if other not in self._lifespans and not self._in_use():
            asyncio.run_coroutine_threadsafe(self._stop(), other)  # type: ignore[arg-type]
        deadline = here.time() + MOVE_SECONDS
        while self.loop is other and other.is_running():
            if here.time() > deadline:
                raise SetupError(OTHER_LOOP)
            await asyncio.sleep(MOVE_POLL)

    # ------------------------------------------------------------------ calls

    def check(self) -> None:
        """Check that a call can be made, now or after the start that it causes.

        Raises:
            NotRunning: after the end, and where nothing can start it.
        """
        if self.is_running or self._is_starting:
            return
        if self.ended:
            raise NotRunning(ENDED)
        if self.needs_server and running_loop() is None:
            raise NotRunning(NOT_STARTED)

    def make(self, call: Callable[[], Outcome[T]], kind: type[Outcome[T]]) -> Outcome[T]:
        """Make a call now, if this is the loop's thread; else hand it over.

        Args:
            call: what to do, in the loop.
            kind: of the outcome that is returned.

        Raises:
            NotRunning: after the end, and where nothing can start it.
            Exception: what the call raises, if it is made now.
        """
        self.check()
        here = running_loop()
        if self.is_running and here is self.loop:
            return call()
        if here is None and not (self.is_running or self._is_starting):
            return kind(call=partial(self.make, call, kind))
        # Whoever waits for the result may be cancelled; the call is made nevertheless.
        future: Future[T] = pending()
        with self._lock:
            if waits := not self.is_running:
                self._wait_for_start(here, future, call)
        if not waits:
            self._hand_over(future, call)
        return kind(future)

    def _wait_for_start(
        self, here: asyncio.AbstractEventLoop | None, future: Future[T], call: Callable[[], Outcome[T]]
    ) -> None:
        if here is not None:
            self._begin(here, by_call=True)
        elif not self._is_starting:  # it has failed a moment ago
            raise NotRunning(NOT_STARTED)
        self._waiting.append((future, call))

    async def ready(self) -> None:
        """Start, if that is allowed and has not been done, and wait for it.

        Raises:
            NotRunning: after the end, and where nothing can start it.
        """
        if not self.is_running:
            await self.make(lambda: Outcome.of(None), Outcome)

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the loop, and return its result; start by it, if that is allowed.

        Raises:
            NotRunning: after the end, and where nothing can start it.
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
            raise NotRunning(ENDED) from error

    def _call_if_running(self, future: Future[T], call: Callable[[], Outcome[T]]) -> None:
        if self.is_running:
            fulfil(future, call)
        else:
            future.set_exception(NotRunning(ENDED))


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


def pending() -> Future[Any]:
    """Return a future that those who wait for it cannot cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def asyncio_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        SetupError: if the server runs the application without asyncio.
    """
    if (loop := running_loop()) is None:
        raise SetupError(NO_ASYNCIO)
    return loop
