"""Print figures on the structure of the package: modules, layers ("floors"), imports, lengths of functions.

python scripts/structure.py [FOLDER]      the default is sse_components
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

Modules = dict[str, ast.Module]


def main(folder: str = "sse_components") -> None:
    """Print the figures of the package in a folder."""
    package = Path(folder)
    modules = read(package)
    imports = {name: set(find_imports(tree, name, package.name, modules)) - {name} for name, tree in modules.items()}
    lengths = sorted(length for tree in modules.values() for length in function_lengths(tree))
    top = [name for name in modules if "." not in name]
    print(f"modules                {len(modules)}, of which at the top level {len(top)}")
    print(f"floors                 {1 + max(floor(name, imports) for name in modules)}")
    print(f"imports                {sum(map(len, imports.values()))}")
    print(f"functions              {len(lengths)}")
    print(
        f"lines of a function    median {statistics.median(lengths):g}, p90 {lengths[len(lengths) * 9 // 10]}, ", end=""
    )
    print(f"max {lengths[-1]}, without docstrings and signatures")


def read(package: Path) -> Modules:
    """Return the parsed modules by their dotted names below the package."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): ast.parse(path.read_text())
        for path in package.rglob("*.py")
    }


def find_imports(tree: ast.AST, importer: str, root: str, modules: Modules) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (base := base_of(node, importer, root)) is not None:
            for alias in node.names:
                yield from (name for name in (f"{base}.{alias.name}".strip("."), base) if name in modules)


def base_of(node: ast.ImportFrom, importer: str, root: str) -> str | None:
    """Return the module, relative to the package, that an import names; None for an import of another package."""
    if node.level:
        parts = importer.split(".")[: -node.level]
        return ".".join([*parts, *filter(None, [node.module])])
    name, _, rest = (node.module or "").partition(".")
    return rest if name == root else None


def floor(name: str, imports: dict[str, set[str]]) -> int:
    """Return the length of the longest import chain from a module to one that imports nothing from the package."""
    return max((1 + floor(below, imports) for below in imports[name]), default=0)


def function_lengths(tree: ast.AST) -> Iterator[int]:
    """Yield for each function the number of lines of its body, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and node.end_lineno is not None:
                yield node.end_lineno - body[0].lineno + 1


if __name__ == "__main__":
    main(*sys.argv[1:])
