"""Decides which grants of a request are valid, and asks the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sized
from urllib.parse import parse_qsl

from starlette.requests import Request

from ..access.bodies import SCOPE_KEY
from ..access.grants import Grant, Grants, grant_error
from ..access.identity import Principal
from ..access.limits import Limits, refusal
from ..access.rooms import known_name
from ..access.same_origin import check_same_origin
from ..access.subscriber import ActiveGrant
from ..callbacks import call_each
from ..errors import GrantError
from ..protocol import SUB_PARAM

Authorize = Callable[[Request, str], bool | Awaitable[bool]]
Form = list[tuple[str, str]]

FORM_TYPE = "application/x-www-form-urlencoded"
NO_STORE = {"cache-control": "no-store"}


class Authorization:
    """Reads the grants of a request, and decides on each.

    Args:
        grants: reads and signs grants.
        limits: of requests.
        authorize: tells, sync or async, whether a request may follow a channel that it has a grant for.
    """

    def __init__(self, grants: Grants, limits: Limits, authorize: Authorize | None = None) -> None:
        self.grants, self._limits, self._authorize = grants, limits, authorize

    async def read_form(self, request: Request) -> Form:
        """Return the fields of a request: of its address, or of the body of a POST.

        Raises:
            Refusal: 403 for another origin, 413, 414 or 415 for a request that is too large or of another type.
        """
        limits, scope = self._limits, request.scope
        if len(scope["path"]) + 1 + len(scope["query_string"]) > limits.url_bytes:
            raise refusal(414, f"an address may have {limits.url_bytes} bytes; send grants in the body of a POST")
        if request.method != "POST":
            return request.query_params.multi_items()
        check_same_origin(request.headers)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise refusal(415, f"grants are sent as {FORM_TYPE}")
        return parse_qsl(read_body(request).decode(errors="replace"), keep_blank_values=True)

    def grant_texts(self, form: Form) -> list[str]:
        """Return the grants among the fields of a request, as text.

        Raises:
            Refusal: 400 without a grant, 413 for too many.
        """
        texts = [text for name, text in form if name == SUB_PARAM]
        if not texts:
            raise refusal(400, f"a stream needs a grant: {SUB_PARAM}=<grant>")
        self._check_count(texts)
        return texts

    async def decide(self, request: Request, principal: Principal, texts: list[str]) -> list[Grant | GrantError]:
        """Return for each text the grant that it stands for, or the error that tells why it is refused.

        Raises:
            Refusal: 413 for too many channels.
        """
        decisions = [self._read(text, principal) for text in texts]
        channels = {channel for grant in decisions if isinstance(grant, Grant) for channel in grant.channels}
        self._check_count(channels)
        allowed = await self._allowed(request, sorted(channels))
        return [self._confirm(grant, principal, allowed) if isinstance(grant, Grant) else grant for grant in decisions]

    def activate(self, grant: Grant) -> ActiveGrant:
        """Return a grant as a stream uses it."""
        return ActiveGrant(grant._replace(cursor=None), self.grants.expires_at(grant))

    def seconds_left(self, grant: Grant) -> float:
        """Return the seconds for which a grant is still valid."""
        return round(self.grants.expires_at(grant) - self.grants.clock(), 3)

    def _check_count(self, things: Sized) -> None:
        if len(things) > (limit := self._limits.channels_per_connection):
            raise refusal(413, f"a connection may follow {limit} channels")

    def _read(self, text: str, principal: Principal) -> Grant | GrantError:
        try:
            return self.grants.read(text, principal)
        except GrantError as error:
            return error

    def _confirm(self, grant: Grant, principal: Principal, allowed: set[str]) -> Grant | GrantError:
        # While the application was asked, the grant may have been revoked.
        if not grant.channels <= allowed:
            return grant_error("forbidden", grant.channels)
        return grant_error("revoked", grant.channels) if self.grants.is_revoked(grant, principal) else grant

    async def _allowed(self, request: Request, channels: list[str]) -> set[str]:
        if self._authorize is None:
            return set(channels)
        asked = sorted({name for channel in channels if (name := known_name(channel)) is not None})
        answers = await call_each(self._authorize, [(request, name) for name in asked])
        refused = {name for name, allowed in zip(asked, answers, strict=True) if not allowed}
        return {channel for channel in channels if known_name(channel) not in refused}


def read_body(request: Request) -> bytes:
    """Return a request's body, which the outermost layer has read."""
    body: bytes = request.scope[SCOPE_KEY]
    return body
