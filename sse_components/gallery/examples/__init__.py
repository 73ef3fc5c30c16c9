"""What the gallery shows, one file each: the program that runs is the source that the page prints.

A file's docstring is its title and what it does. `page(state)` returns the page, `glance(state)` what its card shows,
`CHANNEL` is what both follow, and `state` is the app's, with the manager as `state.sse`.
"""

from __future__ import annotations

from . import access_log, machine, todos

EXAMPLES = (todos, machine, access_log)

__all__ = ["EXAMPLES", "access_log", "machine", "todos"]
