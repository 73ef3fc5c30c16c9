"""`protocol.py` and `static/protocol.js` have the same values, and no other module repeats them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sse_components import protocol

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "static"
MIRROR = STATIC / "protocol.js"
CONSTANT = re.compile(r"^export const (\w+) = (.+?);$", re.MULTILINE | re.DOTALL)
NOT_MIRRORED = "# ---- Not in `protocol.js`"
# Classic scripts, which cannot import.
EARLY, EARLIEST = "components/synced-early.js", "morph/early-changes.js"
MODULES = sorted(
    path.relative_to(STATIC).as_posix()
    for path in STATIC.rglob("*.js")
    if path not in (MIRROR, STATIC / EARLY, STATIC / EARLIEST)
)


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


def names_below_the_line() -> set[str]:
    assert protocol.__file__
    _, _, rest = Path(protocol.__file__).read_text().partition(NOT_MIRRORED)
    return set(re.findall(r"^([A-Z_]+): Final", rest, re.MULTILINE))


def code_of(name: str) -> str:
    """Return a module without its comments."""
    return re.sub(r"/\*\*.*?\*/|(?:^|\s)//.*?$", "", (STATIC / name).read_text(), flags=re.DOTALL | re.MULTILINE)


def test_python_and_javascript_have_the_same_names_and_values() -> None:
    mirrored = {name: value for name, value in read_python().items() if name not in names_below_the_line()}
    assert len(mirrored) > 40
    assert read_javascript(MIRROR.read_text()) == mirrored


def test_every_exported_name_is_compared() -> None:
    source = MIRROR.read_text()
    assert source.count("export") == len(read_javascript(source))


def test_every_name_is_used() -> None:
    browser = "".join(code_of(name) for name in MODULES)
    assert [name for name in read_javascript(MIRROR.read_text()) if not re.search(rf"\b{name}\b", browser)] == []


@pytest.mark.parametrize("name", MODULES)
def test_no_module_spells_out_a_shared_name(name: str) -> None:
    shared = {value for value in read_javascript(MIRROR.read_text()).values() if isinstance(value, str)}
    distinct = {value for value in shared if value.startswith(("data-", "sse:", "/", "SSE-"))}
    literals = set(re.findall(r"""["'`]([^"'`\n]*)["'`]""", code_of(name)))
    attributes = {found for literal in literals for found in re.findall(r"data-sse-[\w-]+", literal)}
    assert not (literals | attributes) & distinct


def test_the_early_script_uses_the_attribute_names_of_python() -> None:
    source = (STATIC / EARLY).read_text()
    [names] = re.findall(r"const \{ (.*?) \} = field\.dataset", source)
    attributes = {
        f"data-{re.sub('[A-Z]', lambda at: f'-{at[0].lower()}', name)}" for name in re.findall(r"sse\w+", names)
    }
    switch = {protocol.ROOT_ATTRIBUTE, protocol.ON_ATTRIBUTE, protocol.OFF_ATTRIBUTE, protocol.MEDIA_ATTRIBUTE}
    assert attributes == {protocol.SYNCED_ATTRIBUTE, *switch}


def test_the_first_script_waits_for_the_event_of_the_protocol() -> None:
    assert f'"{protocol.EARLY_EVENT}"' in (STATIC / EARLIEST).read_text()


def test_literals_are_parsed_like_javascript() -> None:
    source = 'export const A = "a_1";\nexport const B = 30_000;\nexport const C = [\n  "x",\n  2.5,\n];\n'
    assert read_javascript(source) == {"A": "a_1", "B": 30000, "C": ["x", 2.5]}
