"""The route by which browsers report their tabs: the rooms that each shows, and whether it is in the foreground."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..access.identity import Principal, is_tab_name, principal_of
from ..access.limits import refusal
from ..access.rooms import room_channel
from ..access.selector import Selector
from ..delivery.connection import Connection
from ..errors import ChannelError
from ..manager import BroadcastManager
from ..presence import GOODBYE_SECONDS, Tab
from .authorization import read_body

VISIT = re.compile(r"[0-9a-f]{1,64}")


class PresenceReportEndpoint:
    """Answers presence reports: `{"connection": id, "tabs": [{"id": ..., "visible": ..., "rooms": [...]}]}`.

    A page that is left says goodbye by itself: `{"connection": id, "gone": its visit, "tab": its name, "last": whether
    the connection serves no other page}`. Such a connection is ended.

    A report counts for the connection that it names, if that belongs to the same browser, and for the rooms
    that the connection follows.

    Args:
        manager: has the connections, and keeps the reports.
    """

    def __init__(self, manager: BroadcastManager) -> None:
        self._manager = manager

    async def __call__(self, request: Request) -> Response:
        """Answer with 204; or with 200 and the visits that have said goodbye, where a report still has them.

        Raises:
            Refusal: if the report does not count.
        """
        try:
            report = json.loads(read_body(request))
            if "gone" in report:
                return self._say_goodbye(request, report)
            connection = own_connection(self._manager, report["connection"], request)
            tabs = self._read_tabs(connection, report)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return PlainTextResponse("a report has a connection, and tabs with id, visible and rooms", 400)
        client = None if connection.subscriber is None else connection.subscriber.client
        self._manager.presence.report(connection.connection_id, principal_of(request.scope), tabs, client)
        gone = self._manager.presence.gone(principal_of(request.scope), tabs)
        return JSONResponse({"gone": gone}) if gone else Response(status_code=204)

    def _read_tabs(self, connection: Connection, report: dict[str, Any]) -> list[Tab]:
        limits, channels = self._manager.limits, connection.channels
        tabs = report["tabs"][: limits.tabs_per_client]
        return [read_tab(tab, channels, limits.rooms_per_tab) for tab in tabs]

    def _say_goodbye(self, request: Request, report: dict[str, Any]) -> Response:
        """Have a tab of the sender's leave. The connection that the page knew may have been replaced a moment ago."""
        visit, tab = read_visit(report["gone"]), report["tab"]
        if is_tab_name(tab):
            self._manager.presence.say_goodbye(principal_of(request.scope), tab, visit)
        if report["last"] is True:  # what follows on the way to the next page has another connection by then
            connection = own_connection(self._manager, report["connection"], request)
            asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._end, connection.connection_id)
        return Response(status_code=204)

    def _end(self, connection: str) -> None:
        if self._manager.registry.get_connection(connection) is not None:
            self._manager.enforcement.disconnect(Selector(connection=connection))


def own_connection(manager: BroadcastManager, connection_id: str, request: Request) -> Connection:
    """Return the connection that a request names, if it belongs to the browser, or else the user, of the request.

    Raises:
        Refusal: 404 if there is no such connection. It may have ended a moment ago.
    """
    connection = manager.registry.get_connection(connection_id)
    subscriber, sender = None if connection is None else connection.subscriber, principal_of(request.scope)
    if connection is None or subscriber is None or not is_same_client(subscriber.principal, sender):
        raise refusal(404, "there is no such connection of yours")
    return connection


def is_same_client(principal: Principal, other: Principal) -> bool:
    """Tell whether two principals are of one browser; somebody may have signed in or out there in between."""
    return principal == other if principal.browser is None else principal.browser == other.browser


def read_tab(reported: dict[str, Any], channels: frozenset[str], most: int) -> Tab:
    """Return a reported tab, with those of its rooms whose presence is among some channels, `most` of them.

    Raises:
        ValueError: if its name is not the name of a tab.
    """
    if not is_tab_name(reported["id"]):
        raise ValueError("not the name of a tab")
    rooms = [room for room in reported["rooms"][:most] if isinstance(room, str) and follows(channels, room)]
    return Tab(
        reported["id"],
        reported["visible"] is True,
        frozenset(rooms),
        read_visit(reported["visit"]) if "visit" in reported else "",
    )


def read_visit(text: str) -> str:
    """Return the name of a visit.

    Raises:
        ValueError: for what is no such name.
    """
    if not VISIT.fullmatch(text):
        raise ValueError("not the name of a visit")
    return text


def follows(channels: frozenset[str], room: str) -> bool:
    """Tell whether the presence of a room is among some channels."""
    try:
        return room_channel(room) in channels
    except ChannelError:
        return False
