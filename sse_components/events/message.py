"""The message of a broadcast, and its form in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from .json_text import snapshot, to_json_text
from .moment import now
from .wire import encode


@dataclass
class BroadcastMessage:
    """Standard broadcast message format for SSE communication.

    Attributes:
        type: of the message; any text.
        data: anything that `to_json_text` can represent.
        timestamp: when the message was made, as ISO text in UTC, with its offset.
        metadata: optional; as `data`.

    Example:
        `BroadcastMessage('note', {'text': 'hello'}).to_sse()`

    Source: cjm-fasthtml-sse, `broadcast`.
    """

    type: str
    data: dict[str, Any]
    timestamp: str = field(default_factory=lambda: now().isoformat())
    metadata: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the message that `to_json` has written.

        Args:
            text: the JSON.
        """
        return cls(**json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """Convert message to dictionary format."""
        return asdict(self)

    def to_json(self, *, lenient: bool = False) -> str:
        """Convert message to JSON string, as `to_json_text` does.

        Args:
            lenient: whether what JSON has no form for becomes its `str()`, instead of an error.

        Raises:
            TypeError, ValueError: if JSON has no form for `data` or `metadata`, such as infinity.
        """
        parts = {"type": self.type, "data": self.data, "timestamp": self.timestamp, "metadata": self.metadata}
        return MessageJSON.of(self, to_json_text(parts, lenient=lenient))

    def to_sse(self, event_type: str | None = None) -> str:
        """Convert to SSE message format: one frame with the message as JSON.

        Args:
            event_type: name of the event; without it, the frame is a plain message.

        Raises:
            WireError: for a name with a control character.
        """
        return encode(self.to_json(), event=event_type or None).decode()


class MessageJSON(str):
    """The JSON of a message, which remembers the message: JSON has no dates, sets and objects.

    A log in this process' memory keeps it, so that element builders and queues get the data that was broadcast. A log
    that other processes read has the JSON alone.
    """

    __slots__ = ("message",)
    message: BroadcastMessage

    @classmethod
    def of(cls, message: BroadcastMessage, text: str) -> Self:
        """Return JSON that remembers a copy of its message."""
        kept = cls(text)
        kept.message = replace(message, data=snapshot(message.data), metadata=snapshot(message.metadata))
        return kept


def message_of(text: str) -> BroadcastMessage:
    """Return the message of some JSON: a copy of the original if this process has made it, else what JSON carries."""
    if isinstance(text, MessageJSON):
        message = text.message
        return replace(message, data=snapshot(message.data), metadata=snapshot(message.metadata))
    return BroadcastMessage.from_json(text)
