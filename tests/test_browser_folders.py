"""Imports between the folders of `static/`; only one folder uses htmx."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[1] / "static"
MODULES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))
IMPORT = re.compile(r"""(?:from |^import |import\()"(\.[^"]+)\"""", re.MULTILINE)
# Details of htmx that other folders may need. These modules import nothing.
HTMX_FACTS = {"htmx/names.js", "htmx/process.js"}
# Folders from which a folder may import. It may also import from itself, and what is in BASE.
BELOW = {
    "stream": set[str](),
    "hub": {"stream"},
    "morph": set[str](),
    "page": {"stream", "hub", "morph"},
    "htmx": {"stream", "morph", "page"},
    "components": {"stream", "hub", "page"},
}
BASE = {"protocol.js", "address.js", "environment.js", "dom.js", "namespace.js", "timer.js"}


def code_of(name: str) -> str:
    """Return a module without its comments."""
    return re.sub(r"/\*\*.*?\*/|(?:^|\s)//.*?$", "", (STATIC / name).read_text(), flags=re.DOTALL | re.MULTILINE)


def imports_of(name: str) -> list[str]:
    return [posixpath.normpath(f"{name}/../{path}") for path in IMPORT.findall(code_of(name))]


@pytest.mark.parametrize("name", [name for name in MODULES if "/" in name])
def test_a_folder_imports_only_from_lower_folders(name: str) -> None:
    folder = name.partition("/")[0]
    allowed = {folder, *BELOW[folder]}
    others = [
        path for path in imports_of(name) if path not in BASE | HTMX_FACTS and path.partition("/")[0] not in allowed
    ]
    assert others == []


@pytest.mark.parametrize("name", sorted(BASE | HTMX_FACTS))
def test_modules_that_all_may_import_import_little(name: str) -> None:
    assert set(imports_of(name)) <= {"address.js", "dom.js", "environment.js", "protocol.js"}


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("htmx/")])
def test_only_one_folder_uses_htmx(name: str) -> None:
    code = "\n".join(line for line in code_of(name).splitlines() if not re.search(r"(from|import) \"", line))
    assert re.findall(r"""\bhtmx[:.-]\S*|\bhx-\S*|["']htmx["']""", code) == []


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_global_and_nothing_is_evaluated(name: str) -> None:
    assert re.findall(r"\beval\(|new Function|\bwindow\.|globalThis\.\w+ =|\bvar ", code_of(name)) == []


def test_there_are_no_import_cycles() -> None:
    graph = {name: [path for path in imports_of(name) if path in MODULES] for name in MODULES}
    while leaves := [name for name, imported in graph.items() if not imported]:
        graph = {
            name: [i for i in imported if i not in leaves] for name, imported in graph.items() if name not in leaves
        }
    assert graph == {}
