"""What a process must not share with the one that it was forked from: identities, event loops, held locks.

A server may import the application and then fork its workers (`gunicorn --preload`), and a worker that dies is replaced
by another fork. Whatever was made at import is the same in each of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What has to change in a forked process."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process. It is called in the child, before any other code."""
        ...


_told: WeakSet[Forked] = WeakSet()


def tell_after_fork(part: Forked) -> None:
    """Have `part.after_fork` called in each process that is forked, as long as somebody uses `part`."""
    _told.add(part)


def _tell_all() -> None:
    for part in list(_told):
        part.after_fork()


# There is no fork on Windows.
_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_tell_all)


class Guard:
    """A lock, for `with`, that is free in a forked process, whichever thread held it in the parent at that moment."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Be free."""
        self._lock = Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()
