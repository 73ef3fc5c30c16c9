"""An application served by uvicorn in the event loop of the test, so that the test can call its manager."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.support.serving import HOST, Site, until


class Running(Site):
    """A site, and the server that serves it in this event loop."""

    def __init__(self, port: int, server: uvicorn.Server) -> None:
        super().__init__(port)
        self.server = server

    def stop(self) -> None:
        """Have the server begin to stop, as a signal does."""
        self.server.should_exit = True


@asynccontextmanager
async def running(app: Any, **config: Any) -> AsyncIterator[Running]:
    """Serve an application with uvicorn until the block ends.

    Args:
        app: any ASGI application.
        config: options of `uvicorn.Config`.
    """
    listener = socket.create_server((HOST, 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", **config))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    site = Running(listener.getsockname()[1], server)
    try:
        await until(lambda: server.started)
        yield site
    finally:
        await site.close()
        server.should_exit = True
        await serving
