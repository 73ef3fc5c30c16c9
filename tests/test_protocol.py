"""`protocol.py` and `static/protocol.js` say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sse_components import protocol

MIRROR = Path(__file__).parents[1] / "static" / "protocol.js"
CONSTANT = re.compile(r"^export const (\w+) = (.+?);$", re.MULTILINE | re.DOTALL)


def read_javascript(source: str) -> dict[str, object]:
    return {name: read_literal(literal) for name, literal in CONSTANT.findall(source)}


def read_literal(literal: str) -> object:
    """Read a literal that is JSON but for `_` in numbers and a comma after the last item."""
    without_separators = re.sub(r'("[^"]*")|_', r"\1", literal)
    return json.loads(re.sub(r",\s*]", "]", without_separators))


def read_python() -> dict[str, object]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(protocol).items()
        if name.isupper()
    }


def test_each_side_has_the_names_and_values_of_the_other() -> None:
    assert read_javascript(MIRROR.read_text()) == read_python()


def test_nothing_is_exported_that_is_not_compared() -> None:
    source = MIRROR.read_text()
    assert source.count("export") == len(read_javascript(source))


def test_literals_are_read_as_javascript_reads_them() -> None:
    source = 'export const A = "a_1";\nexport const B = 30_000;\nexport const C = [\n  "x",\n  2.5,\n];\n'
    assert read_javascript(source) == {"A": "a_1", "B": 30000, "C": ["x", 2.5]}
