"""Out-of-band HTML: FT, target and swap become a fragment that htmx 2 and htmx 4 put in the same place.

Both generations find elements with `hx-swap-oob`, and both insert the *content* of such an element for every
swap but `outerHTML`. So a wrapper carries the swap, and its tag is chosen such that the HTML parser keeps the
content: a `<tr>` needs a `<tbody>` around it, a `<circle>` an `<svg>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from fastcore.foundation import L
from fastcore.xml import FT, NotStr, to_xml

from ..errors import MarkupError
from ..events.wire import Frame, encode
from .swap import Swap, parse_swap

OOB_ATTRIBUTE = "hx-swap-oob"

# Out of band, htmx takes what follows a colon for the target.
_OOB_STYLES = {"morph:outerHTML": "morph", "morph:innerHTML": "innerMorph"}
_PLAIN_ID = re.compile(r"#?([\w-]+)")
_FIRST_TAG = re.compile(r"\s*<([a-zA-Z][^\s/>]*)")
_SVG_TAGS = frozenset(
    "g path circle ellipse line polyline polygon rect text tspan textPath use defs symbol marker mask pattern image"
    " linearGradient radialGradient stop clipPath filter foreignObject animate animateMotion animateTransform"
    " set desc".lower().split()
)
_WRAPPERS = {
    "tr": "tbody",
    "td": "tr",
    "th": "tr",
    "col": "colgroup",
    **dict.fromkeys(("tbody", "thead", "tfoot", "caption", "colgroup"), "table"),
    **dict.fromkeys(_SVG_TAGS, "svg"),
}
# The HTML parser drops these tags in a <div>, and keeps them in a table or an svg.
_WHOLES = {part: "svg" if part in _SVG_TAGS else "table" for part in _WRAPPERS}


class KnownId(str):
    """Text that is an id, whatever it looks like."""

    __slots__ = ()


def render(*content: Any) -> str:
    """Return FT, strings, objects with `__ft__` or `__html__`, and lists of them as one HTML string.

    Strings, bytes and other objects are text, and are escaped; `NotStr` and `Safe` are HTML.
    """
    return str(to_xml(tuple(map(as_html, flat(content))), indent=False))


def flat(content: Iterable[Any]) -> Iterator[Any]:
    """Yield the elements of nested lists, tuples and iterators in order."""
    for element in content:
        if isinstance(element, (list, tuple, L, Iterator)):
            yield from flat(element)
        else:
            yield element


def as_html(element: Any) -> Any:
    """Return an element that FastHTML renders safely as it is, and any other object as text, which is escaped."""
    if element is None or isinstance(element, (str, FT, NotStr)):
        return element
    if hasattr(element, "__ft__") or hasattr(element, "__html__"):
        return element
    return element.decode(errors="replace") if isinstance(element, bytes) else str(element)


def selector(target: Any) -> str:
    """Return the CSS selector of a target: an id (with or without `#`), an element with an id, or a selector.

    Raises:
        MarkupError: if the target is empty, an element without id, or a selector with a colon.
    """
    if (id := named_id(target)) is not None:
        return id_selector(id)
    if not isinstance(target, str) or not target.strip():
        raise MarkupError(f"target must be an id, a selector or an element with an id, not {target!r}")
    if ":" in target:
        # htmx 4 takes everything up to the last colon for the swap's name.
        raise MarkupError(f"target {target!r} has a colon, which htmx cannot read there; give the target an id")
    return target.strip()


def named_id(target: Any) -> str | None:
    """Return the id that a target names: an element's own, or a word with or without `#`; None for other selectors."""
    if isinstance(target, FT):
        return own_id(target)
    if isinstance(target, KnownId):
        return str(target)
    found = _PLAIN_ID.fullmatch(target.strip()) if isinstance(target, str) else None
    return found[1] if found else None


def id_selector(id: str) -> str:
    """Return the selector of any id, with what CSS would read otherwise escaped.

    An escape has six digits: it needs no space behind it then, at which htmx 4.0.0 would end the selector.

    Source: CSSOM, "serialize an identifier".
    """
    return "#" + re.sub(r"(?:^|(?<=^-))\d|^-\Z|[^\w-]", lambda found: f"\\{ord(found[0]):06x}", id)


def own_id(element: Any) -> str:
    """Return the id of an FT element, else raise `MarkupError`."""
    found = element.attrs.get("id") if isinstance(element, FT) else None
    if not found:
        what = f"<{element.tag}>" if isinstance(element, FT) else type(element).__name__
        raise MarkupError(f"{what} has no id to swap by: give the element an id, or give target=")
    return str(found)


def as_ft(element: Any) -> Any:
    """Return what an object's `__ft__` gives, or the object."""
    while not isinstance(element, FT) and hasattr(element, "__ft__"):
        element = element.__ft__()
    return element


def oob(element: Any, target: Any = None, swap: str | bool = "outerHTML") -> NotStr:
    """Return `element` as out-of-band HTML that replaces, fills, precedes, follows or deletes `target`.

    Args:
        element: FT, a string, an object with `__ft__`, or a tuple of them. It is not altered.
        target: an id (with or without `#`), a CSS selector, or an element with an id; by default the
            element's own id. An element without id that replaces its target takes over the target's.
        swap: `'outerHTML'` (or `True`), `'innerHTML'`, `'beforebegin'`, `'afterbegin'`, `'beforeend'`,
            `'afterend'`, `'textContent'`, `'delete'` or `'none'`, as htmx has them; `'innerMorph'` or `'outerMorph'`;
            with modifiers (`'beforeend show:bottom'`); or with the target (`'outerHTML:#x'`) instead of `target`.
            Morphs on htmx 2, and modifiers on htmx 2, need the kit's scripts on the page.

    Returns:
        The HTML.

    Raises:
        MarkupError: for an unknown swap, a missing id, two different targets, or an `outerHTML` of anything but one
            element.

    Example:
        `oob(Li('milk'), 'list', 'beforeend')`

    Example:
        `sse.publish('todos', oob(Li('milk'), 'list', 'beforeend'), oob(Span(3), 'count'))`

    Source: htmx 2 and 4, `hx-swap-oob`.
    """
    how, element = parse_swap(swap), as_ft(element)
    where = at(how, id_selector(own_id(element)) if target is None and how.selector is None else named(target, how))
    if how.is_outer:
        return NotStr(with_swap(element, where, **kept_id(how.selector if target is None else target)))
    return NotStr(wrap_in_tag(render(element), where))


def named(target: Any, how: Swap) -> str:
    """Return the selector that a target and a swap name together, or raise `MarkupError` if they differ."""
    if how.selector is None:
        return selector(target)
    inside = selector(how.selector)
    if target is not None and selector(target) != inside:
        raise MarkupError(f"the swap names the target {inside!r}, and target= another one: {target!r}")
    return inside


def at(how: Swap, where: str) -> str:
    """Return the value of `hx-swap-oob` for a swap of what a selector names."""
    style = _OOB_STYLES.get(how.style, how.style)
    if not how.modifiers:
        return f"{style}:{where}"
    quoted = f"'{where}'" if re.search(r"[\s,]", where) else where
    return f"{style} target:{quoted} {how.modifiers}"


def kept_id(target: Any) -> dict[str, str]:
    """Return the id that a replacement of a target needs, so that the next update finds it."""
    id = named_id(target)
    return {} if id is None else {"id": id}


def with_swap(element: Any, where: str, **attributes: str) -> str:
    """Return an element that has the swap as an attribute, as `outerHTML` needs, and `attributes` where it has none."""
    if not isinstance(element, FT):
        what = type(element).__name__
        raise MarkupError(f"outerHTML, and wrap=False, need one FT element, not {what}; innerHTML takes anything")
    attrs = {**attributes, **element.attrs, OOB_ATTRIBUTE: where}
    return embed(render(FT(element.tag, element.children, attrs, void_=element.void_)), where)


def wrap_in_tag(html: str, where: str, **attributes: str) -> str:
    """Return `html` in a wrapper with the swap, whose tag the HTML parser accepts around it."""
    tag = _WRAPPERS.get(first_tag(html), "div")
    given = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return embed(f'<{tag}{given} {OOB_ATTRIBUTE}="{escape(where)}">{html}</{tag}>', where)


def embed(html: str, where: str) -> str:
    """Return `html` in a form that can stand anywhere in a message: table parts in a table, shapes in an `svg`."""
    tag = _WHOLES.get(first_tag(html))
    nothing = f"none:{target_in(where)}"
    return f'<{tag} {OOB_ATTRIBUTE}="{escape(nothing)}">{html}</{tag}>' if tag else html


def target_in(where: str) -> str:
    """Return the selector in the value of `hx-swap-oob` that `at` has made."""
    if found := re.match(r"\S+ target:('[^']*'|\S+)", where):
        return found[1].strip("'")
    return where.partition(":")[2]


def first_tag(html: str) -> str:
    """Return the name of the tag with which `html` begins; an empty string for text."""
    found = _FIRST_TAG.match(html)
    return found[1].lower() if found else ""


def message_html(elements: tuple[Any, ...], target: Any, swap: str | bool | None) -> str:
    """Return the HTML of a message: elements as they are, or each swapped out of band."""
    if target is None and swap is None:
        return render(*elements)
    style = "outerHTML" if swap is None else swap
    if target is None:
        return "".join(str(oob(element, None, style)) for element in elements)
    return str(oob(elements[0] if len(elements) == 1 else elements, target, style))


class OOBStreamBuilder:
    """Builds an SSE message of several out-of-band swaps.

    Example:
        `OOBStreamBuilder().add_element(Li('milk'), 'list', 'beforeend').add_element(Span(3), 'count').build()`

    Source: cjm-fasthtml-sse, `streaming`.
    """

    def __init__(self) -> None:
        """Initialize the OOB stream builder."""
        self.elements: list[Any] = []

    def add_element(
        self, element: Any, target_id: str | None = None, swap_mode: str = "innerHTML", wrap: bool = True
    ) -> OOBStreamBuilder:
        """Add an element with OOB swap configuration.

        Args:
            element: the element to add; it is not altered. Without `target_id` it is sent as it is.
            target_id: id of the element to swap; any text is an id, never a selector. A `#` in front is left out.
            swap_mode: as the `swap` of `oob` (`innerHTML`, `outerHTML`, `beforeend show:bottom`, `outerHTML:#x`, ...).
            wrap: if True and `target_id` is provided, wrap content in an element with OOB attributes; an element that
                replaces its target (`outerHTML`) is not wrapped. If False, add OOB attributes directly to the element.
                With the default mode that means that the element replaces the target.

        Returns:
            Self for chaining.

        Raises:
            MarkupError: for an unknown swap mode, a target that cannot be named, or, with `wrap=False`, anything but
                one element.
        """
        how = parse_swap(swap_mode)
        wanted = how.selector if target_id is None else target_id
        self.elements.append(element if wanted is None else NotStr(_build(as_ft(element), target_id, how, wrap)))
        return self

    def add_elements(self, elements: list[tuple[Any, ...]]) -> OOBStreamBuilder:
        """Add multiple elements with OOB configurations.

        Args:
            elements: tuples `(element, target_id, swap_mode, wrap)`, of which all but the first may be left out; or
                elements as they are.

        Returns:
            Self for chaining.
        """
        for item in elements:
            self.add_element(*(item if isinstance(item, (tuple, list)) else (item,)))
        return self

    def __ft__(self) -> NotStr:
        """Return all elements as HTML, so that a builder can be published like an element."""
        return NotStr(render(self.elements))

    def build(self) -> str:
        """Build the SSE message with all elements.

        Returns:
            SSE formatted message, as a `Frame`; an empty one without elements.
        """
        return Frame(encode(render(self)).decode() if self.elements else "")

    def clear(self) -> OOBStreamBuilder:
        """Clear all elements.

        Returns:
            Self for chaining.
        """
        self.elements = []
        return self


def _build(element: Any, target_id: str | None, how: Swap, wrap: bool) -> str:
    if not wrap and how.style == "innerHTML":
        how = how._replace(style="outerHTML")
    id = named_id(how.selector) if target_id is None else target_id.strip().removeprefix("#")
    if id == "":
        raise MarkupError(f"target_id must be the id of an element, not {target_id!r}")
    where = at(how, named(how.selector if id is None else KnownId(id), how))
    kept = {"id": id} if how.is_outer and id is not None else {}
    if not wrap or (how.is_outer and isinstance(element, FT)):
        return with_swap(element, where, **kept)
    return wrap_in_tag(render(element), where, **kept)
