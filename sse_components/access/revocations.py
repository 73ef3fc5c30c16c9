"""Revocations: which grants are no longer valid, although they are signed and not expired."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import product
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from .clock import Clock, steady
from .identity import Principal

Key = tuple[str | None, str | None, str | None, str | None]


class RevocationLog(Protocol):
    """What remembers revocations. They are in an order, which does not depend on any clock.

    Attributes:
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
        order: the number of revocations so far, which grants contain: a later revocation has a greater number.
        is_durable: whether a restart forgets nothing. If it does, grants from before the restart are not valid.
    """

    keep: float
    is_durable: bool

    @property
    def order(self) -> int:
        """The number of revocations so far."""
        ...

    def add(
        self,
        *,
        user: str | None = None,
        browser: str | None = None,
        channel: str | None = None,
        serial: str | None = None,
    ) -> None:
        """Revoke every grant issued until now to which all of the arguments apply."""
        ...

    def covers(self, principal: Principal, channels: Iterable[str], order: int, serial: str | None = None) -> bool:
        """Tell whether a permission is revoked."""
        ...


@runtime_checkable
class KeepsRevocations(Protocol):
    """A backend that keeps revocations beside its log, for all its processes."""

    def revocations(self, keep: float) -> RevocationLog:
        """Return its revocations.

        Args:
            keep: seconds for which a revocation must be remembered.
        """
        ...


def revocations_of(backend: object, keep: float) -> RevocationLog:
    """Return the revocations that a backend keeps, or else those of this process.

    Args:
        backend: of the application.
        keep: seconds for which a revocation must be remembered.
    """
    return backend.revocations(keep) if isinstance(backend, KeepsRevocations) else Revocations(keep)


def latest() -> int:
    """Return the number of all revocations in this process so far."""
    return Revocations.last


class Revocation(NamedTuple):
    """A revocation.

    Attributes:
        order: its number.
        at: when it was made, in seconds since the epoch.
    """

    order: int
    at: float


class Revocations:
    """Remembers revocations of a user, a browser, a channel or a grant, or of a combination of these, in this process.

    The cost of a look-up does not depend on how many revocations there are.

    Args:
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
        clock: seconds since the epoch, by which old revocations are forgotten.
    """

    is_durable = False
    last: ClassVar[int] = 0

    def __init__(self, keep: float, clock: Clock = steady) -> None:
        self.keep, self.clock = keep, clock
        # Oldest first. A `dict` would search for its first key among all that were deleted before it.
        self._made: OrderedDict[Key, Revocation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    @property
    def order(self) -> int:
        """The number of all revocations in this process so far, whoever remembers them."""
        return Revocations.last

    def add(
        self,
        *,
        user: str | None = None,
        browser: str | None = None,
        channel: str | None = None,
        serial: str | None = None,
    ) -> None:
        """Revoke every grant issued until now to which all of the arguments apply."""
        key, now = (user, browser, channel, serial), self.clock()
        Revocations.last += 1
        self._made[key] = Revocation(self.order, now)
        self._made.move_to_end(key)
        while (oldest := next(iter(self._made))) and self._made[oldest].at < now - self.keep:
            del self._made[oldest]

    def covers(self, principal: Principal, channels: Iterable[str], order: int, serial: str | None = None) -> bool:
        """Tell whether a permission is revoked.

        Args:
            principal: who presents it.
            channels: the channels that it is for.
            order: the number of revocations when it was issued.
            serial: of the grant.
        """
        if not self._made:
            return False
        keys = product({None, principal.user}, {None, principal.browser}, {None, *channels}, {None, serial})
        return any((made := self._made.get(key)) is not None and made.order > order for key in keys)
