"""Revocations: which grants are no longer valid, although they are signed and not expired."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import product

from .identity import Principal

Clock = Callable[[], float]
Key = tuple[str | None, str | None, str | None, str | None]


class Revocations:
    """Remembers revocations of a user, a browser, a channel or a grant, or of a combination of these.

    The cost of a look-up does not depend on how many revocations there are.

    Args:
        keep: seconds for which a revocation is remembered: at least as long as a grant is valid.
        clock: seconds since the epoch.
    """

    def __init__(self, keep: float, clock: Clock = time.time) -> None:
        self.keep, self.clock = keep, clock
        # Oldest first. A `dict` would search for its first key among all that were deleted before it.
        self._until: OrderedDict[Key, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

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
        self._until[key] = now
        self._until.move_to_end(key)
        while (oldest := next(iter(self._until))) and self._until[oldest] < now - self.keep:
            del self._until[oldest]

    def covers(self, principal: Principal, channels: Iterable[str], issued: float, serial: str | None = None) -> bool:
        """Tell whether a permission is revoked.

        Args:
            principal: who presents it.
            channels: the channels that it is for.
            issued: when it was issued, in seconds since the epoch.
            serial: of the grant.
        """
        if not self._until:
            return False
        keys = product({None, principal.user}, {None, principal.browser}, {None, *channels}, {None, serial})
        return any(self._until.get(key, -math.inf) >= issued for key in keys)
