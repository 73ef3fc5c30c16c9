from __future__ import annotations

import math

import pytest

from sse_components.access.grants import Grant
from sse_components.access.identity import Principal
from sse_components.access.subscriber import ActiveGrant, Subscriber, client_of


def held(serial: str, channels: str, expires: float) -> ActiveGrant:
    return ActiveGrant(Grant(frozenset(channels), None, serial=serial), expires)


@pytest.fixture
def visitor() -> Subscriber:
    return Subscriber({}, 0)


def test_without_grants_nothing_runs_out(visitor: Subscriber) -> None:
    assert visitor.expires == math.inf
    assert visitor.run_out(1e12) == []


def test_a_channel_runs_out_with_the_last_grant_for_it(visitor: Subscriber) -> None:
    visitor.hold([held("1", "ab", 10), held("2", "bc", 20)])
    assert visitor.expires == 10
    assert [visitor.run_out(at) for at in (9, 10, 20)] == [[], ["a"], ["a", "b", "c"]]


def test_a_grant_that_another_one_covers_may_run_out(visitor: Subscriber) -> None:
    visitor.hold([held("1", "a", 10), held("2", "a", 20)])
    assert visitor.expires == 20


def test_only_a_grant_that_is_held_can_be_renewed(visitor: Subscriber) -> None:
    visitor.hold([held("1", "a", 10), held("2", "b", 10)])
    visitor.renew([held("1", "a", 30), held("3", "c", 30)])
    assert visitor.run_out(20) == ["b"]
    assert {channel for one in visitor.held for channel in one.grant.channels} == {"a", "b"}


@pytest.mark.parametrize(
    ("who", "address", "client"),
    [
        (Principal("ann", "one"), ("10.0.0.1", 5), "session one"),
        (Principal("ann"), ("10.0.0.1", 5), "user ann"),
        (Principal(), ("10.0.0.1", 5), "address 10.0.0.1"),
        (Principal(), None, "address "),
    ],
)
def test_connections_are_counted_for_the_session_or_the_user_or_the_address(
    who: Principal, address: tuple[str, int] | None, client: str
) -> None:
    assert client_of(who, address) == client
