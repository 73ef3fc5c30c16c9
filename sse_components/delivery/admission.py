"""The one way in for streams: each has a visitor, takes a place, and is known to the enforcement of revocations."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from ..access.identity import principal_of
from ..access.subscriber import Subscriber
from ..access.visitor import visitor_of
from ..errors import IdentityError
from .connection import Connection
from .enforcement import Enforcement
from .quota import Place, Quota

# The key of an application's admission in the scope of its requests.
SCOPE_KEY = "sse_components.admission"


class Admission:
    """Admits streams.

    Args:
        quota: counts them.
        enforcement: ends them when their visitor may no longer follow them.
    """

    def __init__(self, quota: Quota, enforcement: Enforcement) -> None:
        self._quota, self._enforcement = quota, enforcement

    def enter(self, connection: Connection, scope: MutableMapping[str, Any]) -> Place:
        """Admit a stream whose response begins: it has a visitor from now on.

        Args:
            connection: the stream.
            scope: of its request.

        Returns:
            The place that it has, until the place is freed or forgotten.

        Raises:
            Refusal: 503 or 429, if it would be one stream too many.
        """
        if connection.subscriber is None:
            connection.subscriber = subscriber_of(scope, connection.made_after)
        return self._quota.take(connection.subscriber)

    @contextmanager
    def hold(self, connection: Connection, scope: MutableMapping[str, Any]) -> Iterator[None]:
        """Admit a stream that is not in the registry, and have it ended like all others, while the block lasts.

        Args:
            connection: the stream.
            scope: of its request.

        Raises:
            Refusal: as `enter`.
        """
        place = self.enter(connection, scope)
        self._enforcement.watch(connection)
        try:
            yield
        finally:
            self._enforcement.watch_no_longer(connection)
            place.free()


def subscriber_of(scope: MutableMapping[str, Any], since: int) -> Subscriber:
    """Return the visitor of a stream that needs no grant. A logout reaches it by the browser, which gets a cookie.

    It counts as the client that it was before: else each request without a cookie would be another client.

    Args:
        scope: of the request.
        since: the number of revocations when the stream was made: it is ended if it was revoked later.
    """
    try:
        subscriber = Subscriber(scope, since)
    except IdentityError:  # it is known by the browser only
        return subscriber_of({**scope, "auth": None}, since)
    if (visitor := visitor_of(scope)) is not None:
        visitor.ensure()
        subscriber.principal = principal_of(scope)
    return subscriber
