"""Where events are kept, and how they reach other processes."""

from __future__ import annotations

from .base import Backend, Listener
from .memory import MemoryBackend
from .redis import RedisBackend
from .sqlite import SqliteBackend
from .urls import backend_of

__all__ = ["Backend", "Listener", "MemoryBackend", "RedisBackend", "SqliteBackend", "backend_of"]
