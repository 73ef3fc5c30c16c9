"""`connect(url)`: publishing from a program beside the application, such as a cron job or the worker of a queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .backends import backend_of
from .backends.shared import SharedBackend
from .errors import SetupError
from .kit import Kit


@contextmanager
def connect(url: str) -> Iterator[Kit]:
    """Publish to the pages of an application from another program.

    The kit runs in a thread of its own, so that the program need not be async. At the end of the block, what was
    published before is stored. Await its calls, or call their `result()`, to learn of failures. In a program that is
    async, `async with BroadcastManager(backend=url)` needs no thread.

    Args:
        url: of the application's backend: `'sqlite:///live.db'` or `'redis://…'`.

    Yields:
        The kit, with its `publish` and its handles.

    Raises:
        SetupError: for a URL that means no backend which several processes share.
        BackendUnavailable: if the file or the server cannot be used.

    Example:
        `with connect('sqlite:////var/lib/app/live.db') as sse: sse.publish('todos', Li('milk'), target='list',
        swap='beforeend').result()`
    """
    backend = backend_of(url)
    if not isinstance(backend, SharedBackend):
        raise SetupError(
            f"no other process hears of what is published to {url!r}: connect to 'sqlite:///…' or 'redis://…'"
        )
    sse = Kit(backend=backend)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sse-components client", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sse.__aenter__(), loop).result()
        try:
            yield sse
        finally:
            asyncio.run_coroutine_threadsafe(sse.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
