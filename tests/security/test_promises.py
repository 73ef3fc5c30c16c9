"""The documents about security say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from sse_components import Limits
from sse_components.events.wire import MAX_NAME_LENGTH
from tests.support.serving import ROOT

SECURITY, API = [(ROOT / "docs" / name).read_text() for name in ("security.md", "api.md")]
ROW = re.compile(r"^\| `(\w+)` \| ([\d,]+)[^|]*\| ([^|]+) \|$", re.MULTILINE)


@pytest.mark.parametrize("text", [SECURITY, API], ids=["security.md", "api.md"])
def test_the_table_has_every_limit_with_its_default(text: str) -> None:
    rows = {name: int(default.replace(",", "")) for name, default, _ in ROW.findall(text)}
    assert {name: rows.get(name) for name in Limits.__slots__} == {
        field.name: getattr(Limits(), field.name) for field in fields(Limits)
    }


def test_the_status_of_each_limit_is_in_its_docstring_as_in_the_table() -> None:
    for name, _, beyond in ROW.findall(SECURITY):
        if status := re.match(r"4\d\d|503", beyond):
            described = re.search(rf"^        {name}: (?:.|\n {{12}})*", Limits.__doc__ or "", re.MULTILINE)
            assert described is not None, name
            assert status[0] in described[0], name


def test_the_length_of_names_is_as_the_page_says() -> None:
    assert f"at most {MAX_NAME_LENGTH} characters" in SECURITY


def test_every_row_of_the_threat_table_names_tests_that_exist() -> None:
    table = SECURITY.partition("## Who may do what to whom")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| a")]
    assert len(rows) == table.count("\n|") - 2
    for row in rows:
        named = re.findall(r"`((?:tests|e2e|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", row.rpartition(" | ")[2])
        assert named, row
        for path, test in named:
            assert not test or f"def {test}(" in (ROOT / path).read_text(), row
            assert (ROOT / path).is_file(), row
