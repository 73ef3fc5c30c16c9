from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from sse_components import BroadcastManager, Limits, MessageTooLarge
from sse_components.access.limits import RETRY_AFTER, overloaded, refusal

NAMES = [field.name for field in fields(Limits)]


def test_every_limit_has_a_default() -> None:
    assert {name: getattr(Limits(), name) for name in NAMES} == {
        "connections": 10_000,
        "connections_per_client": 100,
        "connections_per_address": 1_000,
        "channels_per_connection": 2_000,
        "tabs_per_client": 100,
        "rooms_per_tab": 20,
        "url_bytes": 8_192,
        "body_bytes": 262_144,
        "body_seconds": 10,
        "unfinished_bodies": 1_000,
        "unfinished_bodies_per_address": 100,
        "message_bytes": 2_000_000,
        "held_bytes": 1_000_000,
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", None, True])
def test_a_limit_must_be_a_positive_integer(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 1, not {value!r}$"):
        Limits(**{name: value})


def test_limits_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Limits().connections = 1  # type: ignore[misc]


@pytest.mark.anyio
async def test_message_size_is_limited_by_limits_or_by_max_message_bytes() -> None:
    for options, most in (
        ({"limits": Limits(message_bytes=10)}, 10),
        ({"limits": Limits(message_bytes=10), "max_message_bytes": 20}, 20),
    ):
        async with BroadcastManager(**options) as manager:
            await manager.publish("todos", most * "x")
            with pytest.raises(MessageTooLarge):
                await manager.publish("todos", (most + 1) * "x")


def test_refused_clients_are_asked_to_retry_at_different_times() -> None:
    waits = {int(overloaded(503, "no room").response.headers["retry-after"]) for _ in range(500)}
    assert waits == set(range(RETRY_AFTER[0], RETRY_AFTER[1] + 1))


def test_a_refusal_is_not_cached() -> None:
    response = refusal(414, "too long").response
    assert (response.status_code, response.body, response.headers["cache-control"]) == (414, b"too long", "no-store")
    assert "retry-after" not in response.headers
