"""Live HTML in every tab, from Python: a component kit for FastHTML and htmx over Server-Sent Events."""

from __future__ import annotations

from .app import setup_sse
from .backends import Backend, MemoryBackend
from .broadcast import (
    BroadcastManager,
    BroadcastMessage,
    create_broadcast_endpoint,
    create_broadcast_handler,
    setup_broadcast_routes,
)
from .components import SSE, create_sse_element
from .connections import ConnectionRegistry, ConnectionState, SSEConnection
from .errors import (
    ChannelError,
    ConnectionClosed,
    GrantError,
    HistoryGap,
    MarkupError,
    MessageTooLarge,
    NotRunning,
    SetupError,
    SSEComponentsError,
    WireError,
)
from .log import EventLog
from .oob import OOBStreamBuilder, oob

__version__ = "0.1.0"

__all__ = [
    "SSE",
    "Backend",
    "BroadcastManager",
    "BroadcastMessage",
    "ChannelError",
    "ConnectionClosed",
    "ConnectionRegistry",
    "ConnectionState",
    "EventLog",
    "GrantError",
    "HistoryGap",
    "MarkupError",
    "MemoryBackend",
    "MessageTooLarge",
    "NotRunning",
    "OOBStreamBuilder",
    "SSEComponentsError",
    "SSEConnection",
    "SetupError",
    "WireError",
    "create_broadcast_endpoint",
    "create_broadcast_handler",
    "create_sse_element",
    "oob",
    "setup_broadcast_routes",
    "setup_sse",
]
