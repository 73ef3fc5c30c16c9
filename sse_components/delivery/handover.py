"""The handover: how a stream leaves the application's middleware.

A stream goes through routing, session and all middleware once: status, headers and the first frame. If that frame
reaches the server unchanged, the application returns, and the outermost layer continues with the server's `send`. So no
middleware is held open while the stream lasts, and no message passes through it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from starlette.background import BackgroundTask

from . import servers

SCOPE_KEY = "sse_components.handover"

# Seconds in which middleware must pass the first frame on; else the stream stays inside the middleware.
PASS_ON_SECONDS = 1.0


class Stream(Protocol):
    """A response that can go on without the application that made it."""

    opening: bytes
    background: BackgroundTask | None

    async def run(self, receive: servers.Receive, send: servers.Send) -> None:
        """Stream until the client is gone or the stream is ended."""
        ...


class Handover:
    """Connects the outermost layer with a `StreamResponse` of the same request."""

    __slots__ = ("_first", "_passed_on", "_send", "stream")

    def __init__(self, send: servers.Send) -> None:
        self._send = send
        self._first: bytes | None = None
        self._passed_on: asyncio.Future[None] | None = None
        self.stream: Stream | None = None

    async def send(self, message: Any) -> None:
        """Pass a message on to the server, except the end of the body of a stream that was handed over."""
        if self.stream is not None:
            return
        await self._send(message)
        if self._first is None and message["type"] == "http.response.body":
            self._first = message.get("body", b"")
            if self._passed_on is not None:
                self._passed_on.set_result(None)

    async def take(self, stream: Stream) -> bool:
        """Take over a stream if its first frame reaches the server unchanged; tell whether.

        Middleware may pass a message on in another task, a little later than it receives it.
        """
        if self._first is None:
            self._passed_on = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._passed_on], timeout=PASS_ON_SECONDS)
        if self._first == stream.opening:
            self.stream = stream
        return self.stream is stream
