"""Which subscribers a revocation is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .identity import Principal
from .rooms import both_channels


class Selector(NamedTuple):
    """Selects the connections to which all of the given attributes apply.

    Attributes:
        user: a user, as text.
        browser: the id of a browser, with whomever it is signed in.
        connection: the id of a connection.
        channel: a channel that the connection follows; or a room, whose presence it follows.
    """

    user: str | None = None
    browser: str | None = None
    connection: str | None = None
    channel: str | None = None

    @property
    def channels(self) -> frozenset[str]:
        """What its channel stands for: the channel, and the presence of the room with this name."""
        return frozenset() if self.channel is None else both_channels(self.channel)

    def matches(self, principal: Principal, channels: Iterable[str]) -> bool:
        """Tell whether a connection is selected, leaving its id aside.

        Args:
            principal: of the connection.
            channels: that it follows.
        """
        return (
            self.user in (None, principal.user)
            and self.browser in (None, principal.browser)
            and (self.channel is None or not self.channels.isdisjoint(channels))
        )
