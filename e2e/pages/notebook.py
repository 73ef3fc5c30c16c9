"""The reference notebook's complete integration: nothing is changed but the import, and what loads the extension."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1, Div, Script, Span, fast_app

from e2e.pages import NO_ICON
from sse_components import BroadcastManager, create_sse_element, setup_broadcast_routes
from sse_components.app import EXTENSIONS


def build_oob_elements(message_type: str, data: dict[str, Any]) -> Any:
    """Build HTML elements with OOB swaps based on message type."""
    elements = []

    if message_type == "status_update":
        elements.append(Div(data.get("status", "Unknown"), id="status-display", hx_swap_oob="true"))

    elif message_type == "counter_update":
        elements.append(Span(str(data.get("count", 0)), id="counter", hx_swap_oob="innerHTML"))

    return Div(*elements) if elements else None


def create_app_with_broadcast(**options: Any) -> tuple[Any, BroadcastManager]:
    app, rt = fast_app(**options)
    manager = BroadcastManager()

    # Setup routes
    setup_broadcast_routes(app, manager, element_builder=build_oob_elements)

    @rt("/")
    def index() -> Any:
        return Div(
            H1("Broadcast Demo"),
            Div(id="global-sse", hx_ext="sse", sse_connect="/sse/broadcast", sse_swap="message"),
            Div("Waiting for updates...", id="status-display"),
            Span("0", id="counter"),
        )

    @rt("/trigger")
    async def trigger() -> str:
        await manager.broadcast("counter_update", {"count": 42})
        return "Broadcast sent!"

    return app, manager


def make_app(*, htmx4: bool) -> Any:
    extension = Script(src=EXTENSIONS[4 if htmx4 else 2][0])
    app, manager = create_app_with_broadcast(
        htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=(NO_ICON, extension)
    )

    @app.route("/element")
    def element() -> Any:
        """Show the same page with the kit's element."""
        live = create_sse_element("/sse/broadcast", "global-sse", "innerHTML")
        return live, Div("Waiting for updates...", id="status-display"), Span("0", id="counter")

    @app.route("/tell", methods=["POST"])
    async def tell(kind: str, status: str) -> dict[str, int]:
        return {"reached": await manager.broadcast(kind, {"status": status})}

    return app
