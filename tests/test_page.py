from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from sse_components import GrantError, SetupError
from sse_components.log import Cursor
from sse_components.page import Page, current_page, kit_prefix, this_page
from sse_components.tokens import Grants

GRANTS = Grants("key")
HERE = Cursor("epoch", 7)


@pytest.fixture
def rendered_page() -> Iterator[Page]:
    page = Page("/live", GRANTS, HERE)
    token = current_page.set(page)
    yield page
    current_page.reset(token)


def test_a_stream_has_its_channels_and_the_pages_cursor_in_its_address(rendered_page: Page) -> None:
    path, query = urlsplit(rendered_page.stream_url(["todos", "chat"]))[2:4]
    assert path == "/live/stream"
    ((name, (token,)),) = parse_qs(query, strict_parsing=True).items()
    assert name == "sub"
    assert GRANTS.read(token)[:2] == (frozenset({"todos", "chat"}), HERE)


def test_a_page_without_channels_has_no_stream(rendered_page: Page) -> None:
    with pytest.raises(GrantError, match="at least one channel"):
        rendered_page.stream_url([])


def test_a_request_knows_its_page_and_where_the_kit_is(rendered_page: Page) -> None:
    assert this_page() is rendered_page
    assert kit_prefix() == "/live"


def test_outside_of_a_request_there_is_no_page() -> None:
    with pytest.raises(SetupError, match=r"call this in a handler of an app with setup_sse\(app\)$"):
        this_page()
    assert kit_prefix() == "/sse"
