"""A client of HTTP/2: one connection with many streams, each of which can be read, left unread or given up alone."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset

from tests.support.patience import patient
from tests.support.serving import HOST, Stream

# Bytes that the server may send on all streams together, so that a stream that is not read holds up no other.
WINDOW = 2**24


class Http2Client:
    """One connection. The client acknowledges what it receives, so that the server goes on; but not on unread streams.

    Attributes:
        unread: the numbers of streams that are not read.
        ended: the numbers of streams that the server has ended or reset.
        is_closed: whether the server has closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, scheme: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = {":authority": authority, ":scheme": scheme}
        self._http = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()
        self._http.increment_flow_control_window(WINDOW)
        self._bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.unread: set[int] = set()
        self.ended: set[int] = set()
        self.is_closed = False

    @classmethod
    @asynccontextmanager
    async def at(cls, port: int, *, tls: ssl.SSLContext | None = None, name: str = "") -> AsyncIterator[Self]:
        """Connect; without TLS, the server must expect HTTP/2.

        Args:
            port: port on the local host.
            tls: for a connection with TLS.
            name: the site's name, where it is not that of the host.
        """
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(HOST, port, ssl=tls, server_hostname=name if tls else None)
        try:
            yield cls(reader, writer, name or f"{HOST}:{port}", "https" if tls is not None else "http")
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def pause(self) -> None:
        """Receive no more bytes, like a client whose network has gone."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def get(self, path: str, *, read: bool = True, window: int = 0) -> int:
        """Send a request, and return the number of its stream.

        Args:
            path: of the request.
            read: whether the response is read.
            window: more bytes that the server may send before the client has acknowledged any.
        """
        number = self._http.get_next_available_stream_id()
        if not read:
            self.unread.add(number)
        self._http.send_headers(number, {":method": "GET", ":path": path, **self._head}.items(), end_stream=True)
        if window:
            self._http.increment_flow_control_window(window, number)
        self._flush()
        return number

    def give_up(self, number: int) -> None:
        self._http.reset_stream(number, ErrorCodes.CANCEL)
        self._flush()

    def text(self, number: int) -> str:
        return self._bodies[number].decode()

    async def until_arrived(self, text: str, numbers: Iterable[int]) -> None:
        """Read until a text has arrived on each of the streams."""
        await self.until(lambda: all(text in self.text(number) for number in numbers))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read until a condition is true.

        Raises:
            ConnectionError: if the connection ends before.
        """
        async with asyncio.timeout(patient(15)):
            while not condition():
                if self.is_closed:
                    raise ConnectionError("the server has closed the connection")
                await self.read()

    async def read(self) -> None:
        """Receive the next bytes."""
        data = await self._reader.read(2**16)
        self.is_closed = not data
        for event in self._http.receive_data(data):
            if isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
                if event.stream_id not in self.unread and event.flow_controlled_length:
                    self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamReset | StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self.is_closed = True
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._http.data_to_send())


class Http2Stream(Stream):
    """One stream of a connection, read like a response over HTTP/1.1."""

    def __init__(self, client: Http2Client, number: int) -> None:
        self._client, self._number = client, number
        self.body, self.ended = bytearray(), False

    async def read(self) -> None:
        """Receive the next bytes of the connection."""
        await self._client.read()
        self.body[:] = self._client.text(self._number).encode()
        self.ended = self._number in self._client.ended
        if self._client.is_closed and not self.ended:
            raise ConnectionError("the connection ended before the body did")
