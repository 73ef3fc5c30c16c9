"""The gallery's app: its pages and background tasks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from types import ModuleType
from typing import Any

from fasthtml.common import FastHTML
from starlette.middleware import Middleware
from starlette.requests import Request

from .. import setup_sse
from ..gallery import layout
from ..html.assets import asset_url
from ..protocol import PREFIX
from .examples import EXAMPLES, access_log, connection, sign_in, todos

WELCOME = (
    "Open this page in another tab",
    "Tick a box, and look at the other tab",
    "Add some <b>markup</b>: it is shown, not run",
)


def create_app(*, db: str = "", htmx: int = 2) -> FastHTML:
    """Make the gallery.

    Args:
        db: path of the todo list's database. The key that signs grants is stored next to it. By default, both are
            temporary.
        htmx: major version of htmx on the pages, 2 or 4.
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
        before=sign_in.set_user,
    )
    setup_sse(app)
    app.state.htmx = htmx
    app.add_middleware(access_log.AccessLog)
    app.user_middleware.append(Middleware(connection.Refusal))  # innermost: it needs the session
    add_pages(app)
    return app


def add_pages(app: FastHTML) -> None:
    """Add the index, and the pages and routes of the examples."""

    @app.get("/")
    async def index(request: Request) -> Any:
        return layout.index(request)

    for example in EXAMPLES:
        add_example(app, example)


def add_example(app: FastHTML, example: ModuleType) -> None:
    """Add an example's page, and its other routes."""

    @app.get(layout.path(example), name=layout.path(example))
    async def show(request: Request) -> Any:
        return layout.example_page(example, request)

    if hasattr(example, "rt"):
        example.rt.to_app(app)


async def live(db: str, app: FastHTML) -> AsyncIterator[None]:
    """Lifespan: open the database, and run the examples' background tasks."""
    with closing(todos.connect(db)) as app.state.db:
        if not db:
            app.state.db.executemany("INSERT INTO todo (title) VALUES (?)", zip(WELCOME, strict=True))
        for setup in hooks("setup"):
            setup(app.state)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(app.state)) for run in hooks("run")]
            yield
            for task in tasks:
                task.cancel()


def hooks(name: str) -> list[Any]:
    """Return the functions with this name from all examples that define one."""
    return [getattr(example, name) for example in EXAMPLES if hasattr(example, name)]
