"""What a process tells the others to end, where a backend is shared."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import Future
from functools import partial
from typing import Any

from ..access.revocations import RevocationLog
from ..access.selector import Selector
from ..access.shared_revocations import SharedRevocations
from ..backends.base import Backend, Item, KeepsState
from ..events.log import Event
from .enforcement import Enforcement

# What the others are told to do, as keys have it before a random name.
REVOKE, DISCONNECT = "revoke", "disconnect"


class Processes:
    """Tells the other processes of a backend what to end, and does what they tell.

    Args:
        backend: which tells them, if it is shared.
        revocations: what is revoked in all of them.
        enforcement: ends the connections of this process.
    """

    def __init__(self, backend: Backend, revocations: RevocationLog, enforcement: Enforcement) -> None:
        self._backend, self._revocations, self._enforcement = backend, revocations, enforcement
        self._own: set[str] = set()

    def tell(self, what: str, selector: Selector, result: int) -> Future[int] | int:
        """Have the other processes do what this one has done.

        A revocation is told by itself; of a connection, only its own process can find the grants.

        Args:
            what: `REVOKE` or `DISCONNECT`.
            selector: the connections.
            result: the number of those that this process has ended.

        Returns:
            The number; if the others have to be told, a future of it.

        Raises:
            BackendUnavailable: if they cannot be told.
        """
        if not isinstance(self._backend, KeepsState):
            return result
        puts = self._take_puts()
        if what == DISCONNECT or selector.connection is not None:
            key = f"{what} {secrets.token_hex(8)}"
            put = self._backend.put(key, json.dumps(selector), keep=0)
            self._own.add(key)
            put.add_done_callback(partial(self._forget, key))
            puts.append(put)
        return result_after(puts, result)

    def hear(self, event: Event) -> Selector | None:
        """Do what another process tells.

        Args:
            event: of the backend, that tells of a value.

        Returns:
            What another process has revoked.
        """
        key, value, _ = Item.of(event)
        if key in self._own:
            self._own.remove(key)
            return None
        what = key.partition(" ")[0]
        if what == DISCONNECT:
            self._enforcement.disconnect(Selector(*json.loads(value)))
            return None
        return self._revoke(Selector(*json.loads(value))) if what == REVOKE else self._hear_revocation(event)

    def _forget(self, key: str, put: Future[Event]) -> None:
        if put.exception() is not None:
            self._own.discard(key)

    def _revoke(self, selector: Selector) -> Selector:
        self._enforcement.revoke(selector)
        self._take_puts()
        return selector

    def _hear_revocation(self, event: Event) -> Selector | None:
        heard = self._revocations.hear(event) if isinstance(self._revocations, SharedRevocations) else None
        if heard is None:
            return None
        user, browser, channel, serial = heard
        selector = Selector(user, browser, None, channel)
        self._enforcement.end_revoked(selector)
        return selector if serial is None else None  # a grant alone says nothing about who is in a room

    def _take_puts(self) -> list[Future[Event]]:
        return self._revocations.take_puts() if isinstance(self._revocations, SharedRevocations) else []


def result_after(puts: list[Future[Any]], result: int) -> Future[int]:
    """Return a future of a result that is there when all of the others are done. It fails with the first that fails."""
    found: Future[int] = Future()
    found.set_running_or_notify_cancel()
    left = len(puts)

    def on_done(done: Future[Any]) -> None:
        nonlocal left
        left -= 1
        if found.done():
            return
        if (error := done.exception()) is not None:
            found.set_exception(error)
        elif left == 0:
            found.set_result(result)

    for put in puts:
        put.add_done_callback(on_done)
    if not puts:
        found.set_result(result)
    return found
