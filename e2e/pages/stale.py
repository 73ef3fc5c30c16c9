"""A page with a short log and a connection status. The test sets how its address answers when it is fetched again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fasthtml.common import H1, JSONResponse, Main, P, Request, Response, StreamingResponse, Title

from e2e.pages import page_app
from sse_components import SSE, ConnectionStatus, setup_sse
from sse_components.backends import MemoryBackend
from sse_components.events.log import EventLog

LOG_LENGTH = 3
CHUNK = b"x" * 100_000
CHUNKS = 1_000
# Answers each page with what it has fetched first.
WORKER = """
    addEventListener("activate", (event) => event.waitUntil(clients.claim()));
    const answer = async (request) => {
      const pages = await caches.open("pages");
      const kept = await pages.match(request.url);
      if (kept) return kept;
      const page = await fetch(request.url);
      await pages.put(request.url, page.clone());
      return page;
    };
    addEventListener("fetch", (event) => {
      if (new URL(event.request.url).pathname.startsWith("/room")) event.respondWith(answer(event.request));
    });
"""


@dataclass
class Room:
    """How the page's address answers: a status, with a header or with more than a page may have."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_large: bool = False
    sent: int = 0  # chunks of large answers
    asked: list[str] = field(default_factory=list)  # what else was asked for

    async def chunks(self, request: Request) -> AsyncIterator[bytes]:
        while self.sent < CHUNKS and not await request.is_disconnected():
            self.sent += 1
            yield CHUNK


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"})
    sse = setup_sse(app, backend=MemoryBackend(EventLog(max_events=LOG_LENGTH)))
    rooms: dict[str, Room] = {}

    @rt("/worker", methods=["GET"])
    def worker() -> Any:
        return Response(WORKER, media_type="text/javascript")

    @rt("/{room}", methods=["GET", "POST"])
    def page(room: str, request: Request) -> Any:
        now = rooms.setdefault(room, Room())
        if now.is_large:
            return StreamingResponse(now.chunks(request), media_type="text/html")
        if now.headers or now.status != 200:
            return Response("<p>no page</p>", now.status, {"Content-Type": "text/html", **now.headers})
        status = ConnectionStatus(id="status", reasons={"signed-out": "Sign in again"})
        return Title("Stale"), Main(H1("Stale"), status, SSE(channels=room, swap="none", id="live"))

    @rt("/{room}/elsewhere", methods=["GET"])
    def elsewhere(room: str, request: Request) -> Any:
        rooms[room].asked.append(str(request.url))
        return P("elsewhere")

    @rt("/{room}/answer", methods=["POST"])
    def answer(room: str, status: int = 200, name: str = "", value: str = "", large: bool = False) -> None:
        now = rooms[room]
        now.status, now.headers, now.is_large = status, {name: value} if name else {}, large

    @rt("/{room}/miss", methods=["POST"])
    async def miss(room: str) -> None:
        for _ in range(LOG_LENGTH + 1):
            await sse.publish(room, "x", event="missed")

    @rt("/{room}/count", methods=["GET"])
    def count(room: str) -> Any:
        return JSONResponse({"sent": rooms[room].sent, "asked": rooms[room].asked})

    return app
