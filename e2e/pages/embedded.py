"""A live page where pages are shown in unusual ways: in frames, without cookies, with a password in the address."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fasthtml.common import A, Beforeware, Button, Iframe, Li, P, Request, Response, Script, Title, Ul, fast_app
from starlette.responses import FileResponse
from starlette.routing import Route

from e2e.cdn import package_folder
from e2e.pages import NO_ICON
from sse_components import SSE, ConnectionStatus, Kit, TabCount, ToastStack, create_sse_element, setup_sse
from sse_components.access.visitor import SameSite


def htmx_file(htmx4: bool) -> Path:
    """Return the file of htmx."""
    return package_folder("htmx.org", "4.0.0" if htmx4 else "2.0.7") / "dist" / "htmx.min.js"


def extension_file(htmx4: bool) -> Path:
    """Return the file of htmx's extension for Server-Sent Events."""
    if htmx4:
        return package_folder("htmx.org", "4.0.1") / "dist" / "ext" / "hx-sse.min.js"
    return package_folder("htmx-ext-sse", "2.2.4") / "dist" / "sse.min.js"


def find_user(request: Request) -> None:
    request.scope["auth"] = request.session.get("user")


def make_app(*, htmx4: bool, same_site: SameSite = "lax") -> Any:
    # The tests route no requests, so the application has htmx itself.
    files = {"htmx.js": htmx_file(htmx4), "sse.js": extension_file(htmx4)}
    scripts = [Script(src=f"/lib/{name}") for name in files]
    app, rt = fast_app(
        default_hdrs=False,
        hdrs=(NO_ICON, *scripts),
        secret_key="e2e",
        before=Beforeware(find_user, skip=["/lib/.*"]),
        same_site=same_site,
        sess_https_only=same_site == "none",
    )
    sse: Kit = setup_sse(app, heartbeat=2, htmx=4 if htmx4 else 2, same_site=same_site)

    async def lib(request: Request) -> FileResponse:
        return FileResponse(files[request.path_params["name"]])

    # In front of FastHTML's route for every `.js`.
    app.router.routes.insert(0, Route("/lib/{name}", lib))

    @rt("/{room}/page", methods=["GET"])
    def page(room: str) -> Any:
        return (
            Title("Page"),
            SSE(channels=room, swap="none", id="live"),
            Ul(id="heard"),
            ConnectionStatus(),
            TabCount(room=room, id="count"),
            ToastStack(),
            Button("Ask", hx_get="answer", hx_target="#answer"),
            P(id="answer"),
        )

    @rt("/{room}/answer", methods=["GET"])
    def answer(room: str) -> str:
        return "answered"

    @rt("/{room}/frame", methods=["GET"])
    def frame(room: str, src: str, sandbox: str | None = None) -> Any:
        return Title("Frame"), Iframe(src=src, sandbox=sandbox, name="inner", width=600, height=400)

    @rt("/{room}/before", methods=["GET"])
    def before(room: str) -> Any:
        rules = {"prerender": [{"urls": [f"/{room}/page"], "eagerness": "immediate"}]}
        return (
            Title("Before"),
            Script(json.dumps(rules), type="speculationrules"),
            A("Go", href=f"/{room}/page", id="go"),
        )

    asked: Counter[str] = Counter()

    @rt("/{room}/numbers", methods=["GET"])
    def numbers(room: str, request: Request) -> Response:
        """Answer other origins, as servers made for `EventSource` do: none of them thinks of OPTIONS."""
        asked[room] += 1
        text = f"id: {asked[room]}\ndata: {asked[room]}\n\n"
        allowed = {"Access-Control-Allow-Origin": request.headers["origin"], "Access-Control-Allow-Credentials": "true"}
        return Response(text, media_type="text/event-stream", headers=allowed)

    @rt("/{room}/across", methods=["GET"])
    def across(room: str, request: Request) -> Any:
        return create_sse_element(f"http://localhost:{request.url.port}/{room}/numbers", "across")

    @rt("/{room}/say", methods=["POST"])
    async def say(room: str, text: str) -> None:
        await sse.publish(room, Li(text), target="heard", swap="beforeend")

    return app
