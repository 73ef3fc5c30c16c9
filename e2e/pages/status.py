"""Pages with a connection status: connected, refused, and without a stream; and a page with statistics."""

from __future__ import annotations

from typing import Any

from fasthtml.common import H1, Main, Response, Title

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, ConnectionStats, ConnectionStatus, create_sse_element, setup_sse

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"})
    sse = setup_sse(app)
    let_tests_publish(rt, sse)

    def page(*content: Any) -> Any:
        return Title("Status"), Main(H1("Status"), *content)

    @rt("/{room}/live")
    def live(room: str) -> Any:
        words = ConnectionStatus(live=HOSTILE, id="words")
        return page(ConnectionStatus(id="status"), words, SSE(channels=room, id="live", swap="beforeend"))

    @rt("/{room}/refused")
    def refused(room: str) -> Any:
        other = create_sse_element("/refuse", "refused")
        return page(ConnectionStatus(id="status"), SSE(channels=room, id="live"), other)

    @rt("/nothing")
    def nothing() -> Any:
        return page(ConnectionStatus(id="status"))

    @rt("/refuse")
    def refuse() -> Response:
        return Response("no", 403)

    @rt("/{room}/numbers")
    def numbers(room: str) -> Any:
        stats = ConnectionStats(stats=sse.registry.get_stats(), interval=0.2, id="stats", labels={"live": HOSTILE})
        return page(stats, ConnectionStats(), SSE(channels=room, id="live", swap="beforeend"))

    return app
