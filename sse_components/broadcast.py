"""Broadcasts, as cjm-fasthtml-sse names them: `broadcast` of that library."""

from __future__ import annotations

from .endpoints.broadcast import create_broadcast_endpoint, create_broadcast_handler, setup_broadcast_routes
from .events.message import BroadcastMessage
from .manager import BroadcastManager

__all__ = [
    "BroadcastManager",
    "BroadcastMessage",
    "create_broadcast_endpoint",
    "create_broadcast_handler",
    "setup_broadcast_routes",
]
