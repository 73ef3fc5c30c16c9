from __future__ import annotations

import re
from copy import deepcopy

import pytest
from fasthtml.common import to_xml

from sse_components import SSE, ChannelError, GrantError, Kit, SetupError
from sse_components.html.granted import Granted, Readers, Site, present_manager, render_for
from tests.support.rendering import GRANTS, HERE, rendering


def grant_in(html: str) -> str:
    return str(re.findall(r"\?sub=([\w.-]+)", html)[0])


def test_an_element_may_be_made_before_any_request_and_is_granted_to_each_page_that_shows_it() -> None:
    element = SSE(channels="todos")
    with pytest.raises(SetupError, match="channels are granted to the page of a request"):
        to_xml(element)
    for _ in range(2):
        with rendering() as page:
            grant = GRANTS.read(grant_in(to_xml(deepcopy(element))), page.principal, place="/live")
            assert (grant.channels, grant.cursor, grant.binding) == (frozenset({"todos"}), HERE, page.principal.binding)


def test_an_element_is_granted_to_those_who_get_it() -> None:
    sse = Kit()
    sse.site = Site("/live", GRANTS)
    with rendering() as page:
        element = SSE(channels="todos")
        in_page = to_xml(element)
        in_message = render_for(Readers("list", sse), to_xml, element)
        assert to_xml(element) != in_message
    grants = [GRANTS.read(grant_in(html), page.principal, place="/live") for html in (in_page, in_message)]
    assert [(grant.via, grant.binding) for grant in grants] == [(None, page.principal.binding), ("list", "")]


def test_names_are_checked_when_the_element_is_made() -> None:
    with pytest.raises(ChannelError):
        Granted(["a\nb"])
    with pytest.raises(GrantError, match="at least one channel"):
        Granted([])


def test_the_manager_is_that_of_the_page_or_of_those_who_publish() -> None:
    sse = Kit()
    assert render_for(Readers("list", sse), present_manager) is sse
    with pytest.raises(SetupError):
        present_manager()
