"""Where events are kept, and how they reach other processes."""

from __future__ import annotations

from .base import Backend, Listener
from .memory import MemoryBackend

__all__ = ["Backend", "Listener", "MemoryBackend"]
