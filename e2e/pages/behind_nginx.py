"""A page behind nginx, whose application may be known under other origins: those in the file `origins`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fasthtml.common import P

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, setup_sse


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    sse = setup_sse(app, origins=(Path(os.environ["E2E_FOLDER"]) / "origins").read_text().split())
    let_tests_publish(rt, sse)

    @rt("/")
    def index() -> Any:
        return SSE(P("waiting"), channels="news", id="live", swap="innerHTML")

    return app
