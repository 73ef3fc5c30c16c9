"""Takes what browsers tell of their tabs: where they are, and whether somebody sees them."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ..access.identity import is_tab, who_is
from ..access.limits import Refused, refused
from ..access.same_origin import check_same_origin
from ..access.subscriber import Visitor
from ..components.presence import room_channel
from ..delivery.feed import StreamConnection
from ..errors import ChannelError
from ..manager import BroadcastManager
from ..presence import Tab

# Tabs of one browser, and rooms of one tab.
MOST_TABS = 1_000
MOST_ROOMS = 100


async def attend(request: Request, manager: BroadcastManager) -> Response:
    """Answer a report: `{"connection": id, "tabs": [{"id": ..., "visible": ..., "rooms": [...]}]}`.

    It counts for the stream that it names, if that is the same user's or session's; and for rooms that it follows.
    """
    try:
        check_same_origin(request.headers)
        report = parsed(await request.body(), manager.limits.body_bytes)
        stream = its_stream(manager, report["connection"], request)
        tabs = [tab_from(one, stream) for one in report["tabs"][:MOST_TABS]]
    except Refused as refusal:
        return refusal.response
    except (KeyError, TypeError, ValueError, AttributeError):
        return PlainTextResponse("a report has a connection, and tabs with id, visible and rooms", 400)
    manager.here.presence.report(stream.connection_id, who_is(request.scope), tabs)
    return Response(status_code=204)


def parsed(body: bytes, most: int) -> dict[str, Any]:
    """Return a report as JSON has it.

    Raises:
        Refused: 413 for more than `most` bytes.
        ValueError: if it is not JSON.
    """
    if len(body) > most:
        raise refused(413, f"the body may have {most} bytes")
    report: dict[str, Any] = json.loads(body)
    return report


def its_stream(manager: BroadcastManager, connection: str, request: Request) -> StreamConnection:
    """Return the stream that a request names, if it is its own.

    Raises:
        Refused: 404 if there is none; it may have ended a moment ago.
    """
    stream = manager.registry.get_connection(connection)
    visitor: Visitor | None = stream.visitor if isinstance(stream, StreamConnection) else None
    if not isinstance(stream, StreamConnection) or visitor is None or visitor.who != who_is(request.scope):
        raise refused(404, "there is no such connection of yours")
    return stream


def tab_from(told: dict[str, Any], stream: StreamConnection) -> Tab:
    """Return a tab that is told of, in those of its rooms that the stream follows.

    Raises:
        ValueError: if its name is not one of a tab.
    """
    if not is_tab(told["id"]):
        raise ValueError("not a tab's name")
    rooms = frozenset(str(room) for room in told["rooms"][:MOST_ROOMS] if follows(stream, str(room)))
    return Tab(told["id"], told["visible"] is True, rooms)


def follows(stream: StreamConnection, room: str) -> bool:
    """Tell whether a stream follows who is in a room."""
    try:
        return room_channel(room) in stream.feed.channels
    except ChannelError:
        return False
