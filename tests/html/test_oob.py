from __future__ import annotations

import copy
import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import soupsieve
from bs4 import BeautifulSoup
from fastcore.foundation import L
from fasthtml.common import FT, Div, Input, Li, NotStr, P, Safe, Span, Td, Tr, to_xml
from fasthtml.svg import Circle, ft_svg
from hypothesis import given
from hypothesis import strategies as st

from sse_components import MarkupError, OOBStreamBuilder, oob
from sse_components.events.wire import Frame
from sse_components.html.oob import id_selector, render, selector
from sse_components.html.swap import SWAPS

# Any text that an HTML attribute can have.
ATTRIBUTE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
HOSTILE = "</li><script>alert(1)</script>\" onload='x'&amp;"


class Component:
    """What has an `__ft__`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __ft__(self) -> FT:
        return Li(self.text, id="component")


class Elements(HTMLParser):
    """The tags and attributes, and the text, of some HTML."""

    def __init__(self, markup: Any) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(markup))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# ---------------------------------------------------------------------- rendering


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<b>", "&lt;b&gt;"),
        (b"<b> \xff", "&lt;b&gt; \N{REPLACEMENT CHARACTER}"),
        (ValueError("<b>"), "&lt;b&gt;"),
        (3, "3"),
        (0, "0"),
        (None, ""),
        ("", ""),
        (NotStr("<b>x</b>"), "<b>x</b>"),
        (Safe("<b>x</b>"), "<b>x</b>"),
        (P("<b>"), "<p>&lt;b&gt;</p>"),
        (Component("x"), '<li id="component">x</li>'),
        ([P(1), (P(2), [P(3)])], "<p>1</p><p>2</p><p>3</p>"),
        (L(P(1), P(2)), "<p>1</p><p>2</p>"),
        ((P(number) for number in (1, 2)), "<p>1</p><p>2</p>"),
        (map(P, (1, 2)), "<p>1</p><p>2</p>"),
    ],
)
def test_content_becomes_html(content: Any, expected: str) -> None:
    assert render(content) == expected


@given(st.text())
def test_text_stays_text(text: str) -> None:
    assert not re.search("[<>]", render(text))
    assert html.unescape(render(text)) == html.unescape(html.escape(text, quote=False))


# ---------------------------------------------------------------------- targets


@given(ATTRIBUTE_TEXT)
def test_any_id_has_a_selector_that_finds_it(id: str) -> None:
    document = BeautifulSoup("<main></main>", "html.parser")
    element = document.new_tag("p", id=id)
    document.append(element)
    assert soupsieve.select(id_selector(id), document) == [element]


@given(ATTRIBUTE_TEXT)
def test_an_id_selector_can_stand_in_hx_swap_oob(id: str) -> None:
    """Htmx 2 takes all before the first colon for the swap, htmx 4 all before the last that has no space before it."""
    assert id_selector(id).startswith("#")
    assert not set(id_selector(id)) & set(":,\n\r\t\f\"'<>&")


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("todo-list", "#todo-list"),
        ("7", r"#\000037"),
        ("7a", r"#\000037a"),
        ("-", r"#\00002d"),
        ("-7", r"#-\000037"),
        ("--7", "#--7"),
        ("a.b:c", r"#a\00002eb\00003ac"),
        ("größe_1", "#größe_1"),
        ("a b", r"#a\000020b"),
    ],
)
def test_an_id_is_escaped_as_cssom_does_without_spaces(id: str, expected: str) -> None:
    assert id_selector(id) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("list", "#list"),
        ("#list", "#list"),
        (" list ", "#list"),
        ("7", r"#\000037"),
        ("#7", r"#\000037"),
        ("#list > li", "#list > li"),
        (".row ", ".row"),
        ("[data-key=a]", "[data-key=a]"),
        (Div(id="a.b"), r"#a\00002eb"),
    ],
)
def test_a_target_is_an_id_a_selector_or_an_element(target: Any, expected: str) -> None:
    assert selector(target) == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "target must be an id, a selector or an element with an id, not ''"),
        ("  ", "target must be an id, a selector or an element with an id, not '  '"),
        (7, "target must be an id, a selector or an element with an id, not 7"),
        (None, "target must be an id, a selector or an element with an id, not None"),
        ("li:first-child", "target 'li:first-child' has a colon, which htmx cannot read there; give the target an id"),
        (Div("x"), "<div> has no id to swap by: give the element an id, or give target="),
    ],
)
def test_what_is_no_target_is_told(target: Any, message: str) -> None:
    with pytest.raises(MarkupError, match=f"^{re.escape(message)}$"):
        selector(target)


# ---------------------------------------------------------------------- oob()


@pytest.mark.parametrize("swap", [swap for swap in SWAPS if swap != "outerHTML"])
def test_each_swap_but_outer_html_stands_on_a_wrapper(swap: str) -> None:
    assert oob(Li("milk"), "list", swap) == f'<div hx-swap-oob="{swap}:#list"><li>milk</li></div>'


@pytest.mark.parametrize("swap", ["outerHTML", True, "true"])
def test_outer_html_stands_on_the_element(swap: str | bool) -> None:
    assert (
        oob(Li("milk", id="m", cls="new"), swap=swap) == '<li id="m" class="new" hx-swap-oob="outerHTML:#m">milk</li>'
    )


def test_by_default_an_element_replaces_the_one_with_its_id() -> None:
    assert oob(Li("milk", id="m")) == '<li id="m" hx-swap-oob="outerHTML:#m">milk</li>'
    assert oob(Component("milk")) == '<li id="component" hx-swap-oob="outerHTML:#component">milk</li>'
    assert oob(Input(id="name", value="x")) == '<input value="x" id="name" name="name" hx-swap-oob="outerHTML:#name">'


def test_what_replaces_a_target_is_found_again_by_the_next_update() -> None:
    assert oob(Li("milk"), "m") == '<li id="m" hx-swap-oob="outerHTML:#m">milk</li>'
    assert oob(Li("milk", id="own"), "m") == '<li id="own" hx-swap-oob="outerHTML:#m">milk</li>'
    assert oob(Li("milk"), "#list > li") == '<li hx-swap-oob="outerHTML:#list > li">milk</li>'


def test_a_target_may_be_an_element_that_is_only_looked_at() -> None:
    target = Div("old", id="box")
    assert oob("new", target, "innerHTML") == '<div hx-swap-oob="innerHTML:#box">new</div>'
    assert target == Div("old", id="box")


def test_an_own_swap_of_the_element_is_overruled() -> None:
    assert oob(Li(id="m", hx_swap_oob="delete"), swap="outerHTML") == '<li id="m" hx-swap-oob="outerHTML:#m"></li>'


def test_several_elements_go_into_one_target() -> None:
    assert oob((Li(1), "<", Li(2)), "list", "beforeend") == (
        '<div hx-swap-oob="beforeend:#list"><li>1</li>&lt;<li>2</li></div>'
    )


TABLE_PARTS = {"tr": "tbody", "td": "tr", "th": "tr", "col": "colgroup"} | dict.fromkeys(
    "tbody thead tfoot caption colgroup".split(), "table"
)


@pytest.mark.parametrize(("tag", "wrapper"), TABLE_PARTS.items())
def test_parts_of_a_table_stand_in_a_table_such_that_the_parser_keeps_them(tag: str, wrapper: str) -> None:
    part = FT(tag, (), {})
    filled = f'<{wrapper} hx-swap-oob="beforeend:#t"><{tag}></{tag}></{wrapper}>'
    assert oob(part, "t", "beforeend") == (filled if wrapper == "table" else within("table", filled))
    assert oob(part, "t") == within("table", f'<{tag} id="t" hx-swap-oob="outerHTML:#t"></{tag}>')


@pytest.mark.parametrize("tag", ["circle", "g", "path", "linearGradient", "foreignObject"])
def test_svg_shapes_stand_in_an_svg_such_that_the_parser_knows_them(tag: str) -> None:
    shape = FT(tag, (), {})
    assert oob(shape, "t", "beforeend") == f'<svg hx-swap-oob="beforeend:#t"><{tag}></{tag}></svg>'
    assert oob(shape, "t") == within("svg", f'<{tag} id="t" hx-swap-oob="outerHTML:#t"></{tag}>')


def within(tag: str, content: str) -> str:
    """Return content in an element that keeps it, and swaps nothing itself."""
    return f'<{tag} hx-swap-oob="none:#t">{content}</{tag}>'


def test_fasthtmls_own_svg_is_known() -> None:
    assert oob(Circle(3), "s", "beforeend").startswith('<svg hx-swap-oob="beforeend:#s"><circle r="3"')
    assert oob(ft_svg("clipPath", id="c")).startswith('<svg hx-swap-oob="none:#c"><')


@pytest.mark.parametrize(
    ("content", "wrapper"),
    [
        (NotStr("\n <TR><TD>x"), "tbody"),
        (NotStr("<lineargradient/>"), "svg"),
        (NotStr("<tr-like>"), "div"),
        (NotStr("<!-- tr --><p>"), "div"),
        (NotStr("<>"), "div"),
        ((Tr(Td(1)), Tr(Td(2))), "tbody"),
        ("<tr>", "div"),
        ("", "div"),
        (Span("x"), "div"),
    ],
)
def test_the_first_tag_decides_the_wrapper(content: Any, wrapper: str) -> None:
    assert re.findall(r'<(\w+) hx-swap-oob="innerHTML:#t">', str(oob(content, "t", "innerHTML"))) == [wrapper]


@pytest.mark.parametrize("swap", ["outer", "OUTERHTML", "", False, None, 1, "outerHTML:", ":#x"])
def test_an_unknown_swap_names_those_that_are_known(swap: Any) -> None:
    allowed = (
        "outerHTML, innerHTML, beforebegin, afterbegin, beforeend, afterend, textContent, delete, none,"
        " innerMorph, outerMorph, morph, morph:innerHTML, morph:outerHTML, true"
    )
    with pytest.raises(MarkupError, match=f"^{re.escape(f'unknown swap {swap!r}; allowed are: {allowed}')}$"):
        oob(Div(id="x"), swap=swap)


@pytest.mark.parametrize(("element", "name"), [("text", "str"), (Div("x"), "<div>"), ((Div(id="x"),), "tuple")])
def test_without_an_id_there_is_nothing_to_swap_by(element: Any, name: str) -> None:
    message = f"{name} has no id to swap by: give the element an id, or give target="
    with pytest.raises(MarkupError, match=f"^{re.escape(message)}$"):
        oob(element, swap="beforeend")


@pytest.mark.parametrize("element", ["text", (Li(1), Li(2)), NotStr("<li>")])
def test_only_one_element_can_replace_another(element: Any) -> None:
    message = f"need one FT element, not {type(element).__name__}; innerHTML takes anything$"
    with pytest.raises(MarkupError, match=message):
        oob(element, "list")


def test_callers_elements_are_left_as_they_are() -> None:
    inner = Span("x", id="inner")
    element = Div(inner, id="box", cls="a")
    before = copy.deepcopy(element)
    for swap in SWAPS:
        oob(element, swap=swap)
        oob(element, "elsewhere", swap)
        OOBStreamBuilder().add_element(element, "box", swap, False).add_element(element, "box", swap).build()
    assert element == before
    assert element.children[0] is inner
    assert to_xml(element) == to_xml(before)


def test_hostile_text_stays_text_wherever_it_stands() -> None:
    markup = oob(Li(HOSTILE, title=HOSTILE), "list", "beforeend") + oob(HOSTILE, "list", "innerHTML")
    found = Elements(markup)
    assert [tag for tag, _ in found.tags] == ["div", "li", "div"]
    assert found.tags[1][1] == {"title": HOSTILE}
    assert found.text == HOSTILE * 2


@given(ATTRIBUTE_TEXT.filter(lambda text: text.strip() and ":" not in text))
def test_a_hostile_target_stays_in_its_attribute(target: str) -> None:
    ((tag, attrs),) = Elements(oob("x", target, "innerHTML")).tags
    assert tag == "div"
    assert attrs == {"hx-swap-oob": f"innerHTML:{selector(target)}"}


@given(ATTRIBUTE_TEXT)
def test_a_hostile_id_stays_in_its_attribute(id: str) -> None:
    ((_, attrs),) = Elements(oob("x", Div(id=id), "innerHTML")).tags
    assert attrs == {"hx-swap-oob": f"innerHTML:{id_selector(id)}"}


# ---------------------------------------------------------------------- OOBStreamBuilder


def test_a_built_message_is_a_frame_whatever_it_holds() -> None:
    builder = OOBStreamBuilder()
    for count in range(3):
        message = builder.build()
        assert isinstance(message, str)
        assert isinstance(message, Frame)
        assert message.count("</li>") == count
        builder.add_element(Li(count))


def test_without_elements_there_is_nothing_to_send() -> None:
    assert OOBStreamBuilder().build() == ""
    assert OOBStreamBuilder().add_element(Li(1)).clear().build() == ""


def test_clear_begins_anew() -> None:
    builder = OOBStreamBuilder().add_element(Li(1))
    kept = builder.elements
    assert builder.clear().add_element(Li(2)).build() == "data: <li>2</li>\n\n"
    assert kept == [Li(1)]


def test_an_element_without_target_is_sent_as_it_is() -> None:
    assert OOBStreamBuilder().add_element(Li("a\nb")).build() == "data: <li>a\ndata: b</li>\n\n"


def test_content_is_wrapped_for_its_target() -> None:
    builder = OOBStreamBuilder().add_element(Li("milk"), "list", "beforeend").add_element(3, "count")
    assert builder.build() == (
        'data: <div hx-swap-oob="beforeend:#list"><li>milk</li></div><div hx-swap-oob="innerHTML:#count">3</div>\n\n'
    )


@pytest.mark.parametrize("wrap", [True, False])
def test_an_element_that_replaces_its_target_is_not_wrapped(wrap: bool) -> None:
    """A wrapper would have the target's id, and so would the element in it."""
    for element in (Span(3, id="count"), Span(3)):
        built = OOBStreamBuilder().add_element(element, "count", "outerHTML", wrap).build()
        assert built == 'data: <span id="count" hx-swap-oob="outerHTML:#count">3</span>\n\n'


def test_text_that_replaces_its_target_is_wrapped_with_the_targets_id() -> None:
    built = OOBStreamBuilder().add_element("<3", "#count", "outerHTML").build()
    assert built == 'data: <div id="count" hx-swap-oob="outerHTML:#count">&lt;3</div>\n\n'


@pytest.mark.parametrize("id", ["file.txt", "job:1", ".count", "li:hover", "two words", "a>b", "1"])
def test_a_target_id_is_an_id_whatever_it_looks_like(id: str) -> None:
    page = BeautifulSoup(to_xml(Div(Div(id=id), id="page")), "html.parser")
    for mode in ("innerHTML", "outerHTML", "beforeend"):
        built = OOBStreamBuilder().add_element(Span(3), id, mode).build()
        style, _, where = Elements(built.removeprefix("data: ")).tags[0][1]["hx-swap-oob"].partition(":")  # type: ignore[union-attr]
        assert style == mode
        assert [found["id"] for found in soupsieve.select(where, page)] == [id]


def test_a_selector_in_publish_and_oob_does_not_become_an_id() -> None:
    assert str(oob(Div(3), ".count")) == '<div hx-swap-oob="outerHTML:.count">3</div>'


def test_without_wrapping_the_element_carries_the_swap() -> None:
    built = OOBStreamBuilder().add_element(Span(3, cls="n"), "count", "beforeend", False).build()
    assert built == 'data: <span class="n" hx-swap-oob="beforeend:#count">3</span>\n\n'


def test_without_wrapping_the_default_mode_replaces_the_target_by_the_element() -> None:
    built = OOBStreamBuilder().add_element(Span(3, cls="n"), "count", wrap=False).build()
    assert built == 'data: <span id="count" class="n" hx-swap-oob="outerHTML:#count">3</span>\n\n'


@pytest.mark.parametrize(
    ("swap", "target", "value"),
    [
        ("outerHTML:#x", None, "outerHTML:#x"),
        ("outerHTML:#x", "x", "outerHTML:#x"),
        ("append", "x", "beforeend:#x"),
        ("innerHTML transition:true", "x", "innerHTML target:#x transition:true"),
        ("beforeend show:bottom  settle:1s", "x", "beforeend target:#x show:bottom settle:1s"),
        ("beforeend show:bottom", "#list > li", "beforeend target:'#list > li' show:bottom"),
        ("morph", "x", "morph:#x"),
        ("morph:innerHTML", "x", "innerMorph:#x"),
        ("outerMorph", "x", "outerMorph:#x"),
    ],
)
def test_a_swap_may_have_a_target_and_modifiers(swap: str, target: str | None, value: str) -> None:
    if target is None or " " not in target:
        built = render(OOBStreamBuilder().add_element(Div(3), target, swap))
        assert Elements(built).tags[0][1]["hx-swap-oob"] == value
    assert Elements(oob(Div(3), target, swap)).tags[0][1]["hx-swap-oob"] == value


def test_a_table_row_is_embedded_with_modifiers_too() -> None:
    html = str(oob(Tr(Td(1)), "rows", "beforeend show:bottom"))
    assert [attributes.get("hx-swap-oob") for tag, attributes in Elements(html).tags][:2] == [
        "none:#rows",
        "beforeend target:#rows show:bottom",
    ]


def test_a_modifier_that_htmx_does_not_have_names_those_that_it_has() -> None:
    with pytest.raises(MarkupError, match=r"^unknown modifier 'shw:bottom' of a swap; allowed are: transition:…, "):
        oob(Div(3), "x", "beforeend shw:bottom")


def test_a_swap_and_a_target_cannot_name_different_elements() -> None:
    with pytest.raises(MarkupError, match=r"^the swap names the target '#x', and target= another one: 'y'$"):
        oob(Div(3), "y", "outerHTML:#x")


def test_without_wrapping_text_has_nothing_to_carry_the_swap() -> None:
    with pytest.raises(MarkupError, match="and wrap=False, need one FT element, not str; innerHTML takes anything"):
        OOBStreamBuilder().add_element("text", "count", wrap=False)


def test_elements_come_as_tuples_of_one_to_four_or_bare() -> None:
    given = [
        (Li(1),),
        (Li(2), "a"),
        (Li(3), "b", "beforeend"),
        (Li(4), "c", "innerHTML", False),
        [Li(5), "d"],
        Li(6),
    ]
    one_by_one = OOBStreamBuilder()
    for element, *rest in (item if isinstance(item, (tuple, list)) else (item,) for item in given):
        one_by_one.add_element(element, *rest)
    assert OOBStreamBuilder().add_elements(given).build() == one_by_one.build()


@pytest.mark.parametrize("arguments", [{"swap_mode": "sideways"}, {"target_id": "#"}, {"target_id": ""}])
def test_a_builder_tells_what_it_cannot_build(arguments: dict[str, Any]) -> None:
    builder = OOBStreamBuilder()
    with pytest.raises(MarkupError):
        builder.add_element(Li(1), **arguments)
    assert builder.elements == []


def test_a_builder_can_stand_where_an_element_can() -> None:
    builder = OOBStreamBuilder().add_element(Li(1), "list", "beforeend").add_element(Li(2))
    assert render(builder) == '<div hx-swap-oob="beforeend:#list"><li>1</li></div><li>2</li>'
    assert to_xml(Div(builder), indent=False) == f"<div>{render(builder)}</div>"
