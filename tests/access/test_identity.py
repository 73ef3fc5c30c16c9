from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.authentication import AuthCredentials, BaseUser, SimpleUser, UnauthenticatedUser

from sse_components.access.identity import (
    Principal,
    ensure_session_id,
    is_tab,
    principal_of,
    session_channel,
    session_id,
    tab_of,
    user_channel,
    user_of,
)
from sse_components.events.wire import KitChannel, check_channel

ANN, BOB = Principal("ann", "one"), Principal("bob", "two")


class Nameless(BaseUser):
    is_authenticated = True


class Known(Nameless):
    identity = "7"


@pytest.mark.parametrize(
    ("scope", "user"),
    [
        ({}, None),
        ({"auth": None}, None),
        ({"auth": ""}, None),
        ({"auth": False}, None),
        ({"auth": "ann"}, "ann"),
        ({"auth": 0}, "0"),
        ({"auth": AuthCredentials(["authenticated"]), "user": Known()}, "7"),
        ({"auth": AuthCredentials(), "user": UnauthenticatedUser()}, None),
        ({"auth": AuthCredentials(), "user": SimpleUser("ann")}, "ann"),
        ({"auth": AuthCredentials(), "user": Nameless()}, None),
    ],
)
def test_the_user_comes_from_the_scope_of_fasthtml_or_starlette(scope: dict[str, Any], user: str | None) -> None:
    assert user_of(scope) == user


def test_a_session_gets_an_id_on_demand_and_keeps_it() -> None:
    session: dict[str, Any] = {}
    assert session_id(session) is None
    assert principal_of({"session": session}) == Principal()
    id = ensure_session_id(session)
    assert id == ensure_session_id(session) == session_id(session)
    assert principal_of({"session": session, "auth": "ann"}) == Principal("ann", id)
    assert ensure_session_id({}) != id


def test_without_a_session_there_is_no_id() -> None:
    assert ensure_session_id(None) is None
    assert session_id({"sse": {"not": "ours"}}) is None


@pytest.mark.parametrize(
    ("giver", "taker", "taken"),
    [
        (Principal(), BOB, True),
        (ANN, ANN, True),
        (ANN, Principal("ann", "two"), True),
        (ANN, Principal("ann"), True),
        (ANN, Principal("bob", "one"), False),
        (ANN, Principal(None, "one"), False),
        (ANN, Principal(), False),
        (Principal(None, "one"), Principal("ann", "one"), True),
        (Principal(None, "one"), Principal(None, "two"), False),
        (Principal(None, "one"), Principal("one"), False),
        (Principal("one"), Principal(None, "one"), False),
    ],
)
def test_the_principal_is_the_user_in_every_session_or_otherwise_the_session(
    giver: Principal, taker: Principal, taken: bool
) -> None:
    assert taker.owns(giver.binding) is taken


def test_a_mark_does_not_reveal_the_user() -> None:
    assert "ann" not in ANN.binding
    assert len(ANN.binding) == 23


def test_channels_of_the_kit_have_distinct_names() -> None:
    for channel in (user_channel("ann"), user_channel(7), session_channel("one")):
        assert re.fullmatch(r"sse:(user|session)/[\w-]{22}", channel)
        assert check_channel(channel) is channel
        assert isinstance(channel, KitChannel)
    assert user_channel(7) == user_channel("7") != session_channel("7")


@pytest.mark.parametrize(
    ("name", "tab"),
    [
        ("tab_0123456789abcdef", True),
        ("tab_" + 64 * "A", True),
        ("tab_-_-_-_-_", True),
        ("tab_1234567", False),
        ("tab_" + 65 * "A", False),
        ("tab_12345678\n", False),
        ("tab_1234 5678", False),
        ("TAB_12345678", False),
        ("conn_12345678", False),
        ("", False),
    ],
)
def test_is_tab_recognizes_the_names_of_tabs(name: str, tab: bool) -> None:
    assert is_tab(name) is tab
    headers = [(b"sse-tab", name.encode())]
    assert tab_of({"headers": headers}) == (name if tab else None)


def test_a_request_without_a_tab_header_has_no_tab() -> None:
    assert tab_of({"headers": []}) is None
    assert tab_of({}) is None
