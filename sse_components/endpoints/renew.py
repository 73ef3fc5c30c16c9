"""The route that renews grants while their stream runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..access.identity import Principal, principal_of
from ..access.subscriber import ActiveGrant
from ..errors import GrantError
from ..html.page_context import kit_prefix
from ..manager import BroadcastManager
from ..protocol import CONNECTION_PARAM, CURSOR_SEPARATOR
from .authorization import NO_STORE, Authorization, check_open


class RenewEndpoint:
    """Answers requests for new grants in exchange for valid ones.

    Args:
        manager: has the connections.
        authorization: decides on the grants.
    """

    def __init__(self, manager: BroadcastManager, authorization: Authorization) -> None:
        self._manager, self._authorization = manager, authorization

    async def __call__(self, request: Request) -> Response:
        """Answer with a new grant, or the reason of its denial, for each grant of the request.

        Raises:
            Refusal: if the request cannot be answered so.
        """
        check_open(self._manager)
        authorization, principal = self._authorization, principal_of(request.scope)
        form = await authorization.read_form(request)
        texts = [text.partition(CURSOR_SEPARATOR)[0] for text in authorization.grant_texts(form)]
        answers: list[dict[str, Any]] = []
        renewed: list[ActiveGrant] = []
        for decision in await authorization.decide(request, principal, texts):
            if isinstance(decision, GrantError):
                answers.append({"denied": decision.reason})
            else:
                text, grant = authorization.grants.renew(decision, place=kit_prefix())
                renewed.append(authorization.activate(grant))
                answers.append({"grant": text, "expires": authorization.seconds_left(grant)})
        self._prolong(dict(form).get(CONNECTION_PARAM, ""), principal, renewed)
        return JSONResponse({"subs": answers}, headers=NO_STORE)

    def _prolong(self, connection_id: str, principal: Principal, renewed: list[ActiveGrant]) -> None:
        connection = self._manager.registry.get_connection(connection_id)
        subscriber = None if connection is None else connection.subscriber
        if subscriber is not None and principal.owns(subscriber.principal.binding):
            subscriber.renew(renewed)
