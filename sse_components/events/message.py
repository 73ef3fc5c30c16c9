"""The message of a broadcast, and its form in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from .wire import encode


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@dataclass
class BroadcastMessage:
    """Standard broadcast message format for SSE communication.

    Attributes:
        type: of the message.
        data: anything that JSON can represent.
        timestamp: when the message was made, in ISO format.
        metadata: optional; as `data`.

    Source: cjm-fasthtml-sse, `broadcast`.
    """

    type: str
    data: dict[str, Any]
    timestamp: str = field(default_factory=lambda: now().isoformat())
    metadata: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the message that `to_json` has written."""
        return cls(**json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """Convert message to dictionary format."""
        return asdict(self)

    def to_json(self) -> str:
        """Convert message to JSON string.

        Raises:
            TypeError, ValueError: if JSON cannot represent `data` or `metadata`, such as a set or infinity.
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_sse(self, event_type: str | None = None) -> str:
        """Convert to SSE message format: one frame with the message as JSON.

        Args:
            event_type: name of the event; without it, the frame is a plain message.
        """
        return encode(self.to_json(), event=event_type).decode()
