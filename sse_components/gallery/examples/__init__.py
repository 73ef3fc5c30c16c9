"""What the gallery shows, one file each: the program that runs is the source that the page prints.

A file's docstring is its title and what it does. `page(request)` returns the page, and `glance(request)` what its card
shows. Where it is needed, `setup(state)` prepares the app's state, which has the manager as `state.sse`; `run(state)`
runs beside the pages, and `rt` has routes of its own.
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
