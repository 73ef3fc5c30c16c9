"""Which subscribers a revocation is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .identity import Principal


class Selector(NamedTuple):
    """Selects the connections to which all of the given attributes apply.

    Attributes:
        user: a user, as text.
        browser: the id of a browser, with whomever it is signed in.
        connection: the id of a connection.
        channel: a channel that the connection follows.
    """

    user: str | None = None
    browser: str | None = None
    connection: str | None = None
    channel: str | None = None

    def matches(self, principal: Principal, channels: Iterable[str]) -> bool:
        """Tell whether a connection is selected, leaving its id aside.

        Args:
            principal: of the connection.
            channels: that it follows.
        """
        return (
            self.user in (None, principal.user)
            and self.browser in (None, principal.browser)
            and (self.channel is None or self.channel in channels)
        )
