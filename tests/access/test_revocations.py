from __future__ import annotations

import pytest

from sse_components.access.identity import Principal
from sse_components.access.revocations import Revocations
from tests.support.clock import Clock

ANN, BOB = Principal("ann", "s1", "one"), Principal("bob", "s2", "two")


@pytest.fixture
def revoked(clock: Clock) -> Revocations:
    return Revocations(60, clock)


def test_a_revocation_applies_only_to_earlier_grants(revoked: Revocations) -> None:
    before = revoked.order
    revoked.add(user="ann")
    assert revoked.covers(ANN, ["todos"], before)
    assert not revoked.covers(ANN, ["todos"], revoked.order)
    assert not revoked.covers(BOB, ["todos"], before)


def test_the_order_of_revocations_does_not_depend_on_the_clock(revoked: Revocations, clock: Clock) -> None:
    before = revoked.order
    clock.now -= 0.5
    revoked.add(user="ann")
    assert revoked.covers(ANN, ["todos"], before)


def test_several_keys_must_all_match(revoked: Revocations) -> None:
    revoked.add(user="ann", channel="todos")
    assert revoked.covers(ANN, ["chat", "todos"], 0)
    assert not revoked.covers(ANN, ["chat"], 0)
    assert not revoked.covers(BOB, ["todos"], 0)


@pytest.mark.parametrize("key", [{"user": "ann"}, {"browser": "one"}, {"channel": "todos"}, {"serial": "7"}])
def test_a_single_key_is_sufficient(revoked: Revocations, key: dict[str, str]) -> None:
    revoked.add(**key)
    assert revoked.covers(ANN, ["todos"], 0, "7")
    assert not revoked.covers(BOB, ["chat"], 0, "8")


def test_keys_of_different_kinds_do_not_match(revoked: Revocations) -> None:
    revoked.add(user="one")
    revoked.add(browser="todos")
    assert not revoked.covers(ANN, ["todos"], 0)


def test_a_revocation_is_kept_until_all_earlier_grants_have_expired(revoked: Revocations, clock: Clock) -> None:
    revoked.add(user="ann")
    clock.now = 130
    revoked.add(user="bob")
    revoked.add(user="ann")
    latest = revoked.order
    clock.now = 160
    revoked.add(channel="todos")
    assert len(revoked) == 3
    clock.now = 191
    revoked.add(channel="chat")
    assert len(revoked) == 2
    assert revoked.covers(BOB, ["todos"], latest)
    assert not revoked.covers(ANN, ["other"], latest)
