"""Backends by their URLs."""

from __future__ import annotations

from urllib.parse import unquote

from ..errors import SetupError
from .base import Backend
from .memory import MemoryBackend
from .redis import RedisBackend
from .sqlite import SqliteBackend

ALLOWED = (
    "'memory', 'sqlite:///live.db' (a relative path), 'sqlite:////var/lib/app/live.db' (an absolute one),"
    " 'redis://host:6379/0' and 'rediss://host:6379/0' (TLS)"
)


def backend_of(given: Backend | str | None) -> Backend:
    """Return the backend of a URL, or the one that is given; by default this process' memory.

    Raises:
        SetupError: for a URL that means no backend.
    """
    if given is None or given == "memory":
        return MemoryBackend()
    if not isinstance(given, str):
        return given
    scheme, _, rest = given.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/"):
        return SqliteBackend(unquote(rest.removeprefix("/")))
    if scheme in ("redis", "rediss") and rest:
        return RedisBackend(given)
    raise SetupError(f"backend {given!r} is not known; allowed are {ALLOWED}")
