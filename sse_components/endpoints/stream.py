"""Who gets which stream: grants, limits and what the application says come together here."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sized
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..access.grants import REFUSALS, Grant, Grants, refusal
from ..access.identity import Who, who_is
from ..access.limits import Refused, refused
from ..access.same_origin import check_same_origin
from ..access.subscriber import Held, Visitor
from ..delivery.enforcement import denials
from ..delivery.feed import Since, StreamConnection
from ..errors import GrantError
from ..events.log import Cursor
from ..manager import BroadcastManager
from ..protocol import BROADCAST_CHANNEL, CONTROL_PREFIX, CURSOR_SEPARATOR, LAST_EVENT_ID, SUB_PARAM

Authorize = Callable[[Request, str], bool | Awaitable[bool]]

Form = list[tuple[str, str]]

FORM_TYPE = "application/x-www-form-urlencoded"

NO_STORE = {"cache-control": "no-store"}

# What the renewal's form calls the stream that it is for.
CONNECTION_PARAM = "connection"


class Admission:
    """Answers requests for streams, and for the renewal of their grants.

    Args:
        manager: makes the streams.
        grants: reads the grants.
        authorize: says of a request, perhaps after an await, whether it may follow a channel that it has a grant for.
    """

    def __init__(self, manager: BroadcastManager, grants: Grants, authorize: Authorize | None = None) -> None:
        self.manager, self.grants, self.authorize = manager, grants, authorize

    async def stream(self, request: Request) -> Response:
        """Answer a request for a stream: the channels of its grants, from their cursors on."""
        try:
            return await self._admitted(request)
        except Refused as refusal:
            return refusal.response

    async def renew(self, request: Request) -> Response:
        """Answer a request for new grants in the place of some that are still valid."""
        try:
            return await self._renewed(request)
        except Refused as refusal:
            return refusal.response

    async def _admitted(self, request: Request) -> Response:
        self._check_open()
        texts = self._subs(await self._form(request))
        visitor = Visitor(request.scope, self.grants.clock())
        self.manager.door.check_room(visitor.client)
        decisions = await self._decide(request, visitor.who, texts)
        granted = {index: one for index, one in enumerate(decisions) if isinstance(one, Grant)}
        denied = [denial(index, one) for index, one in enumerate(decisions) if isinstance(one, GrantError)]
        if not granted:
            body = {"detail": REFUSALS[denied[0]["reason"]], "denied": denied}
            return JSONResponse(body, 403, NO_STORE)
        # From here to the connection nothing waits, so that there is still room when it comes.
        self.manager.door.check_room(visitor.client)
        visitor.hold(self._held(grant) for grant in granted.values())
        last_event_id = request.headers.get(LAST_EVENT_ID)
        return await self.manager.stream(
            {channel for grant in granted.values() for channel in grant.channels},
            since=[since(grant, texts[index], last_event_id) for index, grant in granted.items()],
            visitor=visitor,
            greeting={"subs": [self._described(one) if isinstance(one, Grant) else None for one in decisions]},
            history=denials(denied) if denied else b"",
        )

    async def _renewed(self, request: Request) -> Response:
        self._check_open()
        form = await self._form(request)
        texts = [text.partition(CURSOR_SEPARATOR)[0] for text in self._subs(form)]
        who = who_is(request.scope)
        answers, renewed = [], []
        for decision in await self._decide(request, who, texts):
            if isinstance(decision, GrantError):
                answers.append({"denied": decision.reason})
            else:
                text, grant = self.grants.renew(decision)
                renewed.append(self._held(grant))
                answers.append({"grant": text, "expires": self._described(grant)["expires"]})
        self._prolong(dict(form).get(CONNECTION_PARAM, ""), who, renewed)
        return JSONResponse({"subs": answers}, headers=NO_STORE)

    def _prolong(self, name: str, who: Who, renewed: list[Held]) -> None:
        connection = self.manager.registry.get_connection(name)
        visitor = connection.visitor if isinstance(connection, StreamConnection) else None
        if visitor is not None and who.owns(visitor.who.mark):
            visitor.renew(renewed)

    # ------------------------------------------------------------------ what a request asks for

    async def _form(self, request: Request) -> Form:
        limits, scope = self.manager.limits, request.scope
        if len(scope["path"]) + 1 + len(scope["query_string"]) > limits.url_bytes:
            raise refused(414, f"an address may have {limits.url_bytes} bytes; bring grants in the body of a POST")
        if request.method != "POST":
            return request.query_params.multi_items()
        check_same_origin(request.headers)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise refused(415, f"grants come as {FORM_TYPE}")
        return parse_qsl((await read(request, limits.body_bytes)).decode(errors="replace"), keep_blank_values=True)

    def _check_open(self) -> None:
        if self.manager.closing:
            raise refused(503, "the server is about to stop", retry_after=1)

    def _subs(self, form: Form) -> list[str]:
        texts = [text for name, text in form if name == SUB_PARAM]
        if not texts:
            raise refused(400, f"a stream needs a grant: {SUB_PARAM}=<grant>")
        self._check_count(texts)
        return texts

    def _check_count(self, things: Sized) -> None:
        if len(things) > (most := self.manager.limits.channels_per_connection):
            raise refused(413, f"a connection may follow {most} channels")

    # ------------------------------------------------------------------ what it gets

    async def _decide(self, request: Request, who: Who, texts: list[str]) -> list[Grant | GrantError]:
        """Return for each text the grant that it stands for, or why there is none."""
        decisions = [self._read(text, who) for text in texts]
        channels = {channel for one in decisions if isinstance(one, Grant) for channel in one.channels}
        self._check_count(channels)
        allowed = {channel for channel in sorted(channels) if await self._authorized(request, channel)}
        return [self._confirmed(one, who, allowed) if isinstance(one, Grant) else one for one in decisions]

    def _read(self, text: str, who: Who) -> Grant | GrantError:
        try:
            return self.grants.read(text, who)
        except GrantError as error:
            return error

    def _confirmed(self, grant: Grant, who: Who, allowed: set[str]) -> Grant | GrantError:
        """Return the grant if the application allows all of it, and it was not revoked while that was asked."""
        if not grant.channels <= allowed:
            return refusal("forbidden", grant.channels)
        return refusal("revoked", grant.channels) if self.grants.is_revoked(grant, who) else grant

    async def _authorized(self, request: Request, channel: str) -> bool:
        # A channel of the kit's own is that of a user or a session; the application does not know its name.
        if self.authorize is None or channel.startswith(CONTROL_PREFIX):
            return True
        allowed = self.authorize(request, channel)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)

    def _held(self, grant: Grant) -> Held:
        return Held(grant._replace(cursor=None), self.grants.expires(grant))

    def _described(self, grant: Grant) -> dict[str, Any]:
        left = self.grants.expires(grant) - self.grants.clock()
        return {"channels": sorted(grant.channels), "expires": round(left, 3)}


def since(grant: Grant, text: str, last_event_id: str | None) -> Since:
    """Return a grant's channels, and the broadcasts that all get, with the cursor that they are to be sent from.

    A plain EventSource cannot change its address, and says in a header what it has seen.
    """
    seen = Cursor.parse(last_event_id) if last_event_id and CURSOR_SEPARATOR not in text else None
    return grant.channels | {BROADCAST_CHANNEL}, seen or grant.cursor


def denial(index: int, error: GrantError) -> dict[str, Any]:
    """Return what a client is told of a grant that is refused."""
    named = {"channels": sorted(error.channels)} if error.channels else {}
    return {"sub": index, **named, "reason": error.reason}


async def read(request: Request, most: int) -> bytes:
    """Return a request's body, if it is not longer than `most` bytes. FastHTML has read it before, as on every route.

    Raises:
        Refused: 413, if it is longer.
    """
    body = await request.body()
    if len(body) > most:
        raise refused(413, f"the body may have {most} bytes")
    return body
