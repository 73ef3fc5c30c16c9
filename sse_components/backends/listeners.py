"""Who listens to a backend, and in which event loop."""

from __future__ import annotations

import asyncio

from ..errors import SetupError
from ..events.log import Event
from .base import Listener


class Listeners:
    """The listeners of a backend, all in one event loop.

    Args:
        backend: the backend's class, for the text of an error.

    Attributes:
        loop: the event loop of the listeners.
    """

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self.loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Listener] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def __call__(self, event: Event) -> None:
        """Hand an event to each listener."""
        for listener in self._listeners:
            listener(event)

    def enter(self) -> bool:
        """Use the running event loop; tell whether it is another one than before.

        Raises:
            SetupError: if there are listeners in another event loop.
        """
        loop = asyncio.get_running_loop()
        if self.loop is not None and self.loop.is_closed():  # it ended without a shutdown
            self._listeners.clear()
        if self._listeners and self.loop is not loop:
            raise SetupError(
                f"a {self._backend} is used in two event loops: give each application a backend of its own,"
                " or serve them in one event loop"
            )
        is_new, self.loop = self.loop is not loop, loop
        return is_new

    def add(self, listener: Listener) -> None:
        """Add a listener; one that is there already stays."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """Remove a listener; an unknown one is ignored."""
        if listener in self._listeners:
            self._listeners.remove(listener)
