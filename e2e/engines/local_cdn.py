"""Serves what pages ask of CDNs from their own server: only Playwright can answer a browser's requests itself."""

from __future__ import annotations

from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from e2e.cdn import TYPES, Cdn

ADDRESS, PREFIX = b"https://cdn.jsdelivr.net/", "/cdn/"


class LocalCdn:
    """Serves an application, whose pages ask itself for the files of CDNs.

    Args:
        app: the application.
        htmx: the version of htmx, as `Cdn` has it.
    """

    def __init__(self, app: ASGIApp, htmx: str) -> None:
        self._app, self._cdn = app, Cdn(htmx)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._file(scope["path"].removeprefix(PREFIX))(scope, receive, send)
        else:
            await self._app(scope, receive, Rewriting(send))

    def _file(self, path: str) -> Response:
        address = f"{ADDRESS.decode()}{path}"
        suffix = f".{path.rpartition('.')[2]}"
        if path.startswith("gh/"):  # FastHTML's helper scripts, which no page here needs
            return Response("", media_type=TYPES.get(suffix, "text/plain"))
        return FileResponse(self._cdn.file(address), media_type=TYPES.get(suffix, "text/plain"))


class Rewriting:
    """Sends a response, and replaces the CDN's address in a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and is_page(message):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self._start)
        else:
            await self._send(message)

    async def _send_page(self, start: Message) -> None:
        body = self._body.replace(ADDRESS, PREFIX.encode())
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await self._send({**start, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await self._send({"type": "http.response.body", "body": body})
        self._start, self._body = None, b""


def is_page(start: Message) -> bool:
    types = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return any(value.startswith(b"text/html") for value in types)
