from __future__ import annotations

from typing import Any

import pytest
from fasthtml.common import P, Request, fast_app, to_xml
from starlette.testclient import TestClient

from sse_components import MarkupError, SessionGuard, SetupError, setup_sse

HOSTILE = '"><script>alert(1)</script>'


def test_a_guard_is_a_closed_dialog_with_an_accessible_name() -> None:
    guard = SessionGuard(user="ann", cls="wide", sign_in="/in?next=/a&b")
    html = to_xml(guard)
    assert guard.tag == "dialog"
    assert "open" not in guard.attrs
    assert guard.attrs["aria-labelledby"] == "sse-session-guard-out"
    assert guard.attrs["class"] == "sse-session-guard wide"
    assert 'id="sse-session-guard-out"' in html
    assert 'href="/in?next=/a&amp;b"' in html
    assert 'method="dialog"' in html


def test_words_are_escaped_and_children_replace_the_content() -> None:
    html = to_xml(SessionGuard(P("Save first."), user="ann", signed_out=HOSTILE, stay=HOSTILE))
    assert HOSTILE not in html
    assert "<p>Save first.</p>" in html
    assert "kept as it is" not in html


def test_a_guard_contains_only_a_hash_of_the_user() -> None:
    marks = [SessionGuard(user=user).attrs["data-sse-who"] for user in ("ann", "bob", 7, "7", "")]
    assert marks[0] != marks[1]
    assert marks[2] == marks[3]
    assert marks[4] == ""
    assert "ann" not in to_xml(SessionGuard(user="ann"))


def test_an_id_that_selectors_cannot_name_is_refused() -> None:
    with pytest.raises(MarkupError, match=r"^a session guard needs an id"):
        SessionGuard(user="ann", id="a b")


def test_without_a_request_the_user_is_required() -> None:
    with pytest.raises(SetupError):
        SessionGuard()


@pytest.mark.parametrize(("auth", "expected"), [("ann", SessionGuard(user="ann")), (None, SessionGuard(user=""))])
def test_the_default_is_the_user_of_the_request(auth: Any, expected: Any) -> None:
    def before(request: Request) -> None:
        request.scope["auth"] = auth

    app, rt = fast_app(before=before, secret_key="key")
    setup_sse(app)

    @rt("/")
    def index() -> Any:
        return SessionGuard()

    with TestClient(app) as client:
        assert f'data-sse-who="{expected.attrs["data-sse-who"]}"' in client.get("/").text
