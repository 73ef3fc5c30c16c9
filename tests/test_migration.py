"""The migration page's snippets run, and the module that it names stays small."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import sse_components
from sse_components import SetupError, compat

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/migration.md").read_text()


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_a_snippet_runs(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where FastHTML keeps the key that it makes
    names: dict[str, Any] = {"__name__": "migration"}
    exec(snippet, names)


def test_what_the_page_says_to_write_is_there() -> None:
    rows = re.findall(r"^\| `.*? \| (.*) \|$", PAGE.partition("## 0.0.16")[2], re.MULTILINE)
    written = set(re.findall(r"`(?:sse\.)?([A-Za-z_]+)\(", " ".join(rows)))
    assert written
    assert {name for name in written if not hasattr(sse_components, name)} <= {"publish"}


def test_the_module_is_small_and_has_what_it_names() -> None:
    assert len(Path(compat.__file__).read_text().splitlines()) < 150
    assert all(hasattr(compat, name) for name in compat.__all__)


def test_headers_without_htmx_are_told() -> None:
    with pytest.raises(SetupError, match=r"^the headers do not load htmx: give those of an app, such as app\.hdrs$"):
        compat.insert_htmx_sse_ext([])
