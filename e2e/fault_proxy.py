"""A network that fails in the ways that networks do: a TCP proxy in a thread of its own."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from itertools import count
from typing import Any

from tests.support.patience import patient

CHUNK = 16 * 1024
# Bytes that a throttled connection gets at once.
SLICE = 200
# Closing with this sends a reset instead of an orderly end.
LINGER_NOT = struct.pack("ii", 1, 0)
# Seconds between CR and LF, so that a browser reads them apart.
APART = 0.002
# Seconds after which a proxy that does not answer is broken.
PATIENCE = patient(20)


class FaultProxy:
    """Passes connections on to a local port, until it is told not to; `restore` ends every fault.

    Args:
        port: of the server.
        crlf: whether event streams get CRLF line ends, each time one of them cut in two.

    Attributes:
        brought: bytes that clients have been sent.
    """

    def __init__(self, port: int, *, crlf: bool = False) -> None:
        self.port, self.read = port, with_crlf if crlf else as_it_is
        self.refuses, self.bytes_per_second, self.brought = False, 0, 0
        self.passable = asyncio.Event()
        self._links: dict[Link, asyncio.Task[None] | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._thread.start()
        self._listener: asyncio.Server = self._run(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        self.restore()

    def reset(self) -> None:
        """Reset every connection; new ones work."""
        self._run(self._each(Link.reset))

    def cut(self) -> None:
        """Reset every connection, and those that are tried."""
        self.refuses = True
        self.reset()

    def half_open(self) -> None:
        """Lose every connection without telling the client; new ones work."""
        self._run(self._each(Link.lose))

    def black_hole(self) -> None:
        """Lose every connection without telling either side; new ones get an answer when the fault has ended."""
        self._run(self._each(Link.swallow))
        self._loop.call_soon_threadsafe(self.passable.clear)

    def throttle(self, bytes_per_second: int) -> None:
        """Let no connection have more from the server than this."""
        self.bytes_per_second = bytes_per_second

    def restore(self) -> None:
        """End the fault. What was lost stays lost."""
        self.refuses, self.bytes_per_second = False, 0
        self._loop.call_soon_threadsafe(self.passable.set)

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _each(self, fault: Any) -> None:
        for link in list(self._links):
            fault(link)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        link = Link(self, reader, writer)
        self._links[link] = asyncio.current_task()
        try:
            await link.run()
        finally:
            link.close()
            del self._links[link]

    async def _end(self) -> None:
        self._listener.close()
        self.refuses = True
        self.passable.set()
        ends = [task for task in self._links.values() if task]
        await self._each(Link.reset)
        await asyncio.gather(*ends)


class Link:
    """One connection: the client's end and, once it is there, the server's."""

    def __init__(self, proxy: FaultProxy, reader: StreamReader, writer: StreamWriter) -> None:
        self.proxy, self.reader, self.client = proxy, reader, writer
        self.server: StreamWriter | None = None
        self.silent = False

    async def run(self) -> None:
        if not self.proxy.refuses:
            await self.proxy.passable.wait()
        if self.proxy.refuses:
            self.reset()
            return
        with suppress(ConnectionError):
            reader, self.server = await asyncio.open_connection("127.0.0.1", self.proxy.port)
            up = asyncio.create_task(self._pass(as_it_is(self.reader), self.server))
            down = asyncio.create_task(self._pass(self._slowed(self.proxy.read(reader)), self.client))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
                if self.silent:
                    await up
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)

    async def _slowed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.proxy.brought += len(chunk)
            while chunk and (rate := self.proxy.bytes_per_second):
                await asyncio.sleep(SLICE / rate)
                yield chunk[:SLICE]
                chunk = chunk[SLICE:]
            if chunk:
                yield chunk

    async def _pass(self, chunks: AsyncIterator[bytes], writer: StreamWriter) -> None:
        with suppress(ConnectionError):
            async for chunk in chunks:
                if not self.silent:
                    writer.write(chunk)
                    await writer.drain()

    def swallow(self) -> None:
        self.silent = True

    def lose(self) -> None:
        self.silent = True
        if self.server:
            abort(self.server)

    def reset(self) -> None:
        for writer in self._writers():
            abort(writer)

    def close(self) -> None:
        for writer in self._writers():
            writer.close()

    def _writers(self) -> list[StreamWriter]:
        return [writer for writer in (self.client, self.server) if writer]


def abort(writer: StreamWriter) -> None:
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        writer.transport.abort()


async def as_it_is(reader: StreamReader) -> AsyncIterator[bytes]:
    while chunk := await reader.read(CHUNK):
        yield chunk


async def with_crlf(reader: StreamReader) -> AsyncIterator[bytes]:
    """Yield what an HTTP/1.1 server sends, with the line ends of event streams made CRLF."""
    numbers = count()
    with suppress(IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            yield head
            if found := re.search(rb"content-length: *(\d+)", head, re.IGNORECASE):
                yield await reader.readexactly(int(found[1]))
            elif re.search(rb"content-type: *text/event-stream", head, re.IGNORECASE):
                async for chunk in chunks_of(reader):
                    for piece in cut(chunk.replace(b"\n", b"\r\n"), next(numbers)):
                        yield b"%x\r\n%b\r\n" % (len(piece), piece)
                        await asyncio.sleep(APART)


async def chunks_of(reader: StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)


def cut(text: bytes, number: int) -> list[bytes]:
    """Return `text` in two, cut between the CR and the LF of one of its line ends: the next one for each number."""
    ends = [found.end() for found in re.finditer(b"\r", text)]
    place = ends[number % len(ends)] if ends else len(text)
    return [piece for piece in (text[:place], text[place:]) if piece]
