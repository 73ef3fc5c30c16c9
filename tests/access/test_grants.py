from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from sse_components import ChannelError, GrantError
from sse_components.access.grants import Grants
from sse_components.access.identity import Principal, user_channel
from sse_components.access.revocations import Revocations
from sse_components.events.log import Cursor
from tests.support.clock import Clock

GRANTS = Grants("the application's key")
HERE = Cursor("ab12", 7)
TOKEN = GRANTS.sign(["todos"], HERE)
ANN = Principal("ann", "s1", "one")
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=50).filter(
    lambda name: not name.startswith("sse:")
)
NOT_OURS = "^the grant was not signed by this application: reload the page$"


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_signed_grant_is_read_back(channels: list[str]) -> None:
    assert GRANTS.read(GRANTS.sign(channels, HERE))[:2] == (frozenset(channels), HERE)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_grant_needs_no_escaping_in_a_url(channels: list[str]) -> None:
    assert re.fullmatch(r"[\w.-]+", GRANTS.sign(channels, HERE), re.ASCII)


@pytest.mark.parametrize(("named", "place"), [("ab12-9", 9), ("ab12-7", 7), ("ab12-0", 7)])
def test_a_cursor_after_the_grant_is_never_before_the_one_inside(named: str, place: int) -> None:
    token = GRANTS.sign(["todos"], HERE)
    grant = GRANTS.read(f"{token}~{named}")
    assert grant.cursor == Cursor("ab12", place)
    assert GRANTS.read(f"{GRANTS.renew(GRANTS.read(token))[0]}~{named}").cursor == grant.cursor


def test_a_grant_is_valid_in_its_place_only() -> None:
    token = GRANTS.sign(["todos"], HERE, place="/sse")
    assert GRANTS.read(token, place="/sse").channels == {"todos"}
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(token, place="/admin/sse")


@given(st.lists(NAMES, min_size=1, max_size=5), NAMES)
def test_a_grant_may_be_limited_to_those_who_follow_another_channel(channels: list[str], via: str) -> None:
    grant = GRANTS.read(GRANTS.sign(channels, HERE, ANN, via=via))
    assert (grant.channels, grant.binding, grant.via) == (frozenset(channels), "", via)


def test_grants_of_another_epoch_are_not_valid_where_a_restart_loses_revocations() -> None:
    epoch = ["ab12"]
    grants = Grants("key", epoch=lambda: epoch[0])
    token = grants.sign(["todos"], HERE)
    assert grants.read(token).cursor == HERE
    epoch[0] = "cd34"
    with pytest.raises(GrantError) as caught:
        grants.read(token)
    assert caught.value.reason == "expired"


def test_a_grant_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Revocations, "last", 7)  # other tests have revoked many
    assert len(GRANTS.sign(["todos"], Cursor("7f3a1c2d", 1042), ANN)) <= 66


def test_a_cursor_of_another_log_replaces_the_one_inside() -> None:
    token = GRANTS.sign(["todos"], HERE)
    assert GRANTS.read(f"{token}~cd34-9")[:2] == (frozenset({"todos"}), Cursor("cd34", 9))
    assert GRANTS.read(f"{token}~").cursor == HERE


@pytest.mark.parametrize("later", ["nonsense", "cd34-", "~", "cd34-9~"])
def test_an_invalid_cursor_after_the_grant_means_an_unknown_position(later: str) -> None:
    assert GRANTS.read(f"{GRANTS.sign(['todos'], HERE)}~{later}").cursor is None


@pytest.mark.parametrize("text", ["", "~", "todos", "todos~ab12-7", "a.b.c", "\N{SNOWMAN}", "\0", '["todos"]'])
def test_a_channel_name_is_not_a_grant(text: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS) as caught:
        GRANTS.read(text)
    assert (caught.value.reason, caught.value.channels) == ("forged", frozenset())


@given(st.text())
def test_an_unsigned_text_is_refused(text: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(text)


@given(st.data())
def test_an_altered_grant_is_refused_or_equal(data: st.DataObject) -> None:
    """Base64 ignores some bits of the last character of a signature."""
    token = TOKEN
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char not in (token[place], "~")))
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
def test_a_grant_signed_with_another_key_is_refused(key: str) -> None:
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(Grants(key).sign(["todos"], HERE))


def test_a_signature_for_another_purpose_is_refused() -> None:
    session = URLSafeSerializer("the application's key", salt="session").dumps([["todos"], str(HERE)])
    with pytest.raises(GrantError, match=NOT_OURS):
        GRANTS.read(str(session))


def test_a_grant_needs_a_channel() -> None:
    with pytest.raises(GrantError, match=r"^a grant needs at least one channel$"):
        GRANTS.sign([], HERE)


@pytest.mark.parametrize("channel", ["", " a", "a\nb", "sse:broadcast", 201 * "a"])
def test_a_channel_name_that_is_not_allowed_cannot_be_granted(channel: str) -> None:
    with pytest.raises(ChannelError):
        GRANTS.sign(["todos", channel], HERE)


@pytest.mark.parametrize("key", ["", None])
def test_a_key_must_not_be_empty(key: str) -> None:
    with pytest.raises(GrantError, match=r"secret key: give setup_sse\(\.\.\., secret_key=\.\.\.\)$"):
        Grants(key)


# ---------------------------------------------------------------------- for whom, and until when


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants("key", max_age=60, clock=clock)


def reason(grants: Grants, token: str, who: Principal = ANN) -> str:
    """Return why a grant for the todos is refused."""
    with pytest.raises(GrantError) as caught:
        grants.read(token, who)
    assert caught.value.channels == {"todos"}
    return caught.value.reason


def test_a_grant_belongs_to_the_user_or_otherwise_to_the_session(grants: Grants) -> None:
    for_ann, for_browser = grants.sign(["todos"], HERE, ANN), grants.sign(["todos"], HERE, Principal(None, "s0", "one"))
    assert grants.read(for_ann, Principal("ann", "s2", "another browser")).channels == {"todos"}
    assert grants.read(for_browser, ANN).channels == {"todos"}
    for other in (Principal(), Principal("bob", "s3", "two"), Principal(None, "s4", "two")):
        assert reason(grants, for_ann, other) == reason(grants, for_browser, other) == "foreign"


def test_a_grant_does_not_contain_the_name_of_its_user(grants: Grants) -> None:
    assert not re.search("ann|one", grants.sign(["todos"], HERE, ANN), re.IGNORECASE)


def test_a_grant_expires(grants: Grants, clock: Clock) -> None:
    token = grants.sign(["todos"], HERE, ANN)
    clock.now += 59.9
    grant = grants.read(token, ANN)
    assert grants.expires_at(grant) == 160
    clock.now += 0.1
    assert reason(grants, token) == "expired"


def test_a_renewed_grant_keeps_its_content_and_expires_later(grants: Grants, clock: Clock) -> None:
    grant = grants.read(grants.sign([user_channel("ann")], HERE, ANN), ANN)
    clock.now += 50
    token, renewed = grants.renew(grant)
    clock.now += 50
    assert grants.read(token, ANN) == renewed == grant._replace(issued=150)


def test_a_revocation_applies_only_to_earlier_grants(grants: Grants, clock: Clock) -> None:
    before = grants.sign(["todos"], HERE, ANN)
    grants.revocations.add(user="ann")
    clock.now += 0.001
    assert reason(grants, before) == "revoked"
    assert grants.read(grants.sign(["todos"], HERE, ANN), ANN).channels == {"todos"}


def test_revoking_a_grant_also_revokes_its_renewals(grants: Grants) -> None:
    token, other = grants.sign(["todos"], HERE), grants.sign(["todos"], HERE)
    grant = grants.read(token)
    renewed, _ = grants.renew(grant)
    grants.revocations.add(serial=grant.serial)
    assert reason(grants, token) == reason(grants, renewed) == "revoked"
    assert grants.read(other).channels == {"todos"}


def test_revocations_are_kept_until_the_last_grant_has_expired(clock: Clock) -> None:
    revocations = Revocations(60, clock)
    assert Grants("key", max_age=60, revocations=revocations, clock=clock).revocations is revocations
    with pytest.raises(ValueError, match=r"^revocations must be kept for 61 s, as long as grants are valid$"):
        Grants("key", max_age=61, revocations=revocations, clock=clock)


@pytest.mark.parametrize("seconds", [0, -1])
def test_grant_seconds_must_be_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"^max_age must be a number above 0, not {seconds}$"):
        Grants("key", max_age=seconds)
