"""The ASGI response that writes a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from ..access.limits import Refusal
from . import servers
from .fanout import FanOut
from .feed import Since, StreamConnection, body_message
from .handover import SCOPE_KEY, Handover
from .quota import Place

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
}


class StreamResponse(Response):
    """A `text/event-stream` response that follows a feed until its client leaves or the server ends.

    Args:
        fanout: what the connection joins.
        connection: the connection, not yet joined.
        opening: the first frame. It is sent at once, because some middleware holds back headers until then.
        since: what to send of the log first: channels, and the cursor to begin after.
        admit: called with the connection and the scope of the request before anything is sent. It returns the place
            that the stream takes, or raises a `Refusal`, which is sent instead.
        on_start: called with the connection when it has joined.
        on_end: called with the connection when the stream has ended, in every case.
    """

    def __init__(
        self,
        fanout: FanOut,
        connection: StreamConnection,
        *,
        opening: bytes,
        since: Iterable[Since] = (),
        admit: Callable[[StreamConnection, Any], Place],
        on_start: Callable[[StreamConnection], None],
        on_end: Callable[[StreamConnection], None],
    ) -> None:
        self.fanout, self.connection, self.opening, self.since = fanout, connection, opening, since
        self.admit, self.on_start, self.on_end = admit, on_start, on_end
        self.place: Place | None = None
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send headers and first frame; then hand over, or stream from here. Or send a refusal."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send(body_message(b"", more=False))
            return
        try:
            self.place = self.admit(self.connection, scope)
        except Refusal as refused:
            await refused.response(scope, receive, send)
            return
        await send(start)
        await send(body_message(self.opening))
        handover: Handover | None = scope.get(SCOPE_KEY)
        if handover is None or not await handover.take(self):
            await self.run(receive, send)

    async def run(self, receive: servers.Receive, send: servers.Send) -> None:
        """Follow the feed until the client is gone or the stream is ended, and then run the background task."""
        connection = self.connection
        connection.send_raw, connection.receive, connection.steppable = send, receive, servers.can_step(send)
        connection.task = task = asyncio.current_task()
        try:
            self.fanout.join(connection, self.since)
            # Thousands of streams last for hours: free what is no longer needed.
            self.since, self.opening, self.raw_headers = (), b"", []
            await self._follow(connection, receive)
        except asyncio.CancelledError:
            # The fan-out cancels the task of a connection that it has dropped. Any other cancellation goes on.
            if connection.task is not None or task is None or task.uncancel():
                raise
        finally:
            self.fanout.leave(connection)
            connection.task = None
            if self.place is not None:
                self.place.free()
        if self.background is not None:
            await self.background()

    async def _follow(self, connection: StreamConnection, receive: servers.Receive) -> None:
        try:
            self.on_start(connection)
            if self.place is not None:
                self.place.is_registered()
            await self.fanout.catch_up(connection)
            while connection.task is not None and (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.fanout.leave(connection)
            self.on_end(connection)
