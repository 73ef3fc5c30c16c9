"""Views of connections, which existing programs read like the dicts of cjm-fasthtml-sse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

V = TypeVar("V")


class LiveView(Mapping[str, V]):
    """A mapping that always shows the present state, and cannot be written. Iterating over it takes a copy.

    Args:
        present: returns the present state.
    """

    __slots__ = ("_present",)

    def __init__(self, present: Callable[[], Mapping[str, V]]) -> None:
        self._present = present

    def __getitem__(self, key: str) -> V:
        return self._present()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._present()))

    def __len__(self) -> int:
        return len(self._present())

    def __contains__(self, key: object) -> bool:
        return key in self._present()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._present())!r})"
