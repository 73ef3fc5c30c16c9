"""The stores of shared backends, each empty, and processes that publish to them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sse_components import Backend, EventLog, SqliteBackend
from sse_components.backends import backend_of
from sse_components.backends.shared import SharedBackend
from sse_components.events.log import Event
from tests.support.serving import ROOT

# Returns a closed backend, which keeps this many events per channel, and shares the store with the others that it made.
MakeOne = Callable[[int], SharedBackend]
Store = Callable[[], AbstractAsyncContextManager[MakeOne]]


@asynccontextmanager
async def sqlite() -> AsyncIterator[MakeOne]:
    with TemporaryDirectory() as folder:
        yield lambda max_events: SqliteBackend(Path(folder) / "live.db", EventLog(max_events=max_events))


STORES: dict[str, Store] = {"sqlite": sqlite}


async def append(backend: Backend, channel: str, data: str, **options: Any) -> Event:
    """Append an event, and return it when the backend has stored it."""
    appended = backend.append(channel, data, **options)
    return appended if isinstance(appended, Event) else await asyncio.wrap_future(appended)


@asynccontextmanager
async def opened(backends: Iterable[SharedBackend]) -> AsyncIterator[list[list[Event]]]:
    """Open backends, and yield for each the list of events that its listener receives."""
    backends = list(backends)
    heard: list[list[Event]] = [[] for _ in backends]
    for backend, events in zip(backends, heard, strict=True):
        await backend.open(events.append)
    try:
        yield heard
    finally:
        for backend, events in zip(backends, heard, strict=True):
            await backend.close(events.append)


class Publisher:
    """A process that appends numbers, such as `one-17`, until it is killed.

    Attributes:
        process: the process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._output = b""

    @classmethod
    async def start(cls, url: str, name: str) -> Publisher:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.stores", url, name),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        publisher = cls(process)
        await publisher.confirm(1)
        return publisher

    async def confirm(self, count: int) -> None:
        """Wait until the process knows the ids of `count` more events."""
        assert self.process.stdout is not None
        for _ in range(count):
            line = await self.process.stdout.readline()
            assert line, "the process has ended"
            self._output += line

    async def kill(self) -> None:
        """Kill it with SIGKILL, whatever it does at that moment."""
        assert self.process.stdout is not None
        self.process.kill()
        self._output += await self.process.stdout.read()
        await self.process.wait()

    @property
    def confirmed(self) -> dict[str, str]:
        """The texts of the events whose ids the process knew, by their ids."""
        lines = self._output.decode().splitlines(keepends=True)
        return dict(line.split() for line in lines if line.endswith("\n"))


async def publish_numbers(url: str, name: str) -> None:
    backend = backend_of(url)
    await backend.open(lambda event: None)
    number = 0
    while True:
        texts = [f"{name}-{number + index}" for index in range(number % 7 + 1)]
        events = await asyncio.gather(*[append(backend, "numbers", text) for text in texts])
        sys.stdout.write("".join(f"{event.id} {text}\n" for event, text in zip(events, texts, strict=True)))
        sys.stdout.flush()
        number += len(texts)
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(publish_numbers(*sys.argv[1:]))
