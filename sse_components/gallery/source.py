"""Python source as HTML, with the standard library's own tokenizer."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import accumulate

from fasthtml.common import NotStr

KINDS = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "number"}


@cache
def highlight(source: str) -> NotStr:
    """Return source code as HTML, with spans around comments, strings, numbers, keywords and defined names."""
    html, end = [], 0
    for kind, start, stop in marks(source):
        html += [escape(source[end:start]), f'<span class="{kind}">{escape(source[start:stop])}</span>']
        end = stop
    return NotStr("".join([*html, escape(source[end:])]))


def marks(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind, start and end of each token to highlight, in order."""
    lines = [0, *accumulate(map(len, io.StringIO(source)))]
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if found := kind(token, before):
            yield found, lines[token.start[0] - 1] + token.start[1], lines[token.end[0] - 1] + token.end[1]
        before = token.string


def kind(token: tokenize.TokenInfo, before: str) -> str | None:
    """Return the kind of a token, or None if it is not highlighted; `before` is the text of the previous token."""
    if token.type == tokenize.NAME:
        if before in ("def", "class"):
            return "name"
        return "keyword" if keyword.iskeyword(token.string) else None
    # From Python 3.12 on, an f-string is several tokens.
    if tokenize.tok_name[token.type].startswith("FSTRING"):
        return "string"
    return KINDS.get(token.type)
