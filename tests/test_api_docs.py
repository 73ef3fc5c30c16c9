from __future__ import annotations

import re
from pathlib import Path

import sse_components

API = Path(__file__).parents[1] / "docs" / "api.md"


def test_every_public_name_has_one_line() -> None:
    rows = re.findall(r"^\| `(\w+)[`(]", API.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(sse_components.__all__)
