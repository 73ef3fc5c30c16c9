"""What live content has in common: the tag that follows a channel, and content that is morphed into a page."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Template, ft_hx

from ..html.oob import flat
from ..protocol import MORPH_ATTRIBUTE
from .element import following


def live_tag(tag: str, *content: Any, id: str, channel: str, cls: str, **kwargs: Any) -> FT:
    """Return a tag that follows its channel; `kwargs` have the last word."""
    return ft_hx(tag, *flat(content), id=id, cls=cls.strip(), **{**following(channel), **kwargs})


def morph(*content: Any) -> FT:
    """Return content as a template. The page changes its target into it, and keeps focus and what is typed."""
    return Template(*content, **{MORPH_ATTRIBUTE: True})
