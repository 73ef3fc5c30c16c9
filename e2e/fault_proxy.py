"""A TCP proxy that simulates network faults. It runs in a thread."""

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
# Bytes of each write on a throttled connection.
SLICE = 200
# Value of `SO_LINGER` with which closing a socket sends a reset.
NO_LINGER = struct.pack("ii", 1, 0)
# Seconds between CR and LF, so that a browser reads them separately.
APART = 0.002
# Seconds between two looks at what has not ended.
SOON = 0.01
# Seconds to wait for the proxy's thread.
PATIENCE = patient(20)


class FaultProxy:
    """Forwards connections to a local port, and simulates faults. `restore` ends all faults.

    Args:
        port: port of the server.
        crlf: whether to rewrite the line ends of event streams to CRLF, and to split a CRLF in each chunk.

    Attributes:
        sent: how many bytes have been sent to clients.
        tap: takes all bytes that come from the server; None to keep none.
    """

    def __init__(self, port: int, *, crlf: bool = False) -> None:
        self.port, self.read = port, with_crlf if crlf else read_chunks
        self.refuses, self.bytes_per_second, self.sent = False, 0, 0
        self.tap: bytearray | None = None
        self.passable = asyncio.Event()
        self._links: dict[Link, asyncio.Task[None] | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self._listener: asyncio.Server = self._run(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        self.restore()

    def reset(self) -> None:
        """Reset all connections; new ones work."""
        self._run(self._each(Link.reset))

    def cut(self) -> None:
        """Reset all connections, and new ones too."""
        self.refuses = True
        self.reset()

    def half_open(self) -> None:
        """Reset the server's side of all connections, and leave the client's side open; new ones work."""
        self._run(self._each(Link.lose))

    def black_hole(self) -> None:
        """Drop all data in both directions; new connections wait until the fault ends."""
        self._run(self._each(Link.swallow))
        self._loop.call_soon_threadsafe(self.passable.clear)

    def throttle(self, bytes_per_second: int) -> None:
        """Limit the rate from the server to each connection."""
        self.bytes_per_second = bytes_per_second

    def restore(self) -> None:
        """End all faults. Lost connections stay lost."""
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
        # What was accepted a moment ago needs an open server, and is no link yet.
        self._loop.remove_reader(self._listener.sockets[0].fileno())
        self.refuses = True
        self.passable.set()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await self._each(Link.reset)
            await asyncio.wait(others, timeout=SOON)
        self._listener.close()
        await asyncio.sleep(SOON)  # transports close their sockets in a later turn of the loop


class Link:
    """A connection: the client's socket, and the server's when it is open."""

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
            up = asyncio.create_task(self._pass(read_chunks(self.reader), self.server))
            down = asyncio.create_task(self._pass(self._throttle(self.proxy.read(reader)), self.client))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
                if self.silent:
                    await up
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)

    async def _throttle(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.proxy.sent += len(chunk)
            if self.proxy.tap is not None:
                self.proxy.tap += chunk
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
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        writer.transport.abort()


async def read_chunks(reader: StreamReader) -> AsyncIterator[bytes]:
    while chunk := await reader.read(CHUNK):
        yield chunk


async def with_crlf(reader: StreamReader) -> AsyncIterator[bytes]:
    """Yield the bytes of an HTTP/1.1 server, with CRLF line ends in event streams."""
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
    """Split `text` between the CR and the LF of a line end. `number` selects the line end."""
    ends = [found.end() for found in re.finditer(b"\r", text)]
    place = ends[number % len(ends)] if ends else len(text)
    return [piece for piece in (text[:place], text[place:]) if piece]
