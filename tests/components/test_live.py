"""Common behaviour of `LiveText`, `LiveList` and `LiveRegion`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fasthtml.common import FT, B, Li, to_xml

from sse_components import ItemList, Kit, LiveList, LiveRegion, LiveText, MarkupError, Region, SetupError, Text

HOSTILE = ["<script>x</script>", '"><img src=x onerror=x>', "</textarea></template>", "\u202eright to left\u202c"]


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("make", "tag", "root"),
    [
        (LiveText, "span", "sse-live-text"),
        (LiveList, "ul", "sse-live-list"),
        (LiveRegion, "div", "sse-live-region"),
    ],
)
def test_a_component_follows_its_channel_and_takes_any_attribute(make: Callable[..., FT], tag: str, root: str) -> None:
    shown = make(id="here")
    assert (shown.tag, shown.attrs["id"], shown.attrs["class"]) == (tag, "here", root)
    assert str(shown.attrs["data-sse-connect"]).startswith("/live/stream?")
    assert shown.attrs["hx-swap"] == "none"
    other = make(id="here", channel="there", cls="wide", title="It", hx_ext="sse,other", data_sse_heal="#here")
    assert other.attrs["class"] == f"{root} wide"
    assert [other.attrs[name] for name in ("title", "hx-ext", "data-sse-heal")] == ["It", "sse,other", "#here"]


@pytest.mark.parametrize("make", [LiveText, LiveList, LiveRegion])
@pytest.mark.parametrize("id", [None, "", "a b", "a.b"])
def test_a_component_needs_an_id_to_be_updated_by(make: Callable[..., FT], id: str | None) -> None:
    with pytest.raises(MarkupError, match=f"^{make.__name__} needs an id of letters, digits, - and _"):
        make(id=id)


@pytest.mark.parametrize("handle", [Text, ItemList])
def test_a_handle_needs_an_id_as_well(handle: Any) -> None:
    with pytest.raises(MarkupError, match="needs an id"):
        handle(Kit(), "a b")
    with pytest.raises(MarkupError, match="needs an id"):
        Region(Kit(), "a b", str)


@pytest.mark.parametrize("make", [LiveText, LiveList, LiveRegion])
def test_a_component_belongs_to_a_page(make: Callable[..., FT]) -> None:
    with pytest.raises(SetupError, match="granted to the page of a request"):
        to_xml(make(id="here"))


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize("text", HOSTILE)
def test_strings_are_escaped(text: str) -> None:
    escaped = to_xml(B(text)).removeprefix("<b>").removesuffix("</b>\n").removesuffix("</b>")
    assert "<" not in escaped
    for shown in (LiveText(text, id="x"), LiveRegion(text, id="x"), LiveList(Li(text, id="a"), id="x", empty=text)):
        html = to_xml(shown)
        assert escaped in html
        assert text not in html or "<" not in text
