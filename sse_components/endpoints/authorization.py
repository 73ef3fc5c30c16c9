"""Decides which grants of a request are valid, and asks the application."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from ..access.bodies import SCOPE_KEY
from ..access.grants import Grant, Grants, grant_error
from ..access.identity import Principal, is_of_another
from ..access.limits import Limits, overloaded, refusal
from ..access.rooms import known_name
from ..access.subscriber import ActiveGrant
from ..callbacks import call_each
from ..errors import GrantError
from ..html.page_context import kit_prefix
from ..manager import BroadcastManager
from ..protocol import BROADCAST_CHANNEL, SUB_PARAM

logger = logging.getLogger("sse_components")

Authorize = Callable[[Request, str], bool | Awaitable[bool]]
Form = list[tuple[str, str]]

# Fields of a form: tabs of one page send the same grant each. More would take longer to part than pages to render.
MOST_FIELDS = 10_000
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
            Refusal: 413, 414 or 415 for a request that is too large or of another type.
        """
        limits, scope = self._limits, request.scope
        if len(scope["path"]) + 1 + len(scope["query_string"]) > limits.url_bytes:
            raise refusal(414, f"an address may have {limits.url_bytes} bytes; send grants in the body of a POST")
        if request.method != "POST":
            return request.query_params.multi_items()
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise refusal(415, f"grants are sent as {FORM_TYPE}")
        try:
            return parse_qsl(
                read_body(request).decode(errors="replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
            )
        except ValueError:
            raise refusal(413, f"a form may have {MOST_FIELDS} fields") from None

    def grant_texts(self, form: Form) -> list[str]:
        """Return the grants among the fields of a request, as text.

        Raises:
            Refusal: 400 without a grant.
        """
        texts = [text for name, text in form if name == SUB_PARAM]
        if not texts:
            raise refusal(400, f"a stream needs a grant: {SUB_PARAM}=<grant>")
        return texts

    async def decide(self, request: Request, principal: Principal, texts: list[str]) -> list[Grant | GrantError]:
        """Return for each text the grant that it stands for, or the error that tells why it is refused.

        Each grant is decided on by itself: one that is refused, or whose channels the application cannot decide on,
        takes no other with it.

        Raises:
            Refusal: 503 if the application could decide on no channel.
        """
        decisions = {text: self._read(text, principal, kit_prefix()) for text in texts}
        channels = self._take(decisions)
        answers = await self._ask(request, sorted(channels))
        for text, decision in decisions.items():
            if isinstance(decision, Grant):
                decisions[text] = self._confirm(decision, principal, answers)
        refuse_others(decisions)
        return [decisions[text] for text in texts]

    def activate(self, grant: Grant) -> ActiveGrant:
        """Return a grant as a stream uses it."""
        return ActiveGrant(grant._replace(cursor=None), self.grants.expires_at(grant))

    def seconds_left(self, grant: Grant) -> float:
        """Return the seconds for which a grant is still valid."""
        return round(self.grants.expires_at(grant) - self.grants.clock(), 3)

    def _read(self, text: str, principal: Principal, place: str) -> Grant | GrantError:
        try:
            return self.grants.read(text, principal, place=place)
        except GrantError as error:
            is_unknown = error.reason == "foreign" and principal == Principal()
            return grant_error("cookie", error.channels) if is_unknown else error

    def _take(self, decisions: dict[str, Grant | GrantError]) -> set[str]:
        """Return the channels of grants, and refuse the grants that are beyond the limit."""
        channels = set[str]()
        for text, grant in decisions.items():
            if isinstance(grant, GrantError):
                continue
            if len(channels) + len(grant.channels - channels) > self._limits.channels_per_connection:
                decisions[text] = grant_error("limit", grant.channels)
            else:
                channels |= grant.channels
        return channels

    def _confirm(self, grant: Grant, principal: Principal, answers: dict[str, str]) -> Grant | GrantError:
        if any(is_of_another(channel, principal) for channel in grant.channels):
            return grant_error("foreign", grant.channels)
        if reasons := sorted(answers[channel] for channel in grant.channels if channel in answers):
            return grant_error(reasons[0], grant.channels)
        # While the application was asked, the grant may have been revoked.
        return grant_error("revoked", grant.channels) if self.grants.is_revoked(grant, principal) else grant

    async def _ask(self, request: Request, channels: list[str]) -> dict[str, str]:
        """Return the channels that the application does not allow, each with the reason."""
        if self._authorize is None:
            return {}
        asked = sorted({name for channel in channels if (name := known_name(channel)) is not None})
        results = await call_each(self._authorize, [(request, name) for name in asked], keep_errors=True)
        answers = dict(zip(asked, results, strict=True))
        report_errors(answers)
        answered = [(channel, name) for channel in channels if (name := known_name(channel)) is not None]
        return {channel: refused for channel, name in answered if (refused := reason(answers[name]))}


def reason(answer: Any) -> str:
    """Return why an answer of the application refuses a channel; an empty text if it does not."""
    if isinstance(answer, Exception):
        return "failed"
    return "" if answer else "forbidden"


def report_errors(answers: dict[str, Any]) -> None:
    """Log what `authorize` has raised, once for all channels.

    Raises:
        Refusal: 503 if it has decided on no channel.
    """
    failed = {channel: answer for channel, answer in answers.items() if isinstance(answer, Exception)}
    if not failed:
        return
    first, error = next(iter(failed.items()))
    logger.error("authorize failed for %d channels, such as %r", len(failed), first, exc_info=error)
    if len(failed) == len(answers):
        raise overloaded(503, "the application could not tell which channels it allows")


def refuse_others(decisions: dict[str, Grant | GrantError]) -> None:
    """Refuse the grants that are limited to those who may follow another channel, if no grant here is for that one."""
    limited = {text: grant for text, grant in decisions.items() if isinstance(grant, Grant) and grant.via is not None}
    others = [grant for text, grant in decisions.items() if isinstance(grant, Grant) and text not in limited]
    reached = channels_of(others) | ({BROADCAST_CHANNEL} if others else set())
    while found := {text: grant for text, grant in limited.items() if grant.via in reached}:
        reached |= channels_of(found.values())
        limited = {text: grant for text, grant in limited.items() if text not in found}
    for text, grant in limited.items():
        decisions[text] = grant_error("expired", grant.channels)


def channels_of(grants: Iterable[Grant]) -> set[str]:
    """Return all channels of some grants."""
    return {channel for grant in grants for channel in grant.channels}


def check_open(manager: BroadcastManager) -> None:
    """Check that the server is not about to stop.

    Raises:
        Refusal: 503, if it is.
    """
    if manager.closing:
        raise refusal(503, "the server is about to stop", retry_after=1)


def read_body(request: Request) -> bytes:
    """Return a request's body, which the outermost layer has read."""
    body: bytes = request.scope[SCOPE_KEY]
    return body
