"""What is malformed, and who leaves in the middle, is never taken for a fault of the application."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import Beforeware, FastHTML, Request
from starlette.middleware.base import BaseHTTPMiddleware

from sse_components import setup_sse
from sse_components.protocol import (
    BROADCAST_PATH,
    CONNECTIONS_PATH,
    PREFIX,
    PRESENCE_PATH,
    RENEW_PATH,
    STATUS_PATH,
    STREAM_PATH,
)
from tests.support.running import running
from tests.support.serving import GRANIAN, HOST, HYPERCORN, UVICORN, Server, Site, serving, until

pytestmark = pytest.mark.anyio

POSTS = [PREFIX + path for path in (STREAM_PATH, RENEW_PATH, PRESENCE_PATH)]
GETS = [PREFIX + path for path in (STREAM_PATH, BROADCAST_PATH, CONNECTIONS_PATH, STATUS_PATH)]
JSON, TEXT = "content-type: application/json", "content-type: text/plain"
FORM = "content-type: application/x-www-form-urlencoded"
DEEP = b"[" * 200_000
NESTED = json.dumps({"connection": "c", "tabs": [{"id": "tab_0123456789", "visible": True, "rooms": []}]}).encode()

BODIES: dict[str, tuple[list[str], bytes]] = {
    "deeply nested JSON": ([JSON], DEEP),
    "deeply nested objects": ([JSON], b'{"a":' * 40_000),
    "deep rooms": ([TEXT], NESTED.replace(b"[]", b"[" * 900 + b"]" * 900)),
    "no UTF-8": ([JSON], b'{"connection": "\xff\xfe"}'),
    "a form without UTF-8": ([FORM], b"sub=%ff%fe\xff&connection=\xc3"),
    "NULs": ([JSON], b'{"connection": "\\u0000", "tabs": []}'),
    "NULs in a form": ([FORM], b"sub=%00&connection=%00\x00"),
    "a lone surrogate": ([JSON], b'{"connection": "\\ud800", "tabs": []}'),
    "a number that is too long": ([JSON], b'{"connection": ' + b"9" * 10_000 + b"}"),
    "no object": ([JSON], b"[1]"),
    "nothing": ([JSON], b""),
    "a list for a name": ([JSON], b'{"connection": [], "tabs": {}}'),
    "a form with files": (["content-type: multipart/form-data; boundary=x"], b"--x\r\n\r\n--x--"),
    "files without a boundary": (["content-type: multipart/form-data"], b"--x"),
    "an unknown charset": ([f"{FORM}; charset=none"], b"sub=x"),
    "no type": (["content-type: "], b"sub=x"),
}
HEADERS = {
    "an origin that is no address": ["origin: http://[x"],
    "an origin with a wrong port": ["origin: http://app:port"],
    "bytes in an origin": ["origin: http://\xff\xfe"],
    "a strange cursor": ["last-event-id: \xff-99999999999999999999"],
    "a strange session": ["cookie: session_=%00\xff.x.y; session_=["],
    "a strange tab": ["sse-tab: tab_\xff"],
}


def build() -> FastHTML:
    """Return an app with beforeware, and middleware that is not pure ASGI: they see a request before the handler."""

    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    def set_user(request: Request) -> None:
        request.scope["auth"] = request.url.path and None

    app = FastHTML(secret_key="tests", before=Beforeware(set_user))
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    setup_sse(app)

    @app.route("/report")
    def report() -> str:
        return "up"

    return app


app = build()


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    async with running(build()) as found:
        yield found


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


async def status(site: Site, path: str, **options: Any) -> int:
    """Return the status of an answer, whether it ends or streams."""
    stream = await site.open(path, **options)
    await until(lambda: has_status(stream))
    await stream.close()
    return int(stream.status)


def is_refused(path: str, found: int) -> bool:
    """Tell whether a status refuses a request. The renewal denies each grant by itself, and answers 200."""
    return 400 <= found < 500 or (found == 200 and path.endswith(RENEW_PATH))


async def has_status(stream: Any) -> bool:
    if not stream.status:
        await stream.read()
    return bool(stream.status)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("name", BODIES)
async def test_a_malformed_body_is_the_fault_of_who_sends_it(site: Site, path: str, name: str) -> None:
    headers, body = BODIES[name]
    assert is_refused(path, await status(site, path, method="POST", headers=headers, body=body))


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("name", BODIES)
async def test_a_body_where_none_belongs_does_no_harm(site: Site, path: str, name: str) -> None:
    headers, body = BODIES[name]
    assert await status(site, path, method="GET", headers=headers, body=body) < 500


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("name", HEADERS)
async def test_malformed_headers_are_the_fault_of_who_sends_them(site: Site, path: str, name: str) -> None:
    assert is_refused(path, await status(site, path, method="POST", headers=[FORM, *HEADERS[name]], body=b"sub=x"))


@pytest.mark.parametrize("path", [*GETS, *POSTS])
@pytest.mark.parametrize("query", ["%00", "sub=%00", "sub=%ff%fe", "connection_id=%00", "sub=" + "x." * 2_000])
async def test_a_malformed_query_is_no_fault_of_the_application(site: Site, path: str, query: str) -> None:
    for method, headers in (("GET", []), ("POST", [FORM]), ("HEAD", []), ("PUT", [])):
        assert await status(site, f"{path}?{query}", method=method, headers=headers) < 500


# What servers refuse by themselves, but some other one might pass on.
@pytest.mark.parametrize("path", [*GETS, *POSTS])
@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "abc"},
        {"content-length": "-5"},
        {"content-length": "\u0667"},
        {"content-length": "1e3", "content-type": "multipart/form-data; boundary=x"},
        {"host": "[x"},
        {"host": "app:port"},
        {"host": "app:99999999"},
    ],
)
async def test_numbers_and_hosts_that_are_none_are_refused(path: str, headers: dict[str, str]) -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"sub=x", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": "app", "content-type": "application/x-www-form-urlencoded", **headers}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    common = {"type": "http", "http_version": "1.1", "scheme": "http", "query_string": b"", "root_path": ""}
    scope = {**common, "method": "POST" if path in POSTS else "GET", "path": path, "headers": raw, "client": (HOST, 1)}
    await build()(scope, receive, send)
    assert sent[0]["status"] == 400


@pytest.mark.parametrize("path", POSTS)
async def test_random_bytes_are_never_a_fault_of_the_application(site: Site, path: str) -> None:
    chance = random.Random(path)
    for _ in range(60):
        body = chance.randbytes(chance.randrange(200)) + chance.choice([b"", NESTED, b"&sub=xxxxxxxxx"])
        headers = [chance.choice([JSON, FORM, TEXT])]
        assert is_refused(path, await status(site, path, method="POST", headers=headers, body=body))


@pytest.mark.parametrize("command", [UVICORN, HYPERCORN, GRANIAN], ids=lambda command: command[0])
async def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_error(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    async with serving(command, tmp_path, app="tests.endpoints.test_malformed:app") as server:
        for path in (*POSTS, *GETS):
            for kind in (JSON, FORM):
                await leave(server, path, kind, sent=b"")
                await leave(server, path, kind, sent=b'{"sub=')
        # One answer for each that has left: then the server has dealt with all of them.
        assert await server.get("/report") == "up"
        await asyncio.sleep(0)
        server.stop(None)
        server.process.terminate()
        await server.ended()
        assert server.trouble == []


async def leave(server: Server, path: str, kind: str, *, sent: bytes) -> None:
    """Begin a request, and leave before its body is complete; wait until the server has closed the connection."""
    method = "POST" if path in POSTS else "GET"
    stream = await server.open(path, method=method, headers=[kind, "content-length: 1000"])
    stream._writer.write(sent)
    await stream._writer.drain()
    await stream.reset()
