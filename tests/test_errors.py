"""The tree in the docstring of `errors.py` matches its classes."""

from __future__ import annotations

import inspect
import re

import sse_components
from sse_components import errors

LINE = re.compile(r"(?P<branch>[│├└─ ]*)(?P<name>\w+)(?: \((?P<builtin>\w+)\))?", re.MULTILINE)


def documented() -> dict[str, list[str]]:
    """Return the names of the tree with those of their bases, in its order."""
    path: list[str] = []
    bases: dict[str, list[str]] = {}
    for line in (errors.__doc__ or "").splitlines()[2:]:
        found = LINE.match(line)
        assert found, line
        path = [*path[: len(found["branch"]) // 4], found["name"]]
        bases[found["name"]] = [base for base in (*path[-2:-1], found["builtin"]) if base] or ["Exception"]
    return bases


def real() -> dict[str, list[str]]:
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    return {cls.__name__: [base.__name__ for base in cls.__bases__] for cls in classes}


def test_the_documented_tree_is_the_real_one() -> None:
    assert documented() == real()


def test_every_error_can_be_imported_from_the_package() -> None:
    assert {name for name in real() if getattr(sse_components, name, None) is getattr(errors, name)} == set(real())
    assert set(real()) <= set(sse_components.__all__)


def test_a_history_gap_has_its_channels() -> None:
    gap = errors.HistoryGap(["todos", "chat"])
    assert gap.channels == ["todos", "chat"]
    assert str(gap) == "the log no longer reaches back for: todos, chat"
