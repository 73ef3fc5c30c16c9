"""How a stream leaves the application's middleware."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from starlette.background import BackgroundTask

from ..delivery import servers

SCOPE_KEY = "sse_components.handover"

# Seconds that middleware has to pass the first frame on; then the stream is held inside of it.
PASS_ON_SECONDS = 1.0


class Stream(Protocol):
    """A response that can go on without the application that made it."""

    opening: bytes
    background: BackgroundTask | None

    async def run(self, receive: servers.Receive, send: servers.Send) -> None:
        """Stream until the client is gone or the stream is ended."""
        ...


class Handover:
    """What the outermost layer and a `Stream` in the same request tell each other."""

    __slots__ = ("_first", "_passed_on", "_send", "stream")

    def __init__(self, send: servers.Send) -> None:
        self._send = send
        self._first: bytes | None = None
        self._passed_on: asyncio.Future[None] | None = None
        self.stream: Stream | None = None

    async def send(self, message: Any) -> None:
        """Pass a message on to the server, but for the end of a body whose stream has been handed over."""
        if self.stream is not None:
            return
        await self._send(message)
        if self._first is None and message["type"] == "http.response.body":
            self._first = message.get("body", b"")
            if self._passed_on is not None:
                self._passed_on.set_result(None)

    async def take(self, stream: Stream) -> bool:
        """Take a stream over if its first frame reaches the server as it was, and say whether.

        Middleware may pass messages on in a task of its own, a little later than it takes them.
        """
        if self._first is None:
            self._passed_on = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._passed_on], timeout=PASS_ON_SECONDS)
        if self._first == stream.opening:
            self.stream = stream
        return self.stream is stream
