from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from sse_components import ChannelError, GrantError
from sse_components.log import Cursor
from sse_components.tokens import SALT, Grant, Grants

GRANTS = Grants("the application's key")
HERE = Cursor("ab12", 7)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=50).filter(
    lambda name: not name.startswith("sse:")
)
NOT_OURS = "^the grant is not one of this application's: reload the page$"


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_grant_is_read_as_it_was_signed(channels: list[str]) -> None:
    assert GRANTS.read(GRANTS.sign(channels, HERE)) == Grant(frozenset(channels), HERE)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_grant_can_stand_in_a_url(channels: list[str]) -> None:
    assert re.fullmatch(r"[\w.-]+", GRANTS.sign(channels, HERE), re.ASCII)


def test_a_cursor_behind_the_grant_replaces_the_one_inside() -> None:
    token = GRANTS.sign(["todos"], HERE)
    assert GRANTS.read(f"{token}~cd34-9") == Grant(frozenset({"todos"}), Cursor("cd34", 9))
    assert GRANTS.read(f"{token}~").cursor == HERE


@pytest.mark.parametrize("later", ["nonsense", "cd34-", "~", "cd34-9~"])
def test_a_cursor_that_is_none_is_a_place_unknown(later: str) -> None:
    assert GRANTS.read(f"{GRANTS.sign(['todos'], HERE)}~{later}").cursor is None


@pytest.mark.parametrize("text", ["", "~", "todos", "todos~ab12-7", "a.b.c", "\N{SNOWMAN}", "\0", '["todos"]'])
def test_a_bare_channel_name_is_no_grant(text: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(text)


@given(st.text())
def test_no_text_that_was_not_signed_is_a_grant(text: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(text)


@given(st.data())
def test_an_altered_grant_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """The last character of a signature has bits that base64 leaves out."""
    token = GRANTS.sign(["todos"], HERE)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda one: one not in (token[place], "~")))
    altered = f"{token[:place]}{other}{token[place + 1 :]}"
    if place == len(token) - 1:
        try:
            assert GRANTS.read(altered) == GRANTS.read(token)
        except GrantError:
            return
    else:
        with pytest.raises(GrantError, match=NOT_OURS):
            GRANTS.read(altered)


@pytest.mark.parametrize("key", ["another key", "the application's key "])
def test_a_grant_of_another_application_is_refused(key: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(Grants(key).sign(["todos"], HERE))


def test_what_the_key_has_signed_for_another_purpose_is_refused() -> None:
    session = URLSafeTimedSerializer("the application's key", salt="session").dumps([["todos"], str(HERE)])
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(str(session))


def test_what_is_signed_and_yet_no_payload_is_refused() -> None:
    signer = URLSafeTimedSerializer("the application's key", salt=SALT).make_signer(SALT)
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(signer.sign(b"!").decode())


def test_a_grant_needs_a_channel() -> None:
    with pytest.raises(GrantError, match=r"^a grant needs at least one channel$"):
        GRANTS.sign([], HERE)


@pytest.mark.parametrize("channel", ["", " a", "a\nb", "sse:broadcast", 201 * "a"])
def test_only_channels_that_are_allowed_are_granted(channel: str) -> None:
    with pytest.raises(ChannelError):
        GRANTS.sign(["todos", channel], HERE)


@pytest.mark.parametrize("key", ["", None])
def test_a_key_is_needed(key: str) -> None:
    with pytest.raises(GrantError, match=r"secret key: give setup_sse\(\.\.\., secret_key=\.\.\.\)$"):
        Grants(key)
