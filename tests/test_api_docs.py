from __future__ import annotations

import re
from pathlib import Path

import sse_components

README = Path(__file__).parents[1] / "README.md"


def test_every_public_name_has_one_line_in_the_readme() -> None:
    api = README.read_text().partition("\n## API\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)[`(]", api, re.MULTILINE)
    assert sorted(rows) == sorted(sse_components.__all__)
