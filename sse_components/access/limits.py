"""The limits of an application's streams, and the answers of requests beyond them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ..checks import check_whole
from ..protocol import BODY_BYTES

# Range of `Retry-After` in seconds. It is random, so that many clients do not come back at the same moment.
RETRY_AFTER = (5, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of an application's streams. A client that exceeds one gets an error; other clients are not affected.

    Attributes:
        connections: the number of streams; more are answered with 503 and `Retry-After`.
        connections_per_client: streams of one browser, or else user, or else address; 429 and `Retry-After`.
        connections_per_address: streams of one address, in all browsers; 429 and `Retry-After`. It is the address that
            the server knows: behind a proxy, have the server trust that.
        channels_per_connection: channels of one stream; grants for more are refused one by one, as `limit`.
        tabs_per_client: tabs that one client reports to be in rooms, over all its streams; more are not counted.
        rooms_per_tab: rooms that one tab reports to be in; more are not counted.
        url_bytes: bytes of a stream's address, with its grants; 414.
        body_bytes: bytes of the body of a request to the kit, such as one for a stream with its grants; 413.
        body_seconds: seconds that a body may take to arrive; 408.
        unfinished_bodies: requests whose bodies have not arrived in full; more are answered with 503 and `Retry-After`.
        unfinished_bodies_per_address: those of one address; 429 and `Retry-After`.
        message_bytes: bytes of one message; `MessageTooLarge`.
        held_bytes: bytes that one stream holds of the log, and as many of messages for it alone, while its client does
            not read. It reads the rest of the log later; a further message for it alone is not sent.

    Raises:
        ValueError: for a limit that is not a whole number above 0.
    """

    connections: int = 10_000
    connections_per_client: int = 100
    connections_per_address: int = 1_000
    channels_per_connection: int = 2_000
    tabs_per_client: int = 100
    rooms_per_tab: int = 20
    url_bytes: int = 8_192
    body_bytes: int = BODY_BYTES
    body_seconds: int = 10
    unfinished_bodies: int = 1_000
    unfinished_bodies_per_address: int = 100
    message_bytes: int = 2_000_000
    held_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        check_whole(**{field.name: getattr(self, field.name) for field in fields(self)})


class Refusal(Exception):
    """A request is refused.

    Attributes:
        response: the answer to send.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def answer(handle: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """Return the answer of a route: its response, or that of a refusal that it raises."""
    try:
        return await handle(request)
    except Refusal as refused:
        return refused.response


def refusal(status: int, text: str, *, retry_after: int | None = None) -> Refusal:
    """Return a refusal in plain text.

    Args:
        status: of the response.
        text: of the response.
        retry_after: seconds after which the client may try again.
    """
    retry = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Refusal(PlainTextResponse(text, status, {"cache-control": "no-store", **retry}))


def overloaded(status: int, text: str) -> Refusal:
    """Return a refusal that tells the client to try again later."""
    return refusal(status, text, retry_after=random.randint(*RETRY_AFTER))
