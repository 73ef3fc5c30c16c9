from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fasthtml.common import FastHTML
from starlette.requests import Request

from sse_components import BroadcastManager, setup_sse
from sse_components.delivery.registry import ConnectionRegistry
from sse_components.endpoints import connections

pytestmark = pytest.mark.anyio


def is_root(request: Request) -> bool:
    return request.headers.get("x-user") == "root"


async def is_root_after_all(request: Request) -> bool:
    await asyncio.sleep(0)
    return is_root(request)


class AsksTheDatabase:
    def __call__(self, request: Request) -> Awaitable[bool]:
        return is_root_after_all(request)


@asynccontextmanager
async def serve_app(**options: Any) -> AsyncIterator[tuple[BroadcastManager, httpx.AsyncClient]]:
    """Yield the manager of an app with the kit, and a client. The app runs in this event loop."""
    app = FastHTML(secret_key="tests")
    manager = setup_sse(app, **options)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    async with app.state.sse, app.router.lifespan_context(app), client:
        yield manager, client


async def test_everyone_gets_the_counts() -> None:
    async with serve_app() as (manager, client):
        await manager.registry.add_connection("one", "job")
        await manager.registry.add_connection("two", metadata={"user": "ann"})
        await manager.send_to("two", "greeting", {})
        response = await client.get("/sse/connections", headers={"x-user": "root"})
        assert response.json() == {
            "total": 2,
            "active": 2,
            "by_type": {"job": 1, "global": 1},
            "by_state": {"connected": 2},
            "message_count": 1,
            "waiting_bytes": 0,
        }
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert (await client.get("/sse/status")).json() == {"connections": 2, "history_size": 0}


@pytest.mark.parametrize("authorize_admin", [is_root, is_root_after_all, AsksTheDatabase()])
async def test_authorize_admin_decides_who_gets_the_details(authorize_admin: Callable[[Request], Any]) -> None:
    async with serve_app(authorize_admin=authorize_admin) as (manager, client):
        began = datetime.now(UTC)
        await manager.registry.add_connection("one", "job", metadata={"user": "ann", "since": began})
        assert "connections" not in (await client.get("/sse/connections")).json()
        (details,) = (await client.get("/sse/connections", headers={"x-user": "root"})).json()["connections"]
        for name in ("created_at", "last_activity"):
            assert began <= datetime.fromisoformat(details.pop(name)) <= datetime.now(UTC)
        assert details == {
            "id": "one",
            "type": "job",
            "state": "connected",
            "metadata": {"user": "ann", "since": str(began)},
            "message_count": 0,
            "waiting_bytes": 0,
        }


async def test_the_route_is_below_the_prefix() -> None:
    async with serve_app(prefix="/live") as (_, client):
        assert (await client.get("/live/connections")).json()["total"] == 0
        assert (await client.get("/sse/connections")).status_code == 404


async def test_only_get_is_allowed() -> None:
    async with serve_app() as (_, client):
        assert (await client.post("/sse/connections")).status_code == 405


@pytest.mark.parametrize("path", ["/sse/connections", "/sse/status"])
async def test_connections_are_counted_in_a_fiftieth_of_the_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0
    monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: passed, thread_time=lambda: passed))

    class SlowRegistry(ConnectionRegistry):
        counted = 0

        def get_connections(self, conn_type: str | None = None) -> list[Any]:
            nonlocal passed
            passed += 1.0
            self.counted += 1
            return super().get_connections(conn_type)

    async with serve_app() as (manager, client):
        registry = SlowRegistry()
        monkeypatch.setattr(manager.registry, "get_connections", registry.get_connections)
        for _ in range(90):
            await client.get(path)
            passed += 1.0
        assert registry.counted == 2
