"""The route that shows the server's connections: numbers for everybody, each connection for administrators."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..callbacks import call
from ..delivery.connection import describe
from ..manager import BroadcastManager
from .authorization import NO_STORE

SHARE = 49
AuthorizeAdmin = Callable[[Request], bool | Awaitable[bool]]


class ConnectionsEndpoint:
    """Answers requests for the server's connections.

    Args:
        manager: has the connections.
        authorize_admin: tells, sync or async, whether a request may see each connection.
    """

    def __init__(self, manager: BroadcastManager, authorize_admin: AuthorizeAdmin | None) -> None:
        self._manager, self._authorize_admin = manager, authorize_admin
        self._stats: dict[str, Any] = {}
        self._count_again = 0.0

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

    def _recent_stats(self) -> dict[str, Any]:
        """Count all connections, in a fiftieth of the time: everybody may ask, and a count looks at all of them."""
        if (begin := time.monotonic()) >= self._count_again:
            self._stats = self._manager.registry.get_stats()
            self._count_again = time.monotonic() + SHARE * (time.monotonic() - begin)
        return self._stats

    async def _is_admin(self, request: Request) -> bool:
        return self._authorize_admin is not None and bool(await call(self._authorize_admin, request))
