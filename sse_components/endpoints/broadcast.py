"""The broadcast routes of the first API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..access.limits import Refusal, refusal
from ..access.subscriber import Subscriber
from ..checks import check_positive
from ..delivery.feed import Render
from ..delivery.response import StreamResponse
from ..events.log import Event
from ..events.message import BroadcastMessage
from ..events.wire import encode
from ..html import assets
from ..html.oob import render
from ..manager import BroadcastManager, ElementBuilder
from ..protocol import BROADCAST_PATH, PREFIX, STATUS_PATH


def render_json(event: Event) -> bytes:
    """Render a broadcast as cjm-fasthtml-sse does: a plain message with JSON."""
    return encode(event.message or "", id=event.id or None)


def renderer(builder: ElementBuilder | None) -> Render:
    """Return the function that renders a broadcast with an element builder. A broadcast is left out if that is None."""
    if builder is None:
        return render_json

    def render_event(event: Event) -> bytes:
        message = BroadcastMessage.from_json(event.message or "")
        elements = builder(message.type, message.data)
        return b"" if elements is None else encode(render(elements), id=event.id or None)

    return render_event


async def create_broadcast_endpoint(
    manager: BroadcastManager,
    connection_id: str | None = None,
    heartbeat_interval: float = 30.0,
    send_history: bool = False,
    history_limit: int = 10,
) -> StreamResponse:
    """Create an SSE endpoint for broadcasting: the response that streams them to one client.

    Args:
        manager: the broadcast manager.
        connection_id: optional connection ID; if it is taken, the connection gets another one.
        heartbeat_interval: seconds of silence before a heartbeat.
        send_history: whether to send recent history on connection, as `history` events.
        history_limit: how many of the latest messages.

    Source: cjm-fasthtml-sse, `broadcast`.
    """
    check_positive(heartbeat_interval=heartbeat_interval)
    past = manager.get_history(history_limit) if send_history else []
    return await manager.stream(
        connection_id=connection_id,
        heartbeat=heartbeat_interval,
        render=render_json,
        history="".join(message.to_sse("history") for message in past).encode(),
    )


def create_broadcast_handler(
    manager: BroadcastManager, element_builder: ElementBuilder | None = None
) -> Callable[..., Any]:
    """Create a broadcast handler function that can be used with FastHTML routes.

    Args:
        manager: the broadcast manager.
        element_builder: turns type and data of a message into the elements to send; None leaves a message out.

    Source: cjm-fasthtml-sse, `broadcast`.
    """
    render_event = renderer(element_builder)

    async def handler(connection_id: str | None = None) -> StreamResponse:
        return await manager.stream(metadata=requested(connection_id), render=render_event)

    return handler


def requested(connection_id: str | None) -> dict[str, Any]:
    """Return the metadata of a connection whose client has sent an id, which is not the id that it gets."""
    return {"requested_id": connection_id} if connection_id else {}


def setup_broadcast_routes(
    app: Any,
    manager: BroadcastManager,
    prefix: str = PREFIX,
    element_builder: ElementBuilder | None = None,
    *,
    public: bool = True,
) -> None:
    """Setup broadcast routes on a FastHTML app: `{prefix}/broadcast`, `{prefix}/status`, and the browser files.

    Args:
        app: the FastHTML app.
        manager: the broadcast manager instance.
        prefix: URL prefix for SSE endpoints.
        element_builder: as `create_broadcast_handler` has it.
        public: whether everyone may follow all broadcasts at `{prefix}/broadcast`; if not, the answer is 403.

    Source: cjm-fasthtml-sse, `broadcast`.
    """
    render_event = renderer(element_builder)
    assets.mount(app, prefix)

    @app.route(f"{prefix}{BROADCAST_PATH}", methods=["GET"])
    async def broadcast_endpoint(request: Request, connection_id: str | None = None) -> Response:
        subscriber = Subscriber(request.scope, time.time())
        try:
            if not public:
                raise refusal(403, "broadcasts are not public here: follow them on a page with a grant")
            manager.quota.check(subscriber.client)
        except Refusal as refused:
            return refused.response
        return await manager.stream(metadata=requested(connection_id), render=render_event, subscriber=subscriber)

    @app.route(f"{prefix}{STATUS_PATH}", methods=["GET"])
    def broadcast_status() -> dict[str, int]:
        return {"connections": manager.get_connection_count(), "history_size": len(manager.history)}
