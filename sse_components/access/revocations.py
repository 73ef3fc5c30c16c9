"""What has been taken back, and until when it had been given."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from itertools import product

from .identity import Who

Clock = Callable[[], float]
Key = tuple[str | None, str | None, str | None, str | None]


class Revocations:
    """Remembers what was revoked of a user, a session, a channel or one grant, or of several of these at once.

    Looking one up costs the same however many there are.

    Args:
        keep: seconds for which each is remembered: nothing that was given lives longer.
        clock: seconds since the epoch.
    """

    def __init__(self, keep: float = 0.0, clock: Clock = time.time) -> None:
        self.keep, self.clock = keep, clock
        self._until: dict[Key, float] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._until)

    def add(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        channel: str | None = None,
        serial: str | None = None,
    ) -> None:
        """Revoke what all the given ones have in common, as it was given until now."""
        key, now = (user, session, channel, serial), self.clock()
        self._until.pop(key, None)
        self._until[key] = now
        while (oldest := next(iter(self._until))) and self._until[oldest] < now - self.keep:
            del self._until[oldest]

    def hit(self, who: Who, channels: Iterable[str], given: float, serial: str | None = None) -> bool:
        """Tell whether something is revoked that was given to someone.

        Args:
            who: whoever comes with it.
            channels: what it is for.
            given: when, in seconds since the epoch.
            serial: of the grant.
        """
        if not self._until:
            return False
        keys = product({None, who.user}, {None, who.session}, {None, *channels}, {None, serial})
        return any(self._until.get(key, -math.inf) >= given for key in keys)
