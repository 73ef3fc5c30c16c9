"""Streams, as cjm-fasthtml-sse names them: `streaming` of that library."""

from __future__ import annotations

from .generators.endpoint import create_sse_endpoint
from .generators.progress import create_progress_stream
from .generators.streams import SSEStream, StreamConfig, sse_generator, stream_updates
from .generators.throttle import create_throttled_stream
from .html.oob import OOBStreamBuilder

__all__ = [
    "OOBStreamBuilder",
    "SSEStream",
    "StreamConfig",
    "create_progress_stream",
    "create_sse_endpoint",
    "create_throttled_stream",
    "sse_generator",
    "stream_updates",
]
