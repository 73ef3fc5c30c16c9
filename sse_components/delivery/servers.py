"""The only module that knows the ASGI servers: which can be stepped, how to cut a stream, and when one ends.

No server is patched. The kit reads objects that the server hands to the application, or that are in the frames of the
server's running tasks. It knows them by the modules of their classes, because other objects may have attributes of any
name; and what it reads is never a reason for an error.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from ..background import start_task

logger = logging.getLogger("sse_components")

# Seconds between two checks whether a server is about to stop.
EXIT_POLL = 0.1
# Servers whose `send` either writes before it returns or waits before it writes. granian reorders stepped messages.
STEPPABLE = ("uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.http.h11_impl")
# Calls that are looked at between the `send` that an application calls and the transport, and frames of a stack.
REACH, DEPTH = 32, 100

# Attributes under which middleware and servers keep what they call in turn.
OUTER = ("send", "_send", "receive", "_receive", "on_response")
# The error code of HTTP/2 for a stream that is no longer wanted.
CANCEL = 8

Send = Callable[[Any], Coroutine[Any, Any, None]]
Receive = Callable[[], Coroutine[Any, Any, Any]]
Check = Callable[[], bool]


def can_step(send: Send) -> bool:
    """Tell whether a `send` may be stepped outside of a task: it is the method of a server that is known for it."""
    return type(send) is MethodType and type(send.__self__).__module__ in STEPPABLE


# ---------------------------------------------------------------------- reading objects of others


def is_a(found: object, *names: str) -> bool:
    """Tell whether an object's class, or a base of it, has one of these full names. Nothing of the object is called."""
    return any(f"{known.__module__}.{known.__qualname__}" in names for known in type(found).__mro__)


def read(owner: object, name: str) -> Any:
    """Return an attribute; None if there is none. An object's own `__getattr__` is not asked."""
    try:
        return object.__getattribute__(owner, name)
    except Exception:
        return None


def behind(*calls: Any) -> Iterator[object]:
    """Yield the objects whose methods are called by a `send` or a `receive`, through middleware that wraps them."""
    waiting, seen = deque(calls), set[Any]()
    while waiting and len(seen) < REACH:
        call = waiting.popleft()
        if type(call) not in (MethodType, FunctionType, partial) or call in seen:
            continue
        seen.add(call)
        if type(call) is MethodType:
            yield call.__self__
        waiting.extend(called_by(call))


def called_by(call: Any) -> Iterable[Any]:
    """Return what a method, a function or a partial may call."""
    if type(call) is MethodType:
        return [read(call.__self__, name) for name in OUTER]
    if type(call) is FunctionType:
        found = []
        for cell in call.__closure__ or ():
            with suppress(ValueError):  # it is empty yet
                found.append(cell.cell_contents)
        return found
    return [call.func, *call.args, *call.keywords.values()] if type(call) is partial else []


def in_stack() -> Iterator[object]:
    """Yield the objects whose methods run, or are passed on as `send`, in the calls that led here."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(DEPTH):
        if frame is None:
            return
        yield frame.f_locals.get("self")
        yield from behind(*[frame.f_locals.get(name) for name in ("send", "receive", "func")])
        frame = frame.f_back


# ---------------------------------------------------------------------- cutting a stream


def abort(*calls: Send | Receive | None, at_end: bool = False) -> None:
    """Cut the stream behind a `send` or a `receive`, so that its buffer holds up nothing.

    Over HTTP/1.1, the connection is cut. Over HTTP/2, only this stream is reset.

    Args:
        calls: the stream's `send` and `receive`.
        at_end: whether the server has begun to stop. A connection that takes no bytes is then cut over HTTP/2, too:
            its server would wait for it.
    """
    stream = protocol = None
    for owner in behind(*calls):
        if is_a(owner, "hypercorn.protocol.http_stream.HTTPStream"):
            stream = owner
        elif is_a(owner, "hypercorn.protocol.h2.H2Protocol"):
            protocol = owner
        elif (transport := transport_of(owner)) is not None:
            if protocol is None or (at_end and transport.get_write_buffer_size()):
                transport.abort()
            else:
                start_task(reset_http2(protocol, read(stream, "stream_id")), "cutting a stream")
            return


def transport_of(owner: object) -> Any:
    """Return the transport of an object of uvicorn or hypercorn; None for any other."""
    if type(owner).__module__ in STEPPABLE:
        return read(owner, "transport")
    if is_a(owner, "hypercorn.asyncio.tcp_server.TCPServer"):
        return read(read(owner, "writer"), "transport")
    return None


async def reset_http2(protocol: Any, stream_id: int) -> None:
    """Reset one stream of an HTTP/2 connection of hypercorn, and let it forget what the stream still has to send."""
    try:
        protocol.connection.reset_stream(stream_id, CANCEL)
        await protocol._close_stream(stream_id)
        await protocol._window_updated(stream_id)
        await protocol._flush()
    except Exception:
        logger.debug("an HTTP/2 stream could not be reset", exc_info=True)


# ---------------------------------------------------------------------- the end of a server


class Server:
    """What runs the application, as far as it is known: a server of this event loop, or signals of this process.

    Args:
        check: tells whether it has begun to stop.
    """

    __slots__ = ("_check",)

    def __init__(self, check: Check) -> None:
        self._check = check

    @property
    def ends(self) -> bool:
        """Whether it has begun to stop."""
        try:
            return bool(self._check())
        except Exception:
            logger.debug("a server's state could not be read", exc_info=True)
            return False


class ExitWatch:
    """Calls back when a server that has streams has begun to stop, once for each server.

    The server of a stream is found by the stream's own `send`, so that the end of one leaves the streams of another.
    uvicorn (also with workers, `--reload`, gunicorn's worker, or in a thread), hypercorn and gunicorn's ASGI worker
    have state that shows it. With any other server in the main thread, `SIGTERM` and `SIGINT` do; the server's own
    handlers still run.

    Args:
        callback: called with the server, in the event loop.
    """

    def __init__(self, callback: Callable[[Server], None]) -> None:
        self._callback = callback
        self._watched: dict[int, tuple[object, Server]] = {}
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._signalled = False

    def server_of(self, *calls: Any) -> Server | None:
        """Return the server of the stream that has this `send` and `receive`, and watch it from now on.

        Args:
            calls: the stream's `send` and `receive`; by default, the calls that led here tell.

        Returns:
            The server; None if nothing is known that would show its end.
        """
        key = own_key(behind(*calls)) if calls else None
        if key is None:
            key = own_key(in_stack())
        if (known := self._watched.get(id(key))) is not None:
            return known[1]
        server = find_server(key) or self._by_signals()
        if server is not None:
            self._watched[id(key)] = key, server
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(EXIT_POLL, self._poll)
        return server

    def stop(self) -> None:
        """Stop watching, and restore the signal handlers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watched.clear()
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)
        self._handlers.clear()

    def _poll(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EXIT_POLL, self._poll)
        for name, (_, server) in list(self._watched.items()):
            if server.ends:
                # A later stream looks again: another server may run by then.
                del self._watched[name]
                self._callback(server)

    def _by_signals(self) -> Server | None:
        if threading.current_thread() is not threading.main_thread():
            return None
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            # Without a handler the process ends at once, or ignores the signal.
            if callable(handler) and number not in self._handlers:
                self._handlers[number] = handler
                signal.signal(number, self._on_signal)
        return Server(lambda: self._signalled)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        self._handlers[number](number, frame)


def own_key(owners: Iterable[object]) -> object | None:
    """Return what a stream's objects have in common with those of its server; None if they are unknown."""
    for owner in owners:
        if type(owner).__module__ in STEPPABLE:
            protocol = read(read(owner, "on_response"), "__self__") or owner
            if (state := read(protocol, "server_state")) is not None:
                return state  # type: ignore[no-any-return]
        elif is_a(owner, "hypercorn.protocol.http_stream.HTTPStream"):
            return read(owner, "context")  # type: ignore[no-any-return]
    return None


def find_server(key: object | None = None) -> Server | None:
    """Return the server of the running loop that has this key; without a key, all servers of the loop as one.

    Returns:
        The server; None if none is known.
    """
    found = {id(known): (known, check) for known, check in running_servers()}
    if key is not None:
        own = found.get(id(key))
        return None if own is None else Server(own[1])
    checks = [check for _, check in found.values()]
    return Server(lambda: any(check() for check in checks)) if checks else None


def running_servers() -> Iterator[tuple[object, Check]]:
    """Yield the servers of the running loop: what their streams know them by, and what tells whether they stop."""
    for variables in waiting_frames():
        server, context = variables.get("self"), variables.get("context")
        if is_a(server, "uvicorn.server.Server"):
            yield read(server, "server_state"), partial(uvicorn_ends, server)
        elif is_a(server, "gunicorn.workers.gasgi.ASGIWorker"):
            yield server, partial(gunicorn_ends, server)
        elif is_a(context, "hypercorn.asyncio.worker_context.WorkerContext"):
            yield context, context.terminated.is_set  # type: ignore[union-attr]


def uvicorn_ends(server: Any) -> bool:
    """Return whether a uvicorn `Server` has begun to stop: with `limit_max_requests` it only closes its sockets."""
    return server.should_exit or not all(listener.is_serving() for listener in getattr(server, "servers", ()))


def gunicorn_ends(worker: Any) -> bool:
    """Return whether gunicorn's ASGI worker has begun to stop, for a signal or after `--max-requests`."""
    return not worker.alive


def waiting_frames() -> Iterator[dict[str, Any]]:
    """Yield the variables of the coroutines in which the loop's tasks wait, outermost first."""
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        while (frame := getattr(coroutine, "cr_frame", None)) is not None:
            yield frame.f_locals
            coroutine = coroutine.cr_await


# ---------------------------------------------------------------------- streams without a manager


class LoopWatch:
    """One `ExitWatch` for all streams of an event loop that do not belong to a manager."""

    def __init__(self) -> None:
        self.streams: dict[object, tuple[Server | None, Callable[[], object]]] = {}
        self.watch = ExitWatch(self._call)

    def _call(self, ended: Server) -> None:
        for server, callback in tuple(self.streams.values()):
            if server is ended:
                callback()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWatch] = WeakKeyDictionary()


@contextmanager
def on_exit(callback: Callable[[], object]) -> Iterator[None]:
    """Call back once if the server of the present request begins to stop during the block, or has begun before."""
    loop, stream = asyncio.get_running_loop(), object()
    shared = _watches.setdefault(loop, LoopWatch())
    server = shared.watch.server_of()
    shared.streams[stream] = server, callback
    if server is not None and server.ends:
        callback()
    try:
        yield
    finally:
        del shared.streams[stream]
        if not shared.streams:
            shared.watch.stop()
            _watches.pop(loop, None)
