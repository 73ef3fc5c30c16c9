"""Signed channel grants: the only way in which a page names the channels that it follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from itsdangerous import BadData, URLSafeTimedSerializer

from .errors import GrantError
from .log import Cursor
from .protocol import CURSOR_SEPARATOR
from .wire import check_channel

SALT = "sse_components.grant"


class Grant(NamedTuple):
    """Leave to follow some channels, from a cursor on."""

    channels: frozenset[str]
    cursor: Cursor | None


class Grants:
    """Signs and reads grants.

    Args:
        secret_key: the application's key.

    Raises:
        GrantError: if the key is empty.
    """

    def __init__(self, secret_key: str) -> None:
        if not secret_key:
            raise GrantError("grants need the application's secret key: give setup_sse(..., secret_key=...)")
        self._serializer = URLSafeTimedSerializer(secret_key, salt=SALT)

    def sign(self, channels: Iterable[str], cursor: Cursor) -> str:
        """Return a grant for `channels` as text for a URL.

        Raises:
            ChannelError: if a channel's name is not allowed.
            GrantError: without channels.
        """
        names = sorted({check_channel(name) for name in channels})
        if not names:
            raise GrantError("a grant needs at least one channel")
        return str(self._serializer.dumps([names, str(cursor)]))

    def read(self, text: str) -> Grant:
        """Return what `<grant>` or `<grant>~<cursor>` allows; a cursor behind it replaces the one inside.

        Raises:
            GrantError: if the grant is not one that this application has signed.
        """
        token, _, later = text.partition(CURSOR_SEPARATOR)
        try:
            names, cursor = self._serializer.loads(token)
        except BadData as error:
            raise GrantError("the grant is not one of this application's: reload the page") from error
        return Grant(frozenset(names), Cursor.parse(later or cursor))
