"""The ASGI response that writes a connection's frames, and the handover that frees it of middleware.

A stream goes through routing, session and every middleware once: status, headers and the first frame. Then, if that frame
reached the server unchanged, the application returns, and the outermost layer goes on with the server's own `send`: no
middleware is held open for the life of the stream, and none is passed for each message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from . import servers
from .fanout import FanOut, Since, StreamConnection

Receive = Callable[[], Any]
SCOPE_KEY = "sse_components.handover"

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
}


class Handover:
    """What the outermost layer and a `StreamResponse` in the same request tell each other."""

    __slots__ = ("_last", "_plain", "_send", "stream")

    def __init__(self, send: servers.Send) -> None:
        self._send = send
        self._plain = False
        self._last: Any = None
        self.stream: StreamResponse | None = None

    async def send(self, message: Any) -> None:
        """Pass a message on to the server, but for the end of a body whose stream has been handed over."""
        if self.stream is not None:
            return
        if message["type"] == "http.response.start":
            self._plain = not any(name.lower() == b"content-encoding" for name, _ in message.get("headers", ()))
        self._last = message.get("body")
        await self._send(message)

    def take(self, stream: StreamResponse) -> bool:
        """Take a stream over if its first frame has reached the server as it was, and say whether."""
        if self._plain and self._last == stream.opening:
            self.stream = stream
        return self.stream is stream


class StreamResponse(Response):
    """A `text/event-stream` response that follows a feed until its client leaves or the server ends.

    Args:
        fanout: what the connection joins.
        connection: the connection, not yet joined.
        opening: the first frame; it is sent at once, which defeats what would hold back headers.
        since: what of the log to send before what is live: channels, and the cursor to begin after.
        on_end: called with the connection when the stream has ended, however it ended.
    """

    def __init__(
        self,
        fanout: FanOut,
        connection: StreamConnection,
        *,
        opening: bytes,
        since: Iterable[Since] = (),
        on_start: Callable[[StreamConnection], None],
        on_end: Callable[[StreamConnection], None],
    ) -> None:
        self.fanout, self.connection, self.opening, self.since = fanout, connection, opening, since
        self.on_start, self.on_end = on_start, on_end
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        """Send headers and first frame; then hand over, or stream from here."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.body", "body": self.opening, "more_body": True})
        handover: Handover | None = scope.get(SCOPE_KEY)
        if handover is None or not handover.take(self):
            await self.run(receive, send)

    async def run(self, receive: Receive, send: servers.Send) -> None:
        """Follow the feed until the client is gone or the stream is ended."""
        connection = self.connection
        connection.send_raw, connection.steppable = send, servers.can_step(send)
        connection.task = asyncio.current_task()
        self.fanout.join(connection, self.since)
        self.on_start(connection)
        try:
            await self.fanout.catch_up(connection)
            await disconnected(receive)
        except asyncio.CancelledError:
            if not ended(connection):
                raise
            connection.task.uncancel()  # type: ignore[union-attr]  # it runs this
        finally:
            self.fanout.leave(connection)
            self.on_end(connection)


def ended(connection: StreamConnection) -> bool:
    """Tell whether the kit itself has ended this stream, so that its task may return as if the client had left."""
    return connection.connection_id not in connection.feed.connections


async def disconnected(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
