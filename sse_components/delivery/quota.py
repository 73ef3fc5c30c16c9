"""Counts connections: in all, by client and by address; and refuses those beyond the limits."""

from __future__ import annotations

import logging
from collections import Counter

from ..access.limits import Limits, overloaded
from ..access.subscriber import Subscriber
from .registry import ConnectionRegistry

logger = logging.getLogger("sse_components")


class Quota:
    """Counts the connections of each client and each address.

    A stream counts from the moment when its response begins, so that requests at the same moment cannot exceed a limit
    together.

    Args:
        registry: the connections that are open.
        limits: how many there may be.
    """

    def __init__(self, registry: ConnectionRegistry, limits: Limits) -> None:
        self._registry, self._limits = registry, limits
        self._taken: Counter[str] = Counter()
        self._unregistered = 0
        self._has_warned = False

    def check(self, subscriber: Subscriber) -> None:
        """Check that a client may open one more connection.

        Raises:
            Refusal: 503 if the server is full, 429 if the client, or all clients of its address, have too many.
        """
        if len(self._registry) + self._unregistered >= self._limits.connections:
            raise overloaded(503, "the server has as many connections as it takes")
        if self._taken[subscriber.client] >= self._limits.connections_per_client:
            raise overloaded(429, "too many connections from one client")
        address = subscriber.address
        if address is not None and self._taken[address] >= self._limits.connections_per_address:
            self._warn(address)
            raise overloaded(429, "too many connections from one address")

    def take(self, subscriber: Subscriber) -> Place:
        """Count one more connection, for as long as anything refers to the place that is returned.

        Raises:
            Refusal: as `check`.
        """
        self.check(subscriber)
        return Place(self, {subscriber.client, subscriber.address} - {None})  # type: ignore[arg-type]

    def count(self, keys: set[str], number: int) -> None:
        """Count connections, or with -1 one connection less."""
        for key in keys:
            self._taken[key] += number
            if not self._taken[key]:
                del self._taken[key]

    def count_unregistered(self, number: int) -> None:
        """Count streams that are not in the registry, or with -1 one stream less."""
        self._unregistered += number

    def _warn(self, address: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%s has %d streams, and gets no more. If it is your proxy's, have the server trust the proxy (uvicorn "
                "--forwarded-allow-ips); else raise Limits(connections_per_address=...)",
                address,
                self._limits.connections_per_address,
            )


class Place:
    """The place of one stream among those that a client, an address and the server may have.

    Args:
        quota: counts it, until it is freed or forgotten.
        keys: of the client and the address.
    """

    __slots__ = ("_keys", "_quota", "_unregistered")

    def __init__(self, quota: Quota, keys: set[str]) -> None:
        self._quota, self._keys, self._unregistered = quota, keys, True
        quota.count(keys, 1)
        quota.count_unregistered(1)

    def is_registered(self) -> None:
        """Note that the registry counts the stream from now on."""
        if self._unregistered:
            self._unregistered = False
            self._quota.count_unregistered(-1)

    def free(self) -> None:
        """Count the stream no longer. Freeing twice is allowed."""
        self.is_registered()
        self._quota.count(self._keys, -1)
        self._keys = set()

    __del__ = free
