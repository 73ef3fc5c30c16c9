from __future__ import annotations

import math

import pytest

from sse_components.access.grants import Grant
from sse_components.access.identity import Principal
from sse_components.access.subscriber import ActiveGrant, Subscriber, address_of, client_of


def active(serial: str, channels: str, expires: float) -> ActiveGrant:
    return ActiveGrant(Grant(frozenset(channels), None, serial=serial), expires)


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber({}, 0)


def test_without_grants_nothing_expires(subscriber: Subscriber) -> None:
    assert subscriber.expires_at == math.inf
    assert subscriber.expired_channels(1e12) == []


def test_a_channel_expires_with_the_last_grant_for_it(subscriber: Subscriber) -> None:
    subscriber.use([active("1", "ab", 10), active("2", "bc", 20)])
    assert subscriber.expires_at == 10
    assert [subscriber.expired_channels(at) for at in (9, 10, 20)] == [[], ["a"], ["a", "b", "c"]]


def test_a_grant_may_expire_if_another_covers_its_channels(subscriber: Subscriber) -> None:
    subscriber.use([active("1", "a", 10), active("2", "a", 20)])
    assert subscriber.expires_at == 20


def test_only_an_active_grant_can_be_renewed(subscriber: Subscriber) -> None:
    subscriber.use([active("1", "a", 10), active("2", "b", 10)])
    subscriber.renew([active("1", "a", 30), active("3", "c", 30)])
    assert subscriber.expired_channels(20) == ["b"]
    assert {channel for grant, _ in subscriber.grants for channel in grant.channels} == {"a", "b"}


@pytest.mark.parametrize(
    ("principal", "address", "client"),
    [
        (Principal("ann", "s1", "one"), "address 10.0.0.1", "browser one"),
        (Principal("ann"), "address 10.0.0.1", "user ann"),
        (Principal(), "address 10.0.0.1", "address 10.0.0.1"),
        (Principal(), None, "address"),
    ],
)
def test_connections_are_counted_for_the_session_or_the_user_or_the_address(
    principal: Principal, address: str | None, client: str
) -> None:
    assert client_of(principal, address) == client


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.1", "address 10.0.0.1"),
        ("::ffff:10.0.0.1", "address 10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::"),
        ("a-name", "address a-name"),
    ],
)
def test_a_client_of_ipv6_is_one_although_it_has_many_addresses(host: str, address: str) -> None:
    assert address_of({"client": (host, 5)}) == address


@pytest.mark.parametrize("scope", [{}, {"client": None}])
def test_behind_a_unix_socket_no_address_is_known(scope: dict[str, object]) -> None:
    assert address_of(scope) is None
