from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.authentication import AuthCredentials, BaseUser, SimpleUser, UnauthenticatedUser

from sse_components import IdentityError
from sse_components.access.identity import (
    Principal,
    is_tab,
    is_tab_name,
    principal_of,
    session_channel,
    tab_of,
    user_channel,
    user_name,
    user_of,
)
from sse_components.access.visitor import SCOPE_KEY, Visitors
from sse_components.events.wire import KitChannel, check_channel

ANN, BOB = Principal("ann", "s1", "one"), Principal("bob", "s2", "two")


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


class Account:
    """A user as an object, without a text of its own."""


@dataclass
class Named:
    """A user as an object that has a text."""

    id: int


@pytest.mark.parametrize(
    ("auth", "fault"), [(True, "True names nobody"), (Account(), "a Account has no text of its own")]
)
def test_a_value_that_names_nobody_is_refused(auth: Any, fault: str) -> None:
    for find in (lambda: user_of({"auth": auth}), lambda: principal_of({"auth": auth}), lambda: user_channel(auth)):
        with pytest.raises(IdentityError, match=f"^{fault}: a user is named by an id or a name, in request.scope"):
            find()


@pytest.mark.parametrize("nobody", [None, False, ""])
def test_nobody_cannot_be_addressed(nobody: Any) -> None:
    assert user_of({"auth": nobody}) is None
    with pytest.raises(IdentityError, match="names nobody"):
        user_channel(nobody)


@pytest.mark.parametrize("user", [1, 0, "ann", Named(1)])
def test_an_id_a_name_and_an_object_with_a_text_name_a_user(user: Any) -> None:
    assert user_name(user) == user_of({"auth": user}) == str(user)


@pytest.mark.parametrize(
    ("giver", "taker", "taken"),
    [
        (Principal(), BOB, True),
        (ANN, ANN, True),
        (ANN, Principal("ann", "s3", "two"), True),
        (ANN, Principal("ann"), True),
        (ANN, Principal("bob", "s3", "one"), False),
        (ANN, Principal(None, "s0", "one"), False),
        (ANN, Principal(), False),
        (Principal(None, "s0", "one"), Principal("ann", "s1", "one"), True),
        (Principal(None, "s0", "one"), Principal(None, "s3", "two"), False),
        (Principal(None, "s0", "one"), Principal("one"), False),
        (Principal("one"), Principal(None, "s0", "one"), False),
    ],
)
def test_the_principal_is_the_user_in_every_browser_or_otherwise_the_browser(
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


BROWSER = 22 * "b"


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
        (f"tab_12345678.{BROWSER}", False),
        ("TAB_12345678", False),
        ("conn_12345678", False),
        ("", False),
    ],
)
def test_is_tab_name_recognizes_what_browsers_call_tabs(name: str, tab: bool) -> None:
    assert is_tab_name(name) is tab
    assert is_tab(f"{name}.{BROWSER}") is tab
    assert is_tab(name) is (name == f"tab_12345678.{BROWSER}")


def test_a_tab_counts_with_its_browser_only() -> None:
    headers = [(b"sse-tab", b"tab_0123456789")]
    mine, other = (Visitors("key").of({}) for _ in range(2))
    assert tab_of({"headers": headers, SCOPE_KEY: mine}) is None
    for visitor in (mine, other):
        visitor.ensure()
    tab = tab_of({"headers": headers, SCOPE_KEY: mine})
    assert tab is not None
    assert is_tab(tab)
    assert tab != tab_of({"headers": headers, SCOPE_KEY: other})


def test_a_request_without_a_tab_header_has_no_tab() -> None:
    assert tab_of({"headers": []}) is None
    assert tab_of({}) is None
