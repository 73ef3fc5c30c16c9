"""Connections, as cjm-fasthtml-sse names them: `connections` of that library."""

from __future__ import annotations

from .delivery.connection import ConnectionState, SSEConnection
from .delivery.registry import ConnectionRegistry
from .html.connect import create_sse_element
from .html.scripts import cleanup_sse_on_unload, create_connection_manager_script, create_reconnection_script

__all__ = [
    "ConnectionRegistry",
    "ConnectionState",
    "SSEConnection",
    "cleanup_sse_on_unload",
    "create_connection_manager_script",
    "create_reconnection_script",
    "create_sse_element",
]
