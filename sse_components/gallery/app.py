"""The gallery's app: its pages, and what runs beside them."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from types import ModuleType
from typing import Any

from fasthtml.common import FastHTML
from starlette.datastructures import State

from sse_components import BroadcastManager, oob, setup_sse

from ..assets import asset_url
from ..protocol import PREFIX
from . import layout
from .examples import EXAMPLES, access_log, machine, todos

# Seconds between two looks at which tabs are open.
TABS_PERIOD = 0.5
WELCOME = (
    "Open this page in another tab",
    "Tick a box, and look at the other tab",
    "Add some <b>markup</b>: it is shown, not run",
)


def create_app(*, db: str = "", htmx: int = 2) -> FastHTML:
    """Make the gallery.

    Args:
        db: path of the todo list's database; the key that signs grants is kept beside it. By default both are
            temporary.
        htmx: generation of htmx on the pages, 2 or 4.
    """
    app = FastHTML(
        htmx4=htmx == 4,
        surreal=False,
        canonical=False,
        hdrs=layout.head(asset_url("gallery.css", PREFIX)),
        htmlkw={"lang": "en"},
        secret_key=None if db else secrets.token_urlsafe(),
        key_fname=f"{db}.key",
        lifespan=partial(live, db),
    )
    setup_sse(app, element_builder=broadcast_element)
    app.state.htmx, app.state.lines, app.state.samples = htmx, deque(), machine.first_samples()
    app.add_middleware(access_log.AccessLog)
    add_pages(app)
    return app


def add_pages(app: FastHTML) -> None:
    """Add the index, the examples, and what they call."""
    todos.rt.to_app(app)

    @app.get("/")
    async def index() -> Any:
        return layout.index(app.state)

    for example in EXAMPLES:
        add_example(app, example)


def add_example(app: FastHTML, example: ModuleType) -> None:
    """Add an example's page at its own address."""

    @app.get(layout.path(example), name=example.CHANNEL)
    async def show() -> Any:
        return layout.example_page(example, app.state)


async def live(db: str, app: FastHTML) -> AsyncIterator[None]:
    """Keep the database open, and the background tasks running, while the app runs."""
    with closing(todos.connect(db)) as app.state.db:
        if not db:
            app.state.db.executemany("INSERT INTO todo (title) VALUES (?)", zip(WELCOME, strict=True))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(app.state)) for run in (machine.run, count_tabs)]
            yield
            for task in tasks:
                task.cancel()


async def count_tabs(state: State) -> None:
    """Tell every tab how many there are, soon after one has come or gone."""
    sse: BroadcastManager = state.sse
    known: set[str] = set()
    while True:
        present = {connection.connection_id for connection in sse.registry.get_connections()}
        if present != known:
            known = present
            await sse.broadcast("tabs", {"open": sse.get_connection_count()})
        await asyncio.sleep(TABS_PERIOD)


def broadcast_element(message_type: str, data: dict[str, Any]) -> Any:
    """Make of a broadcast what pages get; the number of tabs is the only one here."""
    return oob(layout.tabs(data["open"]))
