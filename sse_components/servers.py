"""The only module that knows the ASGI servers: which can be stepped, how to cut a connection, and when one ends.

Nothing of a server is patched. What is read is read from objects that the server itself hands to the application,
or that stand in the frames of its running tasks.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

# Seconds between two looks at whether the server is about to stop.
EXIT_POLL = 0.1

Send = Callable[[Any], Coroutine[Any, Any, None]]


def can_step(send: Send) -> bool:
    """Tell whether this `send` may be stepped outside of a task: uvicorn's own, which writes before it returns.

    Others (granian reordered events, `../shared/perf.md` 3) get a task.
    """
    return type(getattr(send, "__self__", None)).__module__.startswith("uvicorn.protocols.http.")


def abort(send: Send) -> None:
    """Cut the connection behind a server's `send` where that can be had, so that nobody waits for its buffer."""
    cut = getattr(getattr(getattr(send, "__self__", None), "transport", None), "abort", None)
    if cut is not None:
        cut()


class ExitWatch:
    """Calls back once when the server that runs the application has begun to stop.

    uvicorn (also with workers, `--reload`, gunicorn's worker, or in a thread): its `Server.should_exit`.
    hypercorn: the worker's `terminated` event. Any other server in the main thread: `SIGTERM` and `SIGINT`, passed on to
    the handler that was there before.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._checks: list[Callable[[], bool]] = []
        self._chained: dict[int, Any] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._signalled = False

    def start(self) -> None:
        """Begin to watch; to be called in the event loop."""
        server = find_uvicorn()
        if server is not None:
            self._check(lambda: bool(server.should_exit))

    def note(self, send: Send) -> None:
        """Learn from the first stream's `send` what server it is, if that is not known yet."""
        if self._checks:
            return
        terminated = getattr(getattr(getattr(send, "__self__", None), "context", None), "terminated", None)
        if terminated is not None:
            self._check(terminated.is_set)
        elif threading.current_thread() is threading.main_thread():
            self._chain_signals()
            self._check(lambda: self._signalled)

    def stop(self) -> None:
        """Watch no longer, and give signals back to whom they belonged."""
        if self._timer is not None:
            self._timer.cancel()
        for number, previous in self._chained.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, previous)
        self._chained.clear()

    def _check(self, check: Callable[[], bool]) -> None:
        self._checks.append(check)
        self._poll()

    def _poll(self) -> None:
        if any(check() for check in self._checks):
            self._callback()
        else:
            self._timer = asyncio.get_running_loop().call_later(EXIT_POLL, self._poll)

    def _chain_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            if (previous := signal.getsignal(number)) is not None:
                self._chained[number] = previous
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        self._signalled = True
        previous = self._chained.get(number)
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def find_uvicorn() -> Any:
    """Return the uvicorn `Server` that runs the present event loop, or None."""
    for frame in _frames():
        candidate = frame.f_locals.get("self")
        if type(candidate).__name__ == "Server" and hasattr(candidate, "should_exit"):
            return candidate
    return None


def _frames() -> Iterator[Any]:
    """Yield the frames of the coroutines that the loop's tasks are waiting in, outermost first."""
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        while coroutine is not None and (frame := getattr(coroutine, "cr_frame", None)) is not None:
            yield frame
            coroutine = coroutine.cr_await
