"""The tables and file trees of the documents match the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from fasthtml.common import FastHTML

import sse_components
from sse_components import EventLog, Kit, Limits, setup_sse

ROOT = Path(__file__).parents[1]
README, ARCHITECTURE, API = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "ARCHITECTURE.md", "docs/api.md")
)
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
# Folders whose files are not listed one by one.
UNLISTED = {"sse_components/components", "sse_components/gallery", "static/components"}


def section(text: str, heading: str) -> str:
    """Return the part of a document below a heading, with its subsections."""
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table whose first cell is code, without the backticks around that."""
    lines = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in cells] for cells in lines]


def test_every_public_name_has_one_line_in_the_readme() -> None:
    names = re.findall(r"^\| `(\w+)[`(]", section(README, "## API"), re.MULTILINE)
    assert sorted(names) == sorted(sse_components.__all__)


def defaults(text: str) -> dict[str, int]:
    """Return the names and the numbers of a table of limits."""
    return {cells[0].strip("`"): int(cells[1].split()[0].replace(",", "")) for cells in rows(text)}


def test_the_limits_are_those_of_the_code() -> None:
    documented = defaults(section(API, "### Limits"))
    assert documented == {field.name: getattr(Limits(), field.name) for field in fields(Limits)}


def test_the_bounds_of_the_log_are_those_of_the_code() -> None:
    parameters = inspect.signature(EventLog).parameters
    documented = defaults(section(API, "### What the log keeps"))
    assert documented == {name: each.default for name, each in parameters.items() if name != "clock"}


def test_the_routes_are_those_of_setup_sse() -> None:
    app = FastHTML(secret_key="key")
    before = list(app.routes)
    setup_sse(app)
    served = {
        route.path: set(getattr(route, "methods", None) or {"GET"}) - {"HEAD"}
        for route in app.routes
        if route not in before
    }
    table = rows(section(API, "## Routes of `setup_sse`"))
    documented = {f"/sse{cells[0].strip('`').partition('/<')[0]}": set(cells[1].split(", ")) for cells in table}
    assert documented == served


def test_the_options_of_handles_are_those_of_the_kit() -> None:
    table = {cells[0]: cells[2] for cells in rows(section(API, "## Handles"))}
    for method in ("text", "list", "region", "log", "sparkline", "job", "tokens", "synced"):
        parameters = inspect.signature(getattr(Kit, method)).parameters
        documented = re.findall(r"`(\w+)`", table[f"`sse.{method}(id)`"])
        assert sorted(documented) == sorted(set(parameters) - {"self", "id"}), method


def test_the_file_trees_list_every_file() -> None:
    named = set(named_files(section(ARCHITECTURE, "## The package")))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    files = [path for top in ("sse_components", "static") for path in (ROOT / top).rglob("*.*")]
    kept = {path.relative_to(ROOT).as_posix() for path in files if path.suffix in (".py", ".js", ".css")}
    listed = {name for name in kept if name.rpartition("/")[2] != "__init__.py" and not is_unlisted(name)}
    assert listed - named == set()


def named_files(text: str) -> Iterator[str]:
    """Yield the paths of the files that trees name at the beginning of their lines."""
    for tree in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        folders: list[str] = []
        for line in tree.splitlines():
            depth = (len(line) - len(line.lstrip())) // 2
            words = line.split()
            if words and words[0].endswith("/"):
                folders = [*folders[:depth], words[0]]
            while words and re.fullmatch(r"[\w-]+\.(py|js|css)", words[0]):
                yield "".join(folders[:depth]) + words.pop(0)


def is_unlisted(name: str) -> bool:
    return any(name.startswith(f"{folder}/") for folder in UNLISTED)


def test_the_table_of_changes_names_existing_files() -> None:
    table = section(ARCHITECTURE, "## Where to change what")
    paths = [path for path in re.findall(r"`([\w/-]+/[\w.-]*)`", table) if path.partition("/")[0] != ""]
    assert len(paths) > 50
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_point_to_existing_files_and_headings(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
        path, _, heading = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), target
        assert not heading or heading in headings(linked), target


def headings(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}
