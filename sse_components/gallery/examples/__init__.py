"""The examples in the gallery, one per file. Each page prints the source of the file that runs.

The docstring of a file is its title and summary. `page(request)` returns the content of the page, `glance(request)` the
content of its card on the index. Three more names are optional: `setup(state)` prepares the app's state, which holds
the manager as `state.sse`; `run(state)` is a background task; `rt` is a router.
"""

from __future__ import annotations

from ..examples import (
    access_log,
    board,
    connection,
    fields,
    job,
    log,
    machine,
    model,
    presence,
    sign_in,
    toasts,
    todos,
    transfer,
    vote,
)

EXAMPLES = (
    todos,
    vote,
    board,
    machine,
    job,
    model,
    log,
    access_log,
    toasts,
    fields,
    transfer,
    presence,
    sign_in,
    connection,
)

__all__ = ["EXAMPLES", "access_log", "connection", "fields", "presence", "sign_in", "toasts", "todos"]
