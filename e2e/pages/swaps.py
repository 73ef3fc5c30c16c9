"""All swap styles, side by side. Each case has the content of a box before and after it publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fasthtml.common import B, Div, I, Li, P, Safe, Span, Table, Tbody, Td, Tr, Ul, ft_hx

from e2e.pages import page_app
from sse_components import SSE, oob, setup_sse


class Case(NamedTuple):
    """The content of a box, the elements to publish, and the content afterwards.

    Attributes:
        before: the box's content.
        publish: makes the elements.
        options: options of `publish`.
        after: the box's content, as HTML.
    """

    before: Any
    publish: Callable[[], tuple[Any, ...]]
    options: dict[str, Any]
    after: str


def case(before: Any, *elements: Any, after: str, **options: Any) -> Case:
    return Case(before, lambda: elements, options, after)


def rows(*ids: str) -> Any:
    return Table(Tbody(*[Tr(Td(id), id=id) for id in ids], id=f"body-of-{ids[0]}"))


def circle(radius: int, id: str) -> Any:
    return ft_hx("circle", r=radius, id=id)


def shapes(*ids: str) -> Any:
    return ft_hx("svg", ft_hx("g", *[circle(5, id) for id in ids], id=f"group-of-{ids[0]}"))


OUT_OF_BAND: dict[str, Case] = {
    "true": case(P("old", id="t1"), P("new", id="t1"), swap=True, after='<p id="t1">new</p>'),
    "target only": case(P("old", id="t2"), B("new", id="t2"), target="t2", after='<b id="t2">new</b>'),
    "innerHTML": case(P(I("old"), id="t3"), B("new"), target="t3", swap="innerHTML", after='<p id="t3"><b>new</b></p>'),
    "outerHTML": case(P("old", id="t4"), B("new"), target="#t4", swap="outerHTML", after='<b id="t4">new</b>'),
    "beforeend": case(
        Ul(Li("a"), id="t5"),
        Li("b"),
        Li("c"),
        target="t5",
        swap="beforeend",
        after='<ul id="t5"><li>a</li><li>b</li><li>c</li></ul>',
    ),
    "afterbegin": case(
        Ul(Li("b"), id="t6"), Li("a"), target="t6", swap="afterbegin", after='<ul id="t6"><li>a</li><li>b</li></ul>'
    ),
    "beforebegin": case(P("b", id="t7"), P("a"), target="t7", swap="beforebegin", after='<p>a</p><p id="t7">b</p>'),
    "afterend": case(P("a", id="t8"), P("b"), target="t8", swap="afterend", after='<p id="t8">a</p><p>b</p>'),
    "textContent": case(
        P(B("old"), id="t9"),
        Span("1 < 2 ", B("&")),
        target="t9",
        swap="textContent",
        after='<p id="t9">1 &lt; 2 &amp;</p>',
    ),
    "delete": case(
        Div(P("gone", id="t10"), P("stays")), "", target="t10", swap="delete", after="<div><p>stays</p></div>"
    ),
    "none": case(P("old", id="t11"), P("new"), target="t11", swap="none", after='<p id="t11">old</p>'),
    "text": case(
        P("old", id="t12"), "1 < 2 & 3", target="t12", swap="innerHTML", after='<p id="t12">1 &lt; 2 &amp; 3</p>'
    ),
    "a selector": case(
        Div(P("a", cls="t13"), P("b", cls="t13")),
        "new",
        target=".t13",
        swap="innerHTML",
        after='<div><p class="t13">new</p><p class="t13">new</p></div>',
    ),
    "an id to be escaped": case(
        P("old", id="1:a.b/c d"), P("new", id="1:a.b/c d"), swap=True, after='<p id="1:a.b/c d">new</p>'
    ),
    "several lines": case(
        P("old", id="t15"), "a\n\nb\u2028c 🥚", target="t15", swap="innerHTML", after='<p id="t15">a\n\nb\u2028c 🥚</p>'
    ),
    "a <tr> into a <tbody>": case(
        rows("r1"),
        Tr(Td("r2"), id="r2"),
        target="body-of-r1",
        swap="beforeend",
        after='<table><tbody id="body-of-r1"><tr id="r1"><td>r1</td></tr><tr id="r2"><td>r2</td></tr></tbody></table>',
    ),
    "a <tr> after a <tr>": case(
        rows("r3", "r5"),
        Tr(Td("r4"), id="r4"),
        target="r3",
        swap="afterend",
        after='<table><tbody id="body-of-r3"><tr id="r3"><td>r3</td></tr><tr id="r4"><td>r4</td></tr>'
        '<tr id="r5"><td>r5</td></tr></tbody></table>',
    ),
    "a <tr> for a <tr>": case(
        rows("r6"),
        Tr(Td("new"), id="r6"),
        swap=True,
        after='<table><tbody id="body-of-r6"><tr id="r6"><td>new</td></tr></tbody></table>',
    ),
    "a <td> for a <td>": case(
        Table(Tr(Td("old", id="d1"), Td("stays"))),
        Td("new", id="d1"),
        swap=True,
        after='<table><tbody><tr><td id="d1">new</td><td>stays</td></tr></tbody></table>',
    ),
    "a <td> into a <tr>": case(
        Table(Tr(Td("a"), id="r7")),
        Td("b"),
        target="r7",
        swap="beforeend",
        after='<table><tbody><tr id="r7"><td>a</td><td>b</td></tr></tbody></table>',
    ),
    "a row beside other elements": case(
        Div(P("old", id="t16"), rows("r8")),
        P("new", id="t16"),
        Tr(Td("new"), id="r8"),
        P("new", id="t16"),
        swap=True,
        after='<div><p id="t16">new</p><table><tbody id="body-of-r8"><tr id="r8"><td>new</td></tr></tbody>'
        "</table></div>",
    ),
    "a row put in beside other elements": case(
        Div(P("old", id="t17"), rows("r9")),
        oob(P("new", id="t17")),
        oob(Tr(Td("r10")), "body-of-r9", "beforeend"),
        oob(P("new", id="t17")),
        after='<div><p id="t17">new</p><table><tbody id="body-of-r9"><tr id="r9"><td>r9</td></tr>'
        "<tr><td>r10</td></tr></tbody></table></div>",
    ),
    "cells before rows": case(
        Table(Tr(Td("old", id="d2"), id="r11"), Tr(Td("old"), id="r12")),
        Td("new", id="d2"),
        Tr(Td("new"), id="r12"),
        swap=True,
        after='<table><tbody><tr id="r11"><td id="d2">new</td></tr><tr id="r12"><td>new</td></tr></tbody></table>',
    ),
    "a circle into a <g>": case(
        shapes("c1"),
        circle(7, "c2"),
        target="group-of-c1",
        swap="beforeend",
        after='<svg><g id="group-of-c1"><circle r="5" id="c1"></circle><circle r="7" id="c2"></circle></g></svg>',
    ),
    "a circle for a circle": case(
        shapes("c3"),
        circle(7, "c3"),
        swap=True,
        after='<svg><g id="group-of-c3"><circle r="7" id="c3"></circle></g></svg>',
    ),
    "shapes beside other elements": case(
        Div(P("old", id="t18"), shapes("c4", "c5")),
        P("new", id="t18"),
        ft_hx("rect", id="c4", width=2),
        circle(7, "c5"),
        swap=True,
        after='<div><p id="t18">new</p><svg><g id="group-of-c4"><rect width="2" id="c4"></rect>'
        '<circle r="7" id="c5"></circle></g></svg></div>',
    ),
    "one of several is not on the page": case(
        P("old", id="t19"), P("lost", id="nowhere"), P("new", id="t19"), swap=True, after='<p id="t19">new</p>'
    ),
    "by hand": case(
        P("old", id="t20"),
        Safe('<p id="t20" hx-swap-oob="true">new</p>'),
        after='<p id="t20">new</p>',
    ),
}

# Swaps of an SSE element, for messages without a target.
MESSAGES: dict[str, Case] = {
    "innerHTML": case(B("old"), B("new"), P("er"), after="<b>new</b><p>er</p>"),
    "beforeend": case(B("old"), B("new"), after="<b>old</b><b>new</b>"),
    "afterbegin": case(B("old"), B("new"), after="<b>new</b><b>old</b>"),
    "textContent": case(B("old"), "1 < 2 ", B("&"), after="1 &lt; 2 &amp;"),
    "none": case(B("old"), B("new"), after="<b>old</b>"),
}


# For swaps around the SSE element: the text of each element in its parent afterwards.
AROUND = {"outerHTML": ["new"], "beforebegin": ["new", "old"], "afterend": ["old", "new"], "delete": []}


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app)

    @rt("/{room}/out-of-band")
    def out_of_band(room: str) -> Any:
        boxes = [Div(case.before, data_case=name) for name, case in OUT_OF_BAND.items()]
        return SSE(I("kept"), channels=room, id="receiver"), *boxes

    @rt("/{room}/out-of-band/publish", methods=["POST"])
    async def publish(room: str) -> None:
        for case in OUT_OF_BAND.values():
            await sse.publish(room, *case.publish(), **case.options)

    @rt("/{room}/messages")
    def messages(room: str) -> Any:
        return [
            SSE(case.before, channels=f"{room}/{swap}", swap=swap, data_case=swap) for swap, case in MESSAGES.items()
        ]

    @rt("/{room}/messages/publish", methods=["POST"])
    async def publish_messages(room: str) -> None:
        for swap, case in MESSAGES.items():
            await sse.publish(f"{room}/{swap}", *case.publish())

    @rt("/{room}/around")
    def around(room: str) -> Any:
        return [Div(SSE(I("old"), channels=f"{room}/{swap}", swap=swap), id=swap) for swap in AROUND]

    @rt("/{room}/around/publish", methods=["POST"])
    async def publish_around(room: str) -> None:
        for swap in AROUND:
            await sse.publish(f"{room}/{swap}", B("new"))

    return app
