"""The route of streams: the channels of a request's grants, from their cursors on."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..access.grants import REASONS, Grant, not_before
from ..access.revocations import latest
from ..access.subscriber import Subscriber
from ..delivery.enforcement import denials_frame
from ..delivery.feed import Since
from ..errors import GrantError
from ..manager import BroadcastManager
from ..protocol import CURSOR_SEPARATOR, LAST_EVENT_ID
from .authorization import NO_STORE, Authorization, check_open


class StreamEndpoint:
    """Answers requests for streams.

    Args:
        manager: makes the streams.
        authorization: decides on the grants.
    """

    def __init__(self, manager: BroadcastManager, authorization: Authorization) -> None:
        self._manager, self._authorization = manager, authorization

    async def __call__(self, request: Request) -> Response:
        """Answer a request with a stream.

        Raises:
            Refusal: if there is none.
        """
        check_open(self._manager)
        authorization, quota = self._authorization, self._manager.quota
        texts = authorization.grant_texts(await authorization.read_form(request))
        subscriber = Subscriber(request.scope, latest())
        quota.check(subscriber)
        decisions = await authorization.decide(request, subscriber.principal, texts)
        granted = {index: grant for index, grant in enumerate(decisions) if isinstance(grant, Grant)}
        denied = [denial(index, error) for index, error in enumerate(decisions) if isinstance(error, GrantError)]
        if not granted:
            return JSONResponse({"detail": REASONS[denied[0]["reason"]], "denied": denied}, 403, NO_STORE)
        subscriber.use(map(authorization.activate, granted.values()))
        last_event_id = request.headers.get(LAST_EVENT_ID)
        return await self._manager.stream(
            {channel for grant in granted.values() for channel in grant.channels},
            since=[since(grant, texts[index], last_event_id) for index, grant in granted.items()],
            subscriber=subscriber,
            greeting={"subs": [self._describe(grant) if isinstance(grant, Grant) else None for grant in decisions]},
            history=denials_frame(denied) if denied else b"",
        )

    def _describe(self, grant: Grant) -> dict[str, Any]:
        return {"channels": sorted(grant.channels), "expires": self._authorization.seconds_left(grant)}


def since(grant: Grant, text: str, last_event_id: str | None) -> Since:
    """Return a grant's channels, and the cursor from which they are sent.

    A plain EventSource cannot change its URL. It sends its last event's id in a header.
    """
    seen = not_before(grant.cursor, last_event_id) if last_event_id and CURSOR_SEPARATOR not in text else None
    return grant.channels, seen or grant.cursor


def denial(index: int, error: GrantError) -> dict[str, Any]:
    """Return what the stream reports about a refused grant."""
    named = {"channels": sorted(error.channels)} if error.channels else {}
    return {"sub": index, **named, "reason": error.reason}
