"""The route that shows the server's connections: numbers for everybody, each connection for administrators."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ..callbacks import call
from ..delivery.connection import describe
from ..manager import BroadcastManager
from .authorization import NO_STORE

# How many times as long as it took to compute something, it is not computed again.
SHARE = 49
T = TypeVar("T")
AuthorizeAdmin = Callable[[Request], bool | Awaitable[bool]]


class Recent(Generic[T]):
    """Figures that everybody may ask for, and that look at all connections: they take a fiftieth of the time.

    Args:
        compute: returns them as they are now.
    """

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._figures: T | None = None
        self._again_at = 0.0

    def __call__(self) -> T:
        """Return the figures of now, or of a moment ago."""
        if self._figures is None or time.monotonic() >= self._again_at:
            begin = time.thread_time()  # what else the processor does meanwhile makes no figures old
            self._figures = self._compute()
            self._again_at = time.monotonic() + SHARE * (time.thread_time() - begin)
        return self._figures


class ConnectionsEndpoint:
    """Answers requests for the server's connections.

    Args:
        manager: has the connections.
        authorize_admin: tells, sync or async, whether a request may see each connection.
    """

    def __init__(self, manager: BroadcastManager, authorize_admin: AuthorizeAdmin | None) -> None:
        self._manager, self._authorize_admin = manager, authorize_admin
        self._recent_stats = Recent(manager.registry.get_stats)

    async def __call__(self, request: Request) -> Response:
        """Answer with the statistics, and for administrators with each connection."""
        if await self._is_admin(request):
            registry = self._manager.registry
            stats = registry.get_stats()
            stats["connections"] = [describe(connection) for connection in registry.get_connections()]
        else:
            stats = self._recent_stats()
        # What an application remembers with a connection need not be JSON.
        return Response(json.dumps(stats, default=str), media_type="application/json", headers=NO_STORE)

    async def _is_admin(self, request: Request) -> bool:
        return self._authorize_admin is not None and bool(await call(self._authorize_admin, request))
