"""The list of numbers of `faults`, and a page without it."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1

from e2e.pages import faults


def make_app(*, htmx4: bool) -> Any:
    app = faults.make_app(htmx4=htmx4)

    @app.route("/{room}/elsewhere", methods=["GET"])
    def elsewhere(room: str) -> Any:
        return H1("Elsewhere")

    return app
