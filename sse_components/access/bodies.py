"""Bodies of requests to the kit's own routes: counted while their bytes arrive, before any framework reads them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from .limits import Limits, Refusal, overloaded, refusal
from .subscriber import address_of

# The key of a body in the scope of its request.
SCOPE_KEY = "sse_components.body"


class Bodies:
    """Reads bodies, and counts those that have not arrived in full.

    A body that comes together with its headers, as those of browsers nearly always do, is read at once, without being
    counted.

    Args:
        limits: of bodies.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._unfinished: Counter[str | None] = Counter()

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body of a request.

        Raises:
            Refusal: 413 for too many bytes, 408 for a body that takes too long, 429 for too many unfinished bodies of
                one address, 503 for too many of all.
            ClientDisconnect: if the client leaves before the end.
        """
        self._check_size(declared(scope))
        first = await receive()
        if first["type"] == "http.request" and not first.get("more_body", False):
            self._check_size(len(first.get("body", b"")))
            return bytes(first.get("body", b""))
        with self._counted(address_of(scope)):
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    return await self._read_on(first, receive)
            except TimeoutError:
                raise closing(refusal(408, f"a body may take {self._limits.body_seconds} seconds")) from None

    async def _read_on(self, message: Message, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            self._check_size(len(body))
            if not message.get("more_body", False):
                return bytes(body)
            message = await receive()

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise refusal(413, f"the body may have {self._limits.body_bytes} bytes")

    @contextmanager
    def _counted(self, address: str | None) -> Iterator[None]:
        if self._unfinished.total() >= self._limits.unfinished_bodies:
            raise closing(overloaded(503, "too many requests have not sent their bodies"))
        if address is not None and self._unfinished[address] >= self._limits.unfinished_bodies_per_address:
            raise closing(overloaded(429, "too many requests of one address have not sent their bodies"))
        self._unfinished[address] += 1
        try:
            yield
        finally:
            self._unfinished[address] -= 1
            if not self._unfinished[address]:
                del self._unfinished[address]


def declared(scope: Scope) -> int:
    """Return the size that a request says its body has; 0 if it does not say."""
    text = Headers(scope=scope).get("content-length", "")
    # More digits are no size of anything.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def closing(refused: Refusal) -> Refusal:
    """Return a refusal after which the server reads no more from the connection."""
    refused.response.headers["connection"] = "close"
    return refused


def read_before(body: bytes, scope: Scope, receive: Receive) -> Receive:
    """Give a request its body, and return the `receive` from which nobody else reads it.

    A framework would parse it on every route, with limits of its own.

    Args:
        body: of the request.
        scope: of the request.
        receive: what the request still gets: the end of its connection.
    """
    scope[SCOPE_KEY] = body
    nothing: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive_nothing() -> Message:
        return nothing.pop() if nothing else await receive()

    return receive_nothing
