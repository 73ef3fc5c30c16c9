"""Revocations: which grants are no longer valid, although they are signed and not expired."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from itertools import product
from typing import ClassVar, NamedTuple, Protocol

from .clock import Clock, steady
from .identity import Principal

Key = tuple[str | None, str | None, str | None, str | None]


class RevocationLog(Protocol):
    """What remembers revocations. They are in an order, which does not depend on any clock.

    Attributes:
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
        order: the number of revocations so far, which grants contain: a later revocation has a greater number.
    """

    keep: float

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
        """Tell whether a grant is revoked, of which `order` is known."""
        ...

    def covers_stream(self, principal: Principal, channels: Iterable[str], decided_at: int) -> bool:
        """Tell whether a stream without grants is revoked, which was decided on at a number of `latest()`."""
        ...


def latest() -> int:
    """Return the number of all revocations in this process so far."""
    return Revocations.last


class Revocation(NamedTuple):
    """A revocation.

    Attributes:
        order: its number; infinite as long as it is not known.
        at: when it was made, in seconds since the epoch.
    """

    order: float
    at: float


class Revocations:
    """Remembers revocations of a user, a browser, a channel or a grant, or of a combination of these, in this process.

    The cost of a look-up does not depend on how many revocations there are.

    Args:
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
        clock: seconds since the epoch, by which old revocations are forgotten.
    """

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
        self.note((user, browser, channel, serial), self.next_order())

    def next_order(self) -> int:
        """Return the number of the next revocation in this process."""
        Revocations.last += 1
        return Revocations.last

    def note(self, key: Key, order: float) -> None:
        """Remember a revocation with its number.

        Args:
            key: user, browser, channel and serial.
            order: the number.
        """
        now = self.clock()
        self._made[key] = Revocation(order, now)
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

    def covers_stream(self, principal: Principal, channels: Iterable[str], decided_at: int) -> bool:
        """Tell whether a stream without grants is revoked.

        Args:
            principal: whose stream it is.
            channels: that it follows.
            decided_at: the number of revocations when it was decided on.
        """
        return self.covers(principal, channels, decided_at)

    def forget_numbers(self) -> None:
        """Forget those whose number is known, because the numbers begin again."""
        for key in [key for key, made in self._made.items() if made.order < math.inf]:
            del self._made[key]

    def order_of(self, key: Key) -> float:
        """Return the number of a revocation; 0 if there is none."""
        made = self._made.get(key)
        return 0 if made is None else made.order
