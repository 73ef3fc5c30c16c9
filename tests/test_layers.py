"""Each module imports only modules above it, so there are no import cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sse_components"

# From top to bottom: the order of ARCHITECTURE.md. A folder's modules stand together. `x.*` stands for the modules of
# the package x that are not listed: they may import each other, but not in a circle.
ORDER = [
    "errors",
    "protocol",
    "checks",
    "forks",
    "callbacks",
    "background",
    "events.__init__",
    "events.wire",
    "events.moment",
    "events.json_text",
    "events.log",
    "events.message",
    "backends.base",
    "backends.listeners",
    "backends.memory",
    "backends.shared",
    "backends.wake_up",
    "backends.sqlite_store",
    "backends.sqlite",
    "backends.redis",
    "backends.urls",
    "backends.__init__",
    "access.__init__",
    "access.visitor",
    "access.identity",
    "access.clock",
    "access.revocations",
    "access.shared_revocations",
    "access.rooms",
    "access.selector",
    "access.grants",
    "access.subscriber",
    "access.limits",
    "access.bodies",
    "access.headers",
    "access.same_origin",
    "html.__init__",
    "html.swap",
    "html.oob",
    "html.built",
    "html.assets",
    "html.page_context",
    "html.granted",
    "html.mounting",
    "html.connect",
    "html.scripts",
    "delivery.__init__",
    "delivery.servers",
    "delivery.workers",
    "delivery.views",
    "delivery.connection",
    "delivery.registry",
    "delivery.feed",
    "delivery.fanout",
    "delivery.quota",
    "delivery.browsers",
    "delivery.enforcement",
    "delivery.processes",
    "delivery.admission",
    "delivery.handover",
    "delivery.response",
    "delivery.shutdown",
    "generators.__init__",
    "generators.sources",
    "generators.throttle",
    "generators.streams",
    "generators.visit",
    "generators.endpoint",
    "generators.progress",
    "publication",
    "home_loop",
    "leases",
    "presence",
    "transactions",
    "manager",
    "components.element",
    "components.*",
    "components.__init__",
    "kit",
    "client",
    "cli",
    "endpoints.__init__",
    "endpoints.authorization",
    "endpoints.stream",
    "endpoints.renew",
    "endpoints.connections",
    "endpoints.presence_report",
    "endpoints.broadcast",
    "middleware",
    "app",
    "compat",
    "broadcast",
    "connections",
    "streaming",
    "__init__",
    "gallery.source",
    "gallery.examples.*",
    "gallery.examples.__init__",
    "gallery.layout",
    "gallery.app",
    "gallery.__init__",
    "__main__",
]
Modules = dict[str, ast.Module]


def test_each_module_imports_only_modules_above_it() -> None:
    assert faults(PACKAGE, ORDER) == []


def test_the_engine_needs_neither_fasthtml_nor_the_components() -> None:
    modules = read(PACKAGE)
    engine = closure("manager", modules)
    assert {"events.log", "access.grants", "delivery.enforcement"} < engine
    assert [name for name in engine if name.startswith(("components.", "kit"))] == []
    assert [name for name in sorted(engine) if "fasthtml" in outside_packages(modules[name])] == []


def test_the_modules_of_a_folder_are_listed_together() -> None:
    folders = [name for name, _ in groupby(entry.partition(".")[0] for entry in ORDER)]
    assert len(folders) == len(set(folders))


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"low.py": "from .high import x"}, "low imports high, which is not above it"),
        ({"low.py": "from . import high"}, "low imports high, which is not above it"),
        ({"low.py": "import package.high as h"}, "low imports high, which is not above it"),
        ({"low.py": "from . import anything"}, "low imports __init__, which is not above it"),
        ({"low.py": "from .rooms.one import x"}, "low imports rooms.one, which is not above it"),
        ({"rooms/__init__.py": "", "low.py": "from .rooms.one import x"}, "low imports rooms.__init__,"),
        ({"rooms/one.py": "from ..high import x"}, "rooms.one imports high, which is not above it"),
        ({"low.py": "if TYPE_CHECKING:\n    from .high import x"}, "low imports high, which is not above it"),
        ({"high.py": "def f():\n    from .low import x"}, "high imports inside f()"),
        ({"new.py": ""}, "new has no line in ORDER"),
        ({"rooms/new/deep.py": ""}, "rooms.new.deep has no line in ORDER"),
        (
            {"rooms/one.py": "from .two import x", "rooms/two.py": "from . import one"},
            "in a circle: rooms.one, rooms.two",
        ),
    ],
)
def test_a_violation_is_found(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    write(tmp_path / "package", files)
    found = faults(tmp_path / "package", ["low", "rooms.*", "high", "__init__"])
    assert any(sentence.startswith(fault) for sentence in found), found


def test_a_valid_order_passes(tmp_path: Path) -> None:
    files = {
        "low.py": "import json\nfrom collections.abc import Iterator",
        "rooms/one.py": "from ..low import x\nfrom .. import low",
        "rooms/two.py": "from .one import x\nimport package.rooms.one\nfrom . import one",
        "rooms/__init__.py": "from .one import x\nfrom .two import y",
        "high.py": "from .rooms import x\nfrom .rooms.two import y\ndef f():\n    import json",
        "__init__.py": "from .low import x\nfrom .high import y",
    }
    write(tmp_path / "package", files)
    assert faults(tmp_path / "package", ["low", "rooms.*", "rooms.__init__", "high", "__init__"]) == []


def closure(name: str, modules: Modules) -> set[str]:
    """Return a module, and all modules of the package that it needs."""
    found = {name}
    waiting = [name]
    while waiting:
        needed = set(imported(modules[waiting[-1]], waiting.pop(), PACKAGE.name, modules)) - found
        found |= needed
        waiting += needed
    return found


def outside_packages(tree: ast.AST) -> set[str]:
    """Return the other packages that a module imports."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


def write(package: Path, files: dict[str, str]) -> None:
    for name in ["__init__.py", "low.py", "high.py", "rooms/one.py", "rooms/two.py"]:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(files.get(name, ""))
    for name, source in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(source)


def faults(package: Path, order: list[str]) -> list[str]:
    """Return a sentence for each breach of `order` in the package at `package`."""
    modules = read(package)
    uses = {name: set(imported(tree, name, package.name, modules)) for name, tree in modules.items()}
    return [
        *(f"{name} has no line in ORDER" for name in sorted(modules) if line(name, order) is None),
        *upward(uses, order),
        *(f"{name} imports inside {function}()" for name, function in inside_functions(modules, package.name)),
        *circle(uses),
    ]


def read(package: Path) -> Modules:
    """Return the parsed modules by their dotted names below the package, `backends.__init__` among them."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): ast.parse(path.read_text())
        for path in package.rglob("*.py")
    }


def line(name: str, order: list[str]) -> int | None:
    """Return the place of a module in `order`, by its own line or its package's `*`."""
    star = f"{name.rpartition('.')[0]}.*"
    return next((order.index(entry) for entry in (name, star) if entry in order), None)


def upward(uses: dict[str, set[str]], order: list[str]) -> Iterator[str]:
    for name in sorted(uses):
        own = line(name, order)
        for used in sorted(uses[name]):
            other = line(used, order)
            if own is None or other is None:
                continue
            if other > own or (other == own and not order[own].endswith("*")):
                yield f"{name} imports {used}, which is not above it"


def circle(uses: dict[str, set[str]]) -> Iterator[str]:
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        yield f"in a circle: {', '.join(sorted(set(error.args[1])))}"


def inside_functions(modules: Modules, root: str) -> Iterator[tuple[str, str]]:
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(imported(node, name, root, modules)):
                yield name, node.name


def imported(tree: ast.AST, importer: str, root: str, modules: Modules) -> Iterator[str]:
    """Yield the modules of the package that `tree`, a part of `importer`, imports."""
    for node in ast.walk(tree):
        for target in targets(node, importer, root):
            yield from loaded(target, importer, modules)


def targets(node: ast.AST, importer: str, root: str) -> Iterator[list[str]]:
    """Yield what an import statement names, as parts below the package: `['backends', 'base', 'Backend']`."""
    if isinstance(node, ast.Import):
        names = [alias.name.split(".") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = [root, *importer.split(".")[:-1]]
        base = above[: len(above) + 1 - node.level] if node.level else []
        names = [[*base, *(node.module or "").split("."), alias.name] for alias in node.names]
    else:
        return
    for name in names:
        parts = [part for part in name if part]
        if parts[0] == root:
            yield parts[1:]


def loaded(target: list[str], importer: str, modules: Modules) -> Iterator[str]:
    """Yield the module that holds `target`, and the packages above it that are not the importer's own."""
    for length in range(len(target), -1, -1):
        module, package = ".".join(target[:length]), ".".join([*target[:length], "__init__"])
        if module in modules or package in modules:
            yield module if module in modules else package
            break
    for outer in range(1, length):
        package = ".".join(target[:outer])
        if f"{package}.__init__" in modules and not importer.startswith(f"{package}."):
            yield f"{package}.__init__"
