"""Swaps as htmx 2 and htmx 4 allow them: a style, perhaps a target, and modifiers."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import MarkupError

SWAPS = (
    "outerHTML",
    "innerHTML",
    "beforebegin",
    "afterbegin",
    "beforeend",
    "afterend",
    "textContent",
    "delete",
    "none",
)
# Other names of htmx 4 for the same styles; htmx 2 knows the first ones only.
ALIASES = {"before": "beforebegin", "prepend": "afterbegin", "append": "beforeend", "after": "afterend"}
# htmx 4 has the first two, and htmx 2's extension idiomorph the others. The kit's scripts add the rest on both.
MORPHS = ("innerMorph", "outerMorph", "morph", "morph:innerHTML", "morph:outerHTML")
STYLES = (*SWAPS, *ALIASES, *MORPHS)
MODIFIERS = (
    *("transition", "swap", "settle", "ignoreTitle", "scroll", "show", "focus-scroll"),  # htmx 2 and 4
    *("scrollTarget", "showTarget", "strip", "swapEmpty"),  # htmx 4
)

_MODIFIER = re.compile(rf"(?:{'|'.join(MODIFIERS)}):\S+")


class Swap(NamedTuple):
    """How and where to swap.

    Attributes:
        style: one of `SWAPS` or `MORPHS`.
        selector: of the target, if the swap names one.
        modifiers: such as `'transition:true show:bottom'`.
    """

    style: str
    selector: str | None = None
    modifiers: str = ""

    def __str__(self) -> str:
        return f"{self.style} {self.modifiers}".strip()

    @property
    def is_outer(self) -> bool:
        """Whether it replaces the target itself, so that one element must be there."""
        return self.style in ("outerHTML", "outerMorph", "morph", "morph:outerHTML")


def parse_swap(swap: str | bool) -> Swap:
    """Return what a swap says.

    Args:
        swap: a style (`True` and `'true'` are `'outerHTML'`), followed by modifiers (`'beforeend show:bottom'`), or
            by a colon and the selector of the target (`'outerHTML:#x'`).

    Raises:
        MarkupError: for an unknown style or modifier, with those that are allowed.
    """
    if swap is True or swap == "true":
        return Swap("outerHTML")
    if not isinstance(swap, str):
        raise _unknown(swap)
    first, _, modifiers = swap.strip().partition(" ")
    if first in STYLES:
        return Swap(ALIASES.get(first, first), None, _checked_modifiers(modifiers))
    style, _, target = swap.strip().partition(":")
    if style not in STYLES or not target.strip():
        raise _unknown(swap)
    return Swap(ALIASES.get(style, style), target.strip())


def is_swap(text: str) -> bool:
    """Tell whether a text begins as a swap does, and so is no name of an event."""
    return re.split(r"[ :]", text.strip(), maxsplit=1)[0] in STYLES


def check_swap(swap: str | bool) -> str:
    """Return a swap for `hx-swap`, else raise `MarkupError`.

    Args:
        swap: as `parse_swap` has it, without a target.
    """
    parsed = parse_swap(swap)
    if parsed.selector is not None:
        raise MarkupError(f"the swap {swap!r} has a target, which belongs into hx_target")
    return str(parsed)


def _checked_modifiers(modifiers: str) -> str:
    for modifier in modifiers.split():
        if not _MODIFIER.fullmatch(modifier):
            allowed = ", ".join(f"{name}:…" for name in MODIFIERS)
            raise MarkupError(f"unknown modifier {modifier!r} of a swap; allowed are: {allowed}")
    return " ".join(modifiers.split())


def _unknown(swap: object) -> MarkupError:
    return MarkupError(f"unknown swap {swap!r}; allowed are: {', '.join(SWAPS)}, {', '.join(MORPHS)}, true")
