"""How much one application takes, and how it says that this is enough."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

from starlette.responses import PlainTextResponse, Response

# Seconds after which one who finds no room may come back, at random: a crowd must not come back as one.
COME_BACK = (5, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of an application's streams; who goes past one is told so, and the others do not notice.

    Attributes:
        connections: streams in all; more are answered with 503 and `Retry-After`.
        connections_per_client: streams of one session, or else user, or else address; 429 and `Retry-After`.
        channels_per_connection: channels, and grants, of one stream; 413.
        url_bytes: bytes of a stream's address, with its grants; 414.
        body_bytes: bytes of a request that brings its grants in its body, as pages do; 413.
        message_bytes: bytes of one message; `MessageTooLarge`.

    Raises:
        ValueError: for a limit that is not a whole number above 0.
    """

    connections: int = 10_000
    connections_per_client: int = 100
    channels_per_connection: int = 1_000
    url_bytes: int = 8_192
    body_bytes: int = 262_144
    message_bytes: int = 2_000_000

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, not {value!r}")


class Refused(Exception):
    """A request that gets another answer than it hoped for.

    Attributes:
        response: the answer.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def refused(status: int, text: str, *, retry_after: int | None = None) -> Refused:
    """Return a refusal in plain text.

    Args:
        status: of the response.
        text: for who reads it.
        retry_after: seconds after which it may be asked again.
    """
    retry = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Refused(PlainTextResponse(text, status, {"cache-control": "no-store", **retry}))


def full(status: int, text: str) -> Refused:
    """Return a refusal for want of room, which says to come back later."""
    return refused(status, text, retry_after=random.randint(*COME_BACK))
