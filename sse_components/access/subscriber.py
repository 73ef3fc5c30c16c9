"""The client of a stream, and the grants by which it follows channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from .grants import Grant
from .identity import Principal, principal_of


class ActiveGrant(NamedTuple):
    """A grant that a stream uses.

    Attributes:
        grant: the grant.
        expires_at: when it expires, in seconds since the epoch.
    """

    grant: Grant
    expires_at: float


class Subscriber:
    """The client that opened a stream, and its active grants.

    Attributes:
        principal: who sent the request.
        client: the browser, or else the user, or else the address, whose connections are counted together.
        address: the address, whose connections are counted together, too; None if the server does not know it.
        decided_at: the number of revocations when its grants were checked.
        grants: its active grants. A stream without any is not bound to a grant.
        expires_at: when the first of its channels expires, in seconds since the epoch.
    """

    __slots__ = ("address", "client", "decided_at", "expires_at", "grants", "principal")

    def __init__(self, scope: Mapping[str, Any], decided_at: int) -> None:
        self.principal = principal_of(scope)
        self.address = address_of(scope)
        self.client = client_of(self.principal, self.address)
        self.decided_at = decided_at
        self.grants: tuple[ActiveGrant, ...] = ()
        self.expires_at = math.inf

    def use(self, grants: Iterable[ActiveGrant]) -> None:
        """Replace all active grants."""
        self.grants = tuple(grants)
        self.expires_at = min(self._channel_ends().values(), default=math.inf)

    def renew(self, renewed: Iterable[ActiveGrant]) -> None:
        """Replace the grants that were renewed; grants that the stream does not use are ignored."""
        by_serial = {active.grant.serial: active for active in renewed}
        self.use(by_serial.get(active.grant.serial, active) for active in self.grants)

    def expired_channels(self, now: float) -> list[str]:
        """Return the channels for which no grant is valid at a moment, in seconds since the epoch."""
        return sorted(channel for channel, end in self._channel_ends().items() if end <= now)

    def _channel_ends(self) -> dict[str, float]:
        ends: dict[str, float] = {}
        for grant, expires_at in self.grants:
            for channel in grant.channels:
                ends[channel] = max(ends.get(channel, 0.0), expires_at)
        return ends


def client_of(principal: Principal, address: str | None) -> str:
    """Return the key by which connections are counted."""
    if principal.browser is not None:
        return f"browser {principal.browser}"
    return address or "address" if principal.user is None else f"user {principal.user}"


def address_of(scope: Mapping[str, Any]) -> str | None:
    """Return the key of the address that a request comes from, as the server knows it; None if it does not.

    A server that trusts its proxies knows the address that these have seen. Of IPv6, a client has a network of
    addresses.
    """
    client = scope.get("client")
    if not client:
        return None
    try:
        address = ip_address(client[0])
    except ValueError:
        return f"address {client[0]}"
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or ip_network((int(address), 64), strict=False).network_address
    return f"address {address}"
