"""The broadcast routes of the first API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..access.limits import refusal
from ..callbacks import call
from ..checks import check_positive
from ..delivery.feed import Render
from ..delivery.response import StreamResponse
from ..events.log import Event
from ..events.message import message_of
from ..events.wire import encode
from ..html import assets
from ..html.built import from_builder
from ..manager import BroadcastManager, ElementBuilder
from ..protocol import BROADCAST_PATH, PREFIX, STATUS_PATH
from .connections import Recent

# Characters of an id in the query that are kept.
REQUESTED_CHARACTERS = 200
NOT_PUBLIC = (
    "broadcasts are not public here: a page with an SSE element follows them; or open them to everybody by "
    "setup_sse(app, public_broadcast=True)"
)


def render_json(event: Event) -> bytes:
    """Render a broadcast as cjm-fasthtml-sse does: a plain message with JSON."""
    return encode(event.message or "", id=event.id or None)


def renderer(manager: BroadcastManager, builder: ElementBuilder | None) -> Render:
    """Return the function that renders a broadcast with an element builder. A broadcast is left out if that is None."""
    if builder is None:
        return render_json
    manager.allow_any_data()

    async def render_event(event: Event) -> bytes:
        message = message_of(event.message or "")
        built = from_builder(await call(builder, message.type, message.data))
        return b"" if built is None else encode(built[1], event=built[0], id=event.id or None)

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
        connection_id: optional connection ID, which the application chooses; never one from a client. If it is taken,
            the connection gets another one, as `BroadcastManager.register` has it.
        heartbeat_interval: seconds of silence before a heartbeat. The stream's first frame tells it to the page, which
            reconnects after 2.5 heartbeats of silence.
        send_history: whether to send recent history on connection, as `history` events.
        history_limit: how many of the latest messages; 0 for none.

    Returns:
        The response, for a handler to return.

    Raises:
        ValueError: if `heartbeat_interval` is not above 0.

    Example:
        `return await create_broadcast_endpoint(manager, f'user-{user.id}', send_history=True)`

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

    The handler takes a `connection_id`. Called by the application, that names the connection, so that `send_to` and
    `exclude` address it. As a route, FastHTML fills it from the query, where anyone may write anything: then it is a
    wish, kept as `requested_id` in the connection's metadata.

    Args:
        manager: the broadcast manager.
        element_builder: turns type and data of a message into what to send, as `from_builder` has it; None leaves a
            message out. It is async, or runs in a worker thread. A `str` that it returns is HTML: text of users must go
            through FT.

    Returns:
        The handler.

    Example:
        `rt('/feed')(create_broadcast_handler(manager, build))`, or, for a connection with a name,
        `return await handler(f'user-{user.id}')`

    Source: cjm-fasthtml-sse, `broadcast`.
    """
    render_event = renderer(manager, element_builder)

    async def handler(
        connection_id: str | None = None,
        request: Request = None,  # type: ignore[assignment]
    ) -> StreamResponse:
        # FastHTML gives a route its request; an application that calls the handler does not.
        if request is None:
            return await manager.stream(connection_id=connection_id, render=render_event)
        return await manager.stream(metadata=requested(connection_id), render=render_event)

    return handler


def requested(connection_id: str | None) -> dict[str, Any]:
    """Return the metadata of a connection whose client has sent an id, which is not the id that it gets."""
    return {"requested_id": connection_id[:REQUESTED_CHARACTERS]} if connection_id else {}


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
        public: whether everyone may follow all broadcasts at `{prefix}/broadcast`; if not, the answer is 403. A
            `connection_id` in its query is kept in the connection's metadata; it is not the connection's id.

    Example:
        `setup_broadcast_routes(app, manager, element_builder=build)`

    Source: cjm-fasthtml-sse, `broadcast`.
    """
    render_event = renderer(manager, element_builder)

    def count() -> dict[str, int]:
        return {"connections": manager.get_connection_count(), "history_size": len(manager.history)}

    figures = Recent(count)
    assets.mount(app, prefix)

    @app.route(f"{prefix}{BROADCAST_PATH}", methods=["GET"])
    async def broadcast_endpoint(request: Request, connection_id: str | None = None) -> Response:
        if not public:
            return refusal(403, NOT_PUBLIC).response
        return await manager.stream(metadata=requested(connection_id), render=render_event)

    @app.route(f"{prefix}{STATUS_PATH}", methods=["GET"])
    def broadcast_status() -> dict[str, int]:
        return figures()
