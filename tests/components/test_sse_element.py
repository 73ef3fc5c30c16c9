from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fasthtml.common import FT, Li, to_xml

from sse_components import SSE, ChannelError, GrantError, MarkupError, SetupError, WireError
from sse_components.access.grants import Grant
from sse_components.html.page_context import this_page
from sse_components.protocol import SAME_PAGE
from tests.support.rendering import GRANTS, HERE


def grant(element: FT) -> Grant:
    """Return what the address that an element connects to grants."""
    ((name, (token,)),) = parse_qs(urlsplit(str(element.attrs["data-sse-connect"])).query, strict_parsing=True).items()
    assert name == "sub"
    return GRANTS.read(token, this_page().principal, place="/live")


@pytest.mark.usefixtures("rendered_page")
def test_an_element_connects_on_htmx_2_and_on_htmx_4() -> None:
    element = SSE(channels="todos")
    assert str(element.attrs["data-sse-cursor"]) == "epoch-7"
    assert len(set(re.findall(r'"(/live/stream[^"]*)"', to_xml(element)))) == 1
    url = element.attrs["data-sse-connect"]
    assert str(url).startswith("/live/stream?sub=")
    assert (element.tag, element.children) == ("div", ())
    assert element.attrs == {
        "hx-ext": "sse",
        "data-sse-connect": url,
        "hx-sse-connect": url,
        "hx-sse:connect": url,
        "data-sse-swap": "message",
        "hx-swap": "innerHTML",
        "hx-disinherit": "hx-swap",
        "data-sse-cursor": element.attrs["data-sse-cursor"],
        "data-sse-page": element.attrs["data-sse-page"],
    }
    assert str(element.attrs["data-sse-page"]) == SAME_PAGE


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("channels", "granted"),
    [("todos", {"todos"}), (["todos", "chat"], {"todos", "chat"}), ((name for name in ("a", "b", "a")), {"a", "b"})],
)
def test_channels_are_granted_with_the_cursor_of_the_requests_start(channels: Any, granted: set[str]) -> None:
    assert grant(SSE(channels=channels))[:2] == (frozenset(granted), HERE)


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(("event", "swapped"), [("done", "done"), (["a", "message"], "a,message"), (("b",), "b")])
def test_the_event_argument_names_the_events_to_swap(event: Any, swapped: str) -> None:
    assert SSE(channels="todos", event=event).attrs["data-sse-swap"] == swapped


@pytest.mark.usefixtures("rendered_page")
def test_an_empty_event_argument_swaps_nothing() -> None:
    assert "data-sse-swap" not in to_xml(SSE(channels="todos", event=()))


@pytest.mark.usefixtures("rendered_page")
def test_children_and_attributes_are_kept() -> None:
    element = SSE(Li("a"), Li("b"), channels="todos", swap="beforeend", id="feed", cls="wide", hx_target="#list")
    assert element.children == (Li("a"), Li("b"))
    kept = ("hx-swap", "id", "class", "hx-target")
    assert [element.attrs[name] for name in kept] == ["beforeend", "feed", "wide", "#list"]


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(("heal", "attribute"), [("page", None), ("event", "event"), ("#a", "#a"), (".a", ".a")])
def test_the_heal_argument_becomes_an_attribute(heal: str, attribute: str | None) -> None:
    assert SSE(channels="todos", heal=heal).attrs.get("data-sse-heal") == attribute


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize("heal", ["", "todos", "Page", None, 7])
def test_an_unknown_heal_argument_is_refused(heal: Any) -> None:
    with pytest.raises(MarkupError) as caught:
        SSE(channels="todos", heal=heal)
    assert str(caught.value) == f"heal must be 'page', 'event' or a selector that starts with '#' or '.', not {heal!r}"


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"channels": "a", "hx_trigger": "load, sse:b"}, MarkupError, "hx_trigger='sse:…' belongs on an element in"),
        ({"channels": ""}, ChannelError, "channel '' must have 1 to 200 characters"),
        ({"channels": "a\nb"}, ChannelError, r"channel 'a\nb' has '\n'"),
        ({"channels": ["todos", "sse:broadcast"]}, ChannelError, "channel 'sse:broadcast' must not start with 'sse:'"),
        ({"channels": []}, GrantError, "a grant needs at least one channel"),
        ({"channels": "todos", "event": "two words"}, WireError, "event 'two words' must have"),
        ({"channels": "todos", "event": "sse:open"}, WireError, "event 'sse:open' is taken"),
        (
            {"channels": "todos", "swap": "inside"},
            MarkupError,
            "unknown swap 'inside'; allowed are: outerHTML, ",
        ),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        SSE(**options)
    assert str(caught.value).startswith(message)


def test_outside_of_a_request_channels_cannot_be_granted() -> None:
    with pytest.raises(SetupError, match="channels are granted to the page of a request"):
        to_xml(SSE(channels="todos"))


@pytest.mark.usefixtures("rendered_page")
def test_an_event_may_end_what_an_element_follows() -> None:
    attrs = SSE(channels="answer-7", close="done").attrs
    assert {attrs[name] for name in ("data-sse-close", "hx-sse-close", "hx-sse:close")} == {"done"}
    assert "data-sse-close" not in SSE(channels="answer-7").attrs
    with pytest.raises(WireError):
        SSE(channels="answer-7", close="a b")
