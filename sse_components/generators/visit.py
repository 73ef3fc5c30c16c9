"""A stream of an application's source, as the enforcement knows it: it is ended like any other when it is revoked."""

from __future__ import annotations

import secrets
from typing import Any

import anyio
from starlette.types import Message, Receive, Scope, Send

from ..access.revocations import latest
from ..access.subscriber import Subscriber
from ..delivery import servers
from ..delivery.admission import Admission
from ..delivery.connection import ACTIVE_STATES, ConnectionState
from ..delivery.enforcement import GRACE
from ..delivery.feed import body_message
from ..events.moment import now


class Visit:
    """One answer that is a stream of an application's source, with its visitor.

    Args:
        response: sends the stream.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        self._running, self._final, self._complete = anyio.CancelScope(), b"", False
        self.connection_id, self.connection_type = f"source_{secrets.token_urlsafe(9)}", "source"
        self.state, self.metadata = ConnectionState.CONNECTED, dict[str, Any]()
        self.created_at = self.last_activity = now()
        self.made_after = latest()
        self.subscriber: Subscriber | None = None
        self.channels, self.message_count, self.waiting_bytes, self.queue = frozenset[str](), 0, 0, None

    async def run(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, until it or its visitor's permission ends.

        Raises:
            Refusal: 503 or 429, if it would be one stream too many.
        """

        async def noted(message: Message) -> None:
            self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with admission.hold(self, scope), self._running:
            await self._response(scope, receive, noted)
        if self._running.cancelled_caught and not self._complete:
            await self._say_goodbye(receive, send)

    async def _say_goodbye(self, receive: Receive, send: Send) -> None:
        with anyio.move_on_after(GRACE) as grace:
            await send(body_message(self._final, more=False))
        if grace.cancelled_caught:
            servers.abort(send, receive)  # type: ignore[arg-type]
            await anyio.sleep(0.01)  # the server learns of it before it misses the end of the body

    def is_active(self) -> bool:
        """Return whether it has not been ended."""
        return self.state in ACTIVE_STATES

    def offer(self, data: Any) -> bool:
        """Send nothing: what it streams is its source's."""
        return False

    async def deliver(self, *args: Any) -> bool:
        """Send nothing: what it streams is its source's."""
        return False

    def end(self, frame: bytes = b"") -> None:
        """End it, with a last frame."""
        if self.is_active():
            self.state, self._final = ConnectionState.DISCONNECTED, frame
            self._running.cancel()

    def cut(self) -> None:
        """End it."""
        self.end()

    def close(self, *, state: ConnectionState = ConnectionState.DISCONNECTED) -> None:
        """End it."""
        self.end()
