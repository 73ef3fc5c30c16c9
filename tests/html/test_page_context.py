from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sse_components import GrantError, SetupError, this_session, this_tab
from sse_components.access.identity import Principal, session_channel, user_channel
from sse_components.html.page_context import Page, kit_prefix, page_of_session, this_page
from tests.support.rendering import GRANTS, HERE, rendering


def test_the_url_of_a_stream_has_its_channels_and_the_pages_cursor(rendered_page: Page) -> None:
    path, query = urlsplit(rendered_page.stream_url(["todos", "chat"]))[2:4]
    assert path == "/live/stream"
    ((name, (token,)),) = parse_qs(query, strict_parsing=True).items()
    assert name == "sub"
    assert GRANTS.read(token, rendered_page.principal, place="/live")[:2] == (frozenset({"todos", "chat"}), HERE)


def test_a_page_without_channels_has_no_stream(rendered_page: Page) -> None:
    with pytest.raises(GrantError, match="at least one channel"):
        rendered_page.stream_url([])


def test_a_request_has_its_page_and_the_prefix_of_the_kit(rendered_page: Page) -> None:
    assert this_page() is rendered_page
    assert kit_prefix() == "/live"


def test_outside_of_a_request_there_is_no_page() -> None:
    with pytest.raises(SetupError, match=r"call this in a handler of an app with setup_sse\(app\)$"):
        this_page()
    assert kit_prefix() == "/sse"
    assert this_tab() is None
    assert this_session() is None


def request(**scope: Any) -> Page:
    return Page("/live", GRANTS, HERE, {"headers": [], **scope})


def grant_of(page: Page) -> str:
    return parse_qs(urlsplit(page.stream_url(["todos"])).query)["sub"][0]


def test_a_page_gets_its_user_as_soon_as_the_scope_has_it() -> None:
    scope: dict[str, Any] = {"headers": []}
    page = request()
    page.enter(scope)
    assert (page.principal, page.user_channel, page.session_channel) == (Principal(), None, None)
    scope |= {"auth": "ann"}
    assert page.principal == Principal("ann")
    assert page.user_channel == user_channel("ann")


@pytest.mark.parametrize(
    ("method", "headers", "query", "address"),
    [
        ("GET", [], b"", "/caf%C3%A9"),
        ("GET", [], b"page=2&q=a%20b", "/caf%C3%A9?page=2&q=a%20b"),
        ("POST", [], b"", ""),
        ("GET", [(b"hx-request", b"true")], b"", ""),
        ("GET", [(b"hx-request", b"true"), (b"hx-boosted", b"true")], b"", "/caf%C3%A9"),
        ("GET", [(b"hx-request", b"true"), (b"hx-history-restore-request", b"true")], b"", "/caf%C3%A9"),
        ("GET", [(b"hx-request", b"true"), (b"hx-request-type", b"full")], b"", "/caf%C3%A9"),
    ],
)
def test_a_page_knows_whose_get_brings_it_again(
    method: str, headers: list[tuple[bytes, bytes]], query: bytes, address: str
) -> None:
    page = request(method=method, path="/café", query_string=query, headers=headers)
    assert page.address == address
    assert request().address == "*"


def test_a_browser_gets_a_cookie_only_when_something_is_granted_to_it() -> None:
    session: dict[str, Any] = {}
    with rendering(session=session) as page:
        assert page.visitor is not None
        assert (page.principal, page.user_channel, page.visitor.set_cookies) == (Principal(), None, [])
        token = grant_of(page)
        assert (len(page.visitor.set_cookies), session) == (1, {})
        assert GRANTS.read(token, page.principal, place="/live").channels == {"todos"}
        with pytest.raises(GrantError):
            GRANTS.read(token, place="/live")
        assert page.session_channel == session_channel(this_session() or "")


def test_without_a_browser_a_grant_belongs_to_nobody() -> None:
    assert GRANTS.read(grant_of(request()), place="/live").channels == {"todos"}


@pytest.mark.parametrize(("header", "tab"), [(b"tab_12345678", "tab_12345678"), (b"tab_1 2", ""), (b"", "")])
def test_this_tab_returns_the_tab_of_the_request_in_its_browser(header: bytes, tab: str) -> None:
    with rendering(headers=[(b"sse-tab", header)]) as page:
        assert this_tab() is None  # its browser is not known: nobody could tell whose tab it is
        page.begin_session()
        assert this_tab() == this_page().tab == (f"{tab}.{page.principal.browser}" if tab else None)


def test_the_session_of_a_request_names_its_page_also_when_the_handler_has_cleared_it() -> None:
    session: dict[str, Any] = {"user": "ann"}
    with rendering(session=session) as page:
        session.clear()
        assert page_of_session(session) is page
        with pytest.raises(SetupError, match="of the present request"):
            page_of_session({})
