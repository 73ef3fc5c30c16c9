"""A list of numbers whose log is in a SQLite file; the page itself never has more than the first one."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

from fasthtml.common import Li, Ol, P

from e2e.pages import page_app
from sse_components import SSE, setup_sse


def url() -> str:
    return f"sqlite:///{Path(os.environ['E2E_FOLDER']) / 'live.db'}"


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, backend=url())
    rendered = count(1)

    @rt("/")
    def index() -> Any:
        return SSE(channels="numbers", id="live"), Ol(Li(0), id="numbers"), P(next(rendered), id="rendered")

    @rt("/add")
    def add(number: int) -> None:
        sse.publish("numbers", Li(number), target="numbers", swap="beforeend").result()

    return app
