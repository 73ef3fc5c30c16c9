"""The only module that knows the ASGI servers: which can be stepped, how to cut a connection, and when one ends.

No server is patched. The kit reads objects that the server hands to the application, or that are in the frames of the
server's running tasks.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

# Seconds between two checks whether the server is about to stop.
EXIT_POLL = 0.1
# Servers whose `send` either writes before it returns or waits before it writes. granian reorders stepped messages.
STEPPABLE = ("uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.http.h11_impl")
# Objects between the `send` that an application calls and the transport: three in hypercorn, and middleware.
DEPTH = 6

Send = Callable[[Any], Coroutine[Any, Any, None]]
Receive = Callable[[], Coroutine[Any, Any, Any]]
Check = Callable[[], bool]


def can_step(send: Send) -> bool:
    """Tell whether a `send` may be stepped outside of a task: it is the method of a server that is known for it."""
    return type(getattr(send, "__self__", None)).__module__ in STEPPABLE


def abort(*calls: Send | Receive | None) -> None:
    """Cut the connection behind a `send` or a `receive`, so that its buffer holds up nothing."""
    for call in calls:
        if (transport := find_transport(call)) is not None:
            transport.abort()
            return


def find_transport(call: Any) -> Any:
    """Return the transport behind a method of uvicorn or hypercorn, or of an object that calls one; None if unknown."""
    for _ in range(DEPTH):
        owner = getattr(call, "__self__", None)
        transport = getattr(getattr(owner, "writer", owner), "transport", None)
        if hasattr(transport, "abort"):
            return transport
        call = getattr(owner, "send", None)
    return None


class ExitWatch:
    """Calls back once when the server that runs the application has begun to stop.

    uvicorn (also with workers, `--reload`, gunicorn's worker, or in a thread) and hypercorn have state that shows it.
    With any other server in the main thread, `SIGTERM` and `SIGINT` do; the server's own handlers still run.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self.ended = False
        self._check: Check | None = None
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._signalled = False

    def start(self) -> None:
        """Begin to watch, if the server is known already. Call it in the event loop."""
        if self._check is None and (check := find_check()) is not None:
            self._watch(check)

    def first_stream(self) -> None:
        """Begin to watch now at the latest: the server has a stream, so it runs."""
        self.start()
        if self._check is None and threading.current_thread() is threading.main_thread():
            self._chain_signals()
            self._watch(lambda: self._signalled)

    def stop(self) -> None:
        """Stop watching, and restore the signal handlers."""
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)
        self._handlers.clear()

    def _watch(self, check: Check) -> None:
        self._check = check
        self._poll(check)

    def _poll(self, check: Check) -> None:
        if check():
            self.ended = True
            self._callback()
        else:
            self._timer = asyncio.get_running_loop().call_later(EXIT_POLL, self._poll, check)

    def _chain_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            # Without a handler the process ends at once, or ignores the signal.
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        self._handlers[number](number, frame)


class LoopWatch:
    """One `ExitWatch` for all streams of an event loop that do not belong to a manager."""

    def __init__(self) -> None:
        self.callbacks: set[Callable[[], object]] = set()
        self.watch = ExitWatch(self._call)

    def _call(self) -> None:
        for callback in tuple(self.callbacks):
            callback()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWatch] = WeakKeyDictionary()


@contextmanager
def on_exit(callback: Callable[[], object]) -> Iterator[None]:
    """Call back once if the server begins to stop during the block, or has begun before."""
    loop = asyncio.get_running_loop()
    shared = _watches.setdefault(loop, LoopWatch())
    shared.callbacks.add(callback)
    shared.watch.first_stream()
    if shared.watch.ended:
        callback()
    try:
        yield
    finally:
        shared.callbacks.discard(callback)
        if not shared.callbacks:
            shared.watch.stop()
            _watches.pop(loop, None)


def find_check() -> Check | None:
    """Return a function that checks whether the server of the running loop has begun to stop; None if unknown."""
    for variables in waiting_frames():
        server, context = variables.get("self"), variables.get("context")
        if hasattr(server, "should_exit") and hasattr(server, "server_state"):
            return lambda: uvicorn_ends(server)
        if type(context).__module__.startswith("hypercorn."):
            return context.terminated.is_set  # type: ignore[no-any-return, union-attr]
    return None


def uvicorn_ends(server: Any) -> bool:
    """Return whether a uvicorn `Server` has begun to stop: with `limit_max_requests` it only closes its sockets."""
    return server.should_exit or not all(listener.is_serving() for listener in getattr(server, "servers", ()))


def waiting_frames() -> Iterator[dict[str, Any]]:
    """Yield the variables of the coroutines in which the loop's tasks wait, outermost first."""
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        while (frame := getattr(coroutine, "cr_frame", None)) is not None:
            yield frame.f_locals
            coroutine = coroutine.cr_await
