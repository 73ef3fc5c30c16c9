"""A stream of the kit, and endpoints with other answers."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from fasthtml.common import JSONResponse, P, Response

from e2e.pages import let_tests_publish, page_app
from sse_components import SSE, create_sse_element, setup_sse

# The `retry` of a stream, in milliseconds.
RETRY = 60_000


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4)
    let_tests_publish(rt, setup_sse(app))
    asked: defaultdict[str, list[float]] = defaultdict(list)

    @rt("/{room}/live", methods=["GET"])
    def live(room: str) -> Any:
        return SSE(P("old"), channels=room, id="live")

    @rt("/{room}/refused", methods=["GET"])
    def refused(room: str, answers: str) -> Any:
        return [create_sse_element(f"/{room}/answer/{name}", f"of-{name}") for name in answers.split(",")]

    @rt("/{room}/answer/html", methods=["GET"])
    def html(room: str) -> Any:
        asked[f"{room}/html"].append(time.monotonic())
        return P("no stream")

    @rt("/{room}/answer/busy", methods=["GET"])
    def busy(room: str) -> Response:
        times = asked[f"{room}/busy"]
        times.append(time.monotonic())
        return Response("not now", 503, {"Retry-After": "1"}) if len(times) == 1 else stream("data: now\n\n")

    @rt("/{room}/answer/short", methods=["GET"])
    def short(room: str) -> Response:
        asked[f"{room}/short"].append(time.monotonic())
        return stream(f"retry: {RETRY}\ndata: {len(asked[f'{room}/short'])}\n\n")

    @rt("/{room}/answer/{status:int}", methods=["GET"])
    def answer(room: str, status: int) -> Response:
        asked[f"{room}/{status}"].append(time.monotonic())
        return Response(None if status == 204 else "no", status)

    @rt("/{room}/asked/{name}", methods=["GET"])
    def times(room: str, name: str) -> Any:
        return JSONResponse(asked[f"{room}/{name}"])

    return app


def stream(text: str) -> Response:
    """Return a stream that ends at once."""
    return Response(text, media_type="text/event-stream")
