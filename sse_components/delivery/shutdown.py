"""The end of streams: of those whose server has begun to stop, and of all when the manager stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial

from ..background import start_task
from ..events.wire import encode
from ..protocol import SHUTDOWN_EVENT, SHUTDOWN_RETRY_MS
from . import servers
from .fanout import FanOut
from .feed import StreamConnection

# Seconds that a stream has to take its last frame; then it is cut.
GRACE = 0.75
# Clients that reconnect within one second; more clients are spread over more seconds.
RETURNS_PER_SECOND = 500


class Shutdown:
    """Ends streams with a last frame, which says when to come back.

    Args:
        fanout: has the streams.
    """

    def __init__(self, fanout: FanOut) -> None:
        self._fanout = fanout
        self._watch = servers.ExitWatch(self._end_streams_of)
        self._closing: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        """Whether all streams are ended, so that new ones are refused."""
        return self._closing is not None

    def watch(self, connection: StreamConnection) -> None:
        """Watch the server of a stream that opens. If it has begun to stop, end the stream."""
        connection.server = self._watch.server_of(connection.send_raw, connection.receive)
        if connection.server is not None and connection.server.ends:
            self._fanout.end(connection, self._frames()())

    def begin(self) -> asyncio.Task[None]:
        """End all streams."""
        if self._closing is None:
            work = self._fanout.close(self._frames(), grace=GRACE)
            self._closing = start_task(work, "the end of the streams")
        return self._closing

    def stop_watching(self) -> None:
        """Watch servers no longer."""
        self._watch.stop()

    def _end_streams_of(self, server: servers.Server) -> None:
        self._fanout.close_server(server, self._frames(), grace=GRACE)

    def _frames(self) -> Callable[[], bytes]:
        return partial(shutdown_frame, 1_000 * max(1, len(self._fanout) // RETURNS_PER_SECOND))


def shutdown_frame(spread: int) -> bytes:
    """Return the frame that makes a client reconnect at a random moment within `spread` milliseconds."""
    return encode("{}", event=SHUTDOWN_EVENT, retry=SHUTDOWN_RETRY_MS + random.randrange(spread))
