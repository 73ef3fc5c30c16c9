"""Revocations that every process knows, and that a restart does not forget: they are values that the backend keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from ..backends.base import Backend, Item, KeepsState
from ..errors import BackendUnavailable
from ..events.log import Event
from .identity import Principal
from .revocations import Key, RevocationLog, Revocations

PREFIX = "revoked "


def revocations_of(backend: Backend, keep: float) -> RevocationLog:
    """Return the revocations that a backend keeps, or else those of this process.

    Args:
        backend: of the application.
        keep: seconds for which a revocation must be remembered.
    """
    return SharedRevocations(backend, keep) if isinstance(backend, KeepsState) else Revocations(keep)


class SharedBackend(Backend, KeepsState, Protocol):
    """A backend that keeps values."""


class SharedRevocations:
    """Revocations that a backend keeps.

    The number of a revocation is the sequence of the event that tells of it; grants contain the sequence that their
    process knew of. So a grant that another process has issued before it was told is revoked as well.

    Args:
        backend: keeps values.
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
    """

    def __init__(self, backend: SharedBackend, keep: float) -> None:
        self.keep, self._backend = keep, backend
        self._here = Revocations(keep)
        self._numbered, self._epoch = Revocations(keep), ""
        self._puts: list[Future[Event]] = []

    @property
    def _told(self) -> Revocations:
        """Those of all processes. In another log their numbers mean nothing, and grants of the last one are refused."""
        if (epoch := self._backend.cursor.epoch) != self._epoch:
            self._numbered.forget_numbers()
            self._epoch = epoch
        return self._numbered

    @property
    def order(self) -> int:
        """The sequence up to which this process knows the revocations of all processes."""
        return int(self._backend.cursor.sequence)

    def add(
        self,
        *,
        user: str | None = None,
        browser: str | None = None,
        channel: str | None = None,
        serial: str | None = None,
    ) -> None:
        """Revoke every grant issued until now to which all of the arguments apply, and tell every process."""
        key = (user, browser, channel, serial)
        self._here.note(key, self._here.next_order())
        self._told.note(key, math.inf)  # until it is known
        put = self._put(key)
        put.add_done_callback(partial(self._note_failure, key))
        self._puts.append(put)

    def _put(self, key: Key) -> Future[Event]:
        try:
            return self._backend.put(PREFIX + json.dumps(key), "", keep=self.keep)
        except BackendUnavailable as error:
            failed: Future[Event] = Future()
            failed.set_exception(error)
            return failed

    def _note_failure(self, key: Key, put: Future[Event]) -> None:
        if put.exception() is not None:  # in this process, it is revoked nevertheless
            self._told.note(key, self.order + 1)

    def take_puts(self) -> list[Future[Event]]:
        """Return what is being stored since the last call."""
        puts, self._puts = self._puts, []
        return puts

    def hear(self, event: Event) -> Key | None:
        """Note a revocation of any process.

        Args:
            event: that tells of a value.

        Returns:
            What is revoked, if this process did not know of it: user, browser, channel and serial.
        """
        name = Item.of(event).key
        if not name.startswith(PREFIX):
            return None
        key: Key = tuple(json.loads(name.removeprefix(PREFIX)))
        known = self._told.order_of(key)
        if event.sequence <= known < math.inf:
            return None
        self._told.note(key, event.sequence)
        if known == math.inf:
            return None
        self._here.note(key, self._here.next_order())
        return key

    def covers(self, principal: Principal, channels: Iterable[str], order: int, serial: str | None = None) -> bool:
        """Tell whether a grant is revoked.

        Args:
            principal: who presents it.
            channels: the channels that it is for.
            order: the sequence that was known when it was issued.
            serial: of the grant.
        """
        return self._told.covers(principal, channels, order, serial)

    def covers_stream(self, principal: Principal, channels: Iterable[str], decided_at: int) -> bool:
        """Tell whether a stream without grants is revoked.

        Args:
            principal: whose stream it is.
            channels: that it follows.
            decided_at: the number of this process' revocations when it was decided on.
        """
        return self._here.covers(principal, channels, decided_at)
