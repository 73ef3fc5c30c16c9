"""Items that outlive a process, in a list that is rendered and published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fasthtml.common import FastHTML, Li, Ul

from e2e.pages import NO_ICON
from sse_components import SSE, setup_sse

FILE = Path(os.environ.get("E2E_FOLDER", ".")) / "items"


def items() -> list[str]:
    return FILE.read_text().split() if FILE.exists() else []


def item(text: str) -> Any:
    return Li(text, id=f"item-{text}")


def make_app(*, htmx4: bool) -> FastHTML:
    app = FastHTML(htmx4=htmx4, secret_key="e2e", hdrs=(NO_ICON,))
    sse = setup_sse(app)

    @app.route("/")
    def index() -> Any:
        return SSE(channels="items"), Ul(*map(item, items()), id="items")

    @app.route("/add", methods=["POST"])
    async def add(text: str) -> dict[str, int]:
        """Add an item, and return the process that has done so."""
        with FILE.open("a") as file:
            file.write(f"{text}\n")
        await sse.publish("items", item(text), target="items", swap="beforeend")
        return {"process": os.getpid()}

    return app


app = make_app(htmx4=False)
