from __future__ import annotations

import re
import time
from typing import Any

import pytest

from sse_components import SetupError
from sse_components.access.identity import Principal, principal_of
from sse_components.access.visitor import SCOPE_KEY, Visitor, Visitors

VISITORS = Visitors("key")


def visit(cookies: dict[str, str] | None = None, *, visitors: Visitors = VISITORS, **scope: Any) -> Visitor:
    """Return the visitor of a request with some cookies."""
    header = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return visitors.of({"headers": [(b"cookie", header.encode())], **scope})


def given(visitor: Visitor) -> dict[str, str]:
    """Return the cookies that a browser has after the response."""
    pairs = [header.decode().partition(";")[0].partition("=") for _, header in visitor.set_cookies]
    return {name: value for name, _, value in pairs}


def principal(visitor: Visitor, user: str | None = None) -> Principal:
    return principal_of({"auth": user, SCOPE_KEY: visitor})


def test_a_browser_gets_one_cookie_when_it_needs_one_and_keeps_it() -> None:
    first = visit()
    assert principal(first) == Principal()
    assert first.set_cookies == []
    first.ensure()
    known = principal(first)
    first.ensure()
    assert principal(first) == known != principal(visit(given(visit_again := visit())))
    assert visit_again.set_cookies == []
    second = visit(given(first))
    second.ensure()
    assert principal(second) == known
    assert second.set_cookies == []


def test_the_session_is_another_one_for_each_user_and_the_browser_stays() -> None:
    visitor = visit()
    visitor.ensure()
    nobody, ann, bob = (principal(visitor, user) for user in (None, "ann", "bob"))
    assert len({nobody.session, ann.session, bob.session}) == 3
    assert nobody.browser == ann.browser == bob.browser
    assert principal(visit(given(visitor)), "ann") == ann


def test_what_the_kit_works_with_does_not_reveal_the_cookie_and_depends_on_the_key() -> None:
    visitor = visit()
    visitor.ensure()
    ((name, value),) = given(visitor).items()
    found = principal(visitor, "ann")
    assert value not in str(found)
    other = visit({name: value}, visitors=Visitors("another key"))
    assert principal(other) == Principal()  # another application has another cookie
    forged = visit({other.cookie_name: value}, visitors=Visitors("another key"))
    assert principal(forged, "ann").browser not in (None, found.browser)


@pytest.mark.parametrize(
    ("scope", "pattern"),
    [
        ({}, r"sse-\S{8}=\S{22}; Path=/; HttpOnly; SameSite=Lax"),
        ({"root_path": "/ui/"}, r"sse-\S{8}=\S{22}; Path=/ui; HttpOnly; SameSite=Lax"),
        ({"root_path": "/ü;x"}, r"sse-\S{8}=\S{22}; Path=/%C3%BC%3Bx; HttpOnly; SameSite=Lax"),
        ({"scheme": "https"}, r"__Host-sse-\S{8}=\S{22}; Path=/; HttpOnly; SameSite=Lax; Secure"),
        (
            {"scheme": "https", "root_path": "/ui"},
            r"__Secure-sse-\S{8}=\S{22}; Path=/ui; HttpOnly; SameSite=Lax; Secure",
        ),
    ],
)
def test_the_cookie_is_for_the_mount_and_the_scheme(scope: dict[str, Any], pattern: str) -> None:
    visitor = visit(**scope)
    visitor.ensure()
    ((name, value),) = visitor.set_cookies
    assert name == b"set-cookie"
    assert re.fullmatch(pattern, value.decode())


def test_an_application_in_a_frame_of_another_site_has_a_cookie_there() -> None:
    visitor = visit(visitors=Visitors("key", same_site="none"))
    visitor.ensure()
    assert visitor.set_cookies[0][1].endswith(b"; HttpOnly; SameSite=None; Secure; Partitioned")
    with pytest.raises(SetupError, match="same_site must be one of lax, none; not 'strict'"):
        Visitors("key", same_site="strict")  # type: ignore[arg-type]


def test_two_mounts_of_one_host_have_two_cookies_and_share_nothing() -> None:
    outer, inner = visit(), visit(root_path="/admin")
    assert outer.cookie_name != inner.cookie_name
    outer.ensure()
    moved = visit({inner.cookie_name: given(outer)[outer.cookie_name]}, root_path="/admin")
    assert principal(moved, "ann").session not in (None, principal(outer, "ann").session)


@pytest.mark.parametrize("value", ["", "short", "x" * 23, "ä" * 22, "x" * 21 + "."])
def test_a_cookie_of_another_form_is_no_cookie(value: str) -> None:
    assert visit({visit().cookie_name: value}).browser is None


def test_the_namespace_names_the_application_the_mount_and_the_user() -> None:
    names = {visit().namespace(None), visit().namespace("ann"), visit().namespace("bob")}
    names |= {visit(root_path="/a").namespace("ann"), visit(visitors=Visitors("other")).namespace("ann")}
    assert len(names) == 5
    for name in names:
        assert re.fullmatch(r"[\w-]{8}\.([\w-]{12})?", name)
    assert len({visit().namespace(user).partition(".")[0] for user in ("ann", None)}) == 1


def test_a_value_is_kept_once_for_the_same_browser_and_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = visit()
    first.keep("toasts", ["saved"], 30)
    cookies = given(first)
    assert visit(cookies).kept("toasts", 30) == first.kept("toasts", 30) == ["saved"]
    name = f"{first.cookie_name}-toasts"
    other = visit()
    other.ensure()
    assert visit({**given(other), name: cookies[name]}).kept("toasts", 30) is None
    assert visit({**cookies, name: "x" + cookies[name]}).kept("toasts", 30) is None
    done = visit(cookies)
    done.keep("toasts", None, 30)
    assert done.kept("toasts", 30) is None
    assert b"-toasts=; Max-Age=0; " in done.set_cookies[0][1]
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    assert visit(cookies).kept("toasts", 30) is None
