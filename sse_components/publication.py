"""The result of a call that works anywhere: in an async handler, a sync handler, a thread or a job.

The call itself does its work, or hands it over to the application's event loop, whether or not anyone looks at the
result. Who wants the result awaits it, or asks for `result()` in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any, Generic, Self, TypeVar

from .background import report
from .errors import NotRunning

logger = logging.getLogger("sse_components")

NOT_STARTED = (
    "the manager does not run yet, and no event loop in this thread can start it: serve the application first, in a"
    " test with `with TestClient(app)`; where it is mounted in another one, write `async with sse:` in that one's"
    " lifespan; without an application, await the call"
)
ENDED = (
    "the manager does not run any more: it has ended with the application's shutdown, or by `stop`. Publish before"
    " that, or start it again with `async with sse:`"
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Seconds after which a task that awaits nothing but outcomes that share lets others run.
YIELD_SECONDS = 0.01

_PACKAGE = __name__.rpartition(".")[0]


class Outcome(Coroutine[Any, Any, T_co], Generic[T_co]):
    """The result of a call that was made, or handed over to the application's event loop.

    It may be awaited in any event loop, waited for in a thread by `result()`, given to `asyncio.create_task`, `gather`,
    `wait_for` and `run` like a coroutine, or ignored. Cancelling who waits for it does not undo the call. A failure
    that nobody looks at is logged with the line of the call.

    Args:
        future: of the result, if it is not there yet.
        value: the result, without a future.
        shares: whether awaiting it lets others run now and then, so that a task which awaits nothing else does not
            hold up the event loop.
        call: what is called when the outcome is awaited, where nothing runs that could do it before.
        place: file and line of the call, for the log; by default where this package was called just now.
    """

    __slots__ = ("_call", "_future", "_place", "_seen", "_shares", "_steps", "_value")

    def __init__(
        self,
        future: Future[Any] | None = None,
        value: Any = None,
        *,
        shares: bool = False,
        call: Callable[[], Outcome[Any]] | None = None,
        place: str = "",
    ) -> None:
        self._future, self._value, self._shares, self._call = future, value, shares, call
        self._seen = False
        self._steps: Generator[Any, Any, T_co] | None = None
        self._place = place or (calling_place() if future or call else "")

    @classmethod
    def of(cls, value: Any, *, shares: bool = False) -> Self:
        """Return the outcome of a call whose result is there."""
        return cls(value=value, shares=shares)

    def done(self) -> bool:
        """Tell whether the call has come to its end."""
        return self._call is None and (self._future is None or self._future.done())

    def result(self, timeout: float | None = None) -> T_co:
        """Return the result; in a thread, wait for it.

        Args:
            timeout: seconds to wait; by default as long as it takes.

        Raises:
            RuntimeError: in a thread that runs an event loop, if the result is not there yet: await it there.
            NotRunning: if nothing runs that could make the call.
            TimeoutError: when the time is over.
            Exception: what the call has raised.
        """
        self._seen = True
        if self._call is not None:
            raise NotRunning(NOT_STARTED)
        if self._future is None:
            return self._value  # type: ignore[no-any-return]
        if not self._future.done() and running_loop() is not None:
            raise RuntimeError("an event loop runs in this thread, and result() would block it: await the call instead")
        return self._future.result(timeout)  # type: ignore[no-any-return]

    def __await__(self) -> Generator[Any, Any, T_co]:
        self._seen = True
        if self._call is not None:
            made, self._call = self._call(), None
            self._future, self._value, made._seen = made._future, made._value, True
        if self._future is not None and not self._future.done():
            yield from arrival(self._future).__await__()
        elif self._shares and _turn.is_over():
            yield
            _turn.begin()
        return self._value if self._future is None else self._future.result()  # type: ignore[no-any-return]

    def pass_on(self, future: Future[T_co]) -> None:
        """Set a future's result as soon as there is one.

        Args:
            future: gets the result or the error.
        """
        self._seen = True
        if self._future is None:
            future.set_result(self._value)
        else:
            self._future.add_done_callback(partial(copy_result, to=future))

    # What asyncio asks of a coroutine.

    def send(self, value: Any) -> Any:
        """Return what it waits for next, as a coroutine does.

        Args:
            value: the result of what it waited for.
        """
        self._steps = self._steps or self.__await__()
        try:
            return self._steps.send(value)
        except BaseException:
            self._steps = None  # it may be awaited again
            raise

    def throw(self, *error: Any) -> Any:
        """Return what it waits for next, as a coroutine does, after an error is raised in it.

        Args:
            error: the error.
        """
        self._steps = self._steps or self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        """Wait no longer. The call itself goes on."""
        if self._steps is not None:
            self._steps.close()

    def __del__(self) -> None:
        if self._seen:
            return
        if self._call is not None:
            logger.error("a %s was not awaited at %s: %s", type(self).__name__.lower(), self._place, NOT_STARTED)
        if self._future is not None:
            self._future.add_done_callback(Unseen(type(self).__name__.lower(), self._place))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'done' if self.done() else 'pending'}>"


class Publication(Outcome[str]):
    """What `publish` returns: its result is the event's id.

    The id is empty for what is published later: in a block of `after_commit`, or together with the updates that follow
    it within an interval.

    Example:
        `sse.publish('todos', item)`, or `id = await sse.publish('todos', item)`, or, in a thread,
        `id = sse.publish('todos', item).result()`
    """

    __slots__ = ()


class Unseen:
    """Logs the failure of a call whose outcome nobody has looked at.

    Args:
        kind: of the outcome.
        place: where the call was made.
    """

    __slots__ = ("kind", "place")

    def __init__(self, kind: str, place: str) -> None:
        self.kind, self.place = kind, place

    def __call__(self, future: Future[Any]) -> None:
        """Log the failure, if there is one."""
        if not future.cancelled() and (error := future.exception()) is not None:
            report(f"a {self.kind} failed that was called at {self.place}", error)


class Turn:
    """The present turn of the event loop's task, which may not take for ever."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = 0.0

    def begin(self) -> None:
        """Note that others have just run."""
        self._since = time.monotonic()

    def is_over(self) -> bool:
        """Tell whether it is time to let others run."""
        return time.monotonic() - self._since > YIELD_SECONDS


_turn = Turn()


def copy_result(future: Future[T], *, to: Future[T]) -> None:
    """Give a future the result, or the error, of another that is done."""
    if (error := future.exception()) is not None:
        to.set_exception(error)
    else:
        to.set_result(future.result())


def future_id(appended: Future[Any]) -> Future[str]:
    """Return a future of an event's id."""
    found: Future[str] = Future()
    found.set_running_or_notify_cancel()

    def copy(done: Future[Any]) -> None:
        if (error := done.exception()) is not None:
            found.set_exception(error)
        else:
            found.set_result(done.result().id)

    appended.add_done_callback(copy)
    return found


def arrival(future: Future[Any]) -> asyncio.Future[None]:
    """Return a future of the running loop that is done when another one is; cancelling it does not cancel that."""
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    def arrive() -> None:
        if not arrived.done():
            arrived.set_result(None)

    def on_done(_: Future[Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(arrive)

    future.add_done_callback(on_done)
    return arrived


def calling_place() -> str:
    """Return the file and line that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(f"{_PACKAGE}."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
