"""The open streams of each browser: those of a user who is no longer signed in there are outdated."""

from __future__ import annotations

from collections import defaultdict

from ..access.identity import Principal
from .connection import Connection


class Browsers:
    """Knows the streams of each browser."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, dict[Connection, None]] = defaultdict(dict)

    def add(self, connection: Connection) -> list[Connection]:
        """Note a stream that opens, and return those that it makes outdated.

        Whoever sends this request is signed in now, so any other user of the browser is not. What nobody in particular
        may follow, the user who signs in may go on to follow.
        """
        principal = principal_of(connection)
        if principal.browser is None:
            return []
        streams = self._streams[principal.browser]
        outdated = [other for other in streams if principal_of(other).user not in (None, principal.user)]
        streams[connection] = None
        return outdated

    def remove(self, connection: Connection) -> None:
        """Note that a stream has ended. One that is not known is no error."""
        browser = principal_of(connection).browser
        if browser is not None and browser in self._streams:
            self._streams[browser].pop(connection, None)
            if not self._streams[browser]:
                del self._streams[browser]


def principal_of(connection: Connection) -> Principal:
    """Return the principal of a connection; an unknown one where the request was not checked."""
    return Principal() if connection.subscriber is None else connection.subscriber.principal
