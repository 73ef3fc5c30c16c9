"""The stores of shared backends, each empty, and processes that publish to them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from sse_components import Backend, EventLog, RedisBackend, SqliteBackend
from sse_components.backends import backend_of
from sse_components.backends.shared import SharedBackend
from sse_components.events.log import Event
from tests.support.serving import HOST, ROOT, free_port, until

# Returns a closed backend, which keeps this many events per channel, and shares the store with the others that it made.
MakeOne = Callable[[int], SharedBackend]
Store = Callable[[], AbstractAsyncContextManager[MakeOne]]


@asynccontextmanager
async def sqlite() -> AsyncIterator[MakeOne]:
    with TemporaryDirectory() as folder:
        yield lambda max_events: SqliteBackend(Path(folder) / "live.db", EventLog(max_events=max_events))


class RedisServer:
    """A Redis server on a free port, without data.

    Args:
        folder: where it may save its data.

    Attributes:
        url: of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://{HOST}:{self._port}/0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, with the data that it has saved."""
        options = {"port": self._port, "bind": HOST, "dir": self._folder, "appendonly": "yes", "save": "''"}
        self._process = await asyncio.create_subprocess_exec(
            "redis-server",
            *[part for name, value in options.items() for part in (f"--{name}", str(value))],
            stdout=asyncio.subprocess.DEVNULL,
        )
        await until(self.answers)

    async def answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        return answer == b"+PONG\r\n"

    async def kill(self, *, forget: bool = False) -> None:
        """Kill it with SIGKILL.

        Args:
            forget: whether its data are lost.
        """
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        if forget:
            shutil.rmtree(self._folder / "appendonlydir")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()


@asynccontextmanager
async def redis() -> AsyncIterator[MakeOne]:
    with TemporaryDirectory() as folder:
        async with RedisServer(Path(folder)) as server:
            yield lambda max_events: RedisBackend(server.url, EventLog(max_events=max_events))


STORES: dict[str, Store] = {"sqlite": sqlite, "redis": redis}


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
