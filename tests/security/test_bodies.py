"""Bodies that are too large, never end, or come by the hundred, on every route of the kit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import psutil
import pytest
from fasthtml.common import FastHTML, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from sse_components import Limits, setup_sse
from sse_components.middleware import PATHS
from tests.support.live_app import FORM, make_app, run_live_app
from tests.support.running import running
from tests.support.serving import HOST, Site, Stream, until

pytestmark = pytest.mark.anyio

ROUTES = [f"/sse{path}" for path in PATHS]


class Upload:
    """A request whose body the test sends piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def begin(cls, port: int, path: str, length: int | None = None, *headers: str) -> Upload:
        """Send the headers, with a length or for chunks, and the first byte."""
        upload = cls(*await asyncio.open_connection(HOST, port))
        size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        head = [f"POST {path} HTTP/1.1", f"host: {HOST}:{port}", size, *FORM, *headers, "", ""]
        upload.writer.write("\r\n".join(head).encode())
        await upload.send(b"s", chunked=length is None)
        return upload

    async def send(self, data: bytes, *, chunked: bool = False) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        await self.writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(30):
            line = await self.reader.readline()
        return int(line.split()[1])

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with run_live_app(
        limits=Limits(body_bytes=50_000, body_seconds=1, unfinished_bodies=5, unfinished_bodies_per_address=3)
    ) as live_app:
        yield live_app.browser()


@pytest.mark.parametrize("path", ROUTES)
async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(path: str, site: Site) -> None:
    upload = await Upload.begin(site.port, path, 60_000_000)
    assert await upload.status() == 413
    upload.close()


@pytest.mark.parametrize("path", ROUTES)
async def test_a_body_of_unknown_size_is_refused_when_it_is_too_large(path: str, site: Site) -> None:
    upload = await Upload.begin(site.port, path)
    for _ in range(6):
        await upload.send(b"x" * 10_000, chunked=True)
    assert await upload.status() == 413
    upload.close()


@pytest.mark.parametrize("path", ROUTES)
async def test_a_body_that_does_not_end_is_given_up(path: str, site: Site) -> None:
    upload = await Upload.begin(site.port, path, 1_000)
    assert await upload.status() == 408
    upload.close()


async def test_unfinished_bodies_are_counted_by_address_and_in_all(site: Site) -> None:
    port = site.port
    addresses = ["203.0.113.1"] * 4 + ["203.0.113.2"] * 3
    uploads = [await Upload.begin(port, "/sse/stream", 1_000, f"x-forwarded-for: {address}") for address in addresses]
    assert [await upload.status() for upload in uploads] == [408, 408, 408, 429, 408, 408, 503]
    for upload in uploads:
        upload.close()
    # They are counted no longer, and neither is one whose client has left.
    left = [await Upload.begin(port, "/sse/stream", 1_000) for _ in range(3)]
    for upload in left:
        upload.close()

    async def is_read() -> bool:
        return (await site.ask("/sse/stream", method="POST", body=b"x=1", headers=FORM)).status == 400

    await until(is_read)


async def test_a_large_upload_costs_no_memory(site: Site) -> None:
    before = psutil.Process(os.getpid()).memory_info().rss
    upload = await Upload.begin(site.port, "/sse/presence")
    for _ in range(60):
        await upload.send(b"x" * 1_000_000, chunked=True)
    assert await upload.status() == 413
    assert psutil.Process(os.getpid()).memory_info().rss - before < 20_000_000
    upload.close()


async def test_a_body_that_comes_in_pieces_is_read_and_so_are_more_fields_than_a_framework_takes() -> None:
    async with run_live_app() as live_app:
        browser = live_app.browser()
        (grant,) = await browser.grants()
        body = "&".join([f"sub={grant}", *[f"other={number}" for number in range(1_500)]]).encode()
        upload = await Upload.begin(browser.port, "/sse/stream", len(body), *browser.cookie)
        for at in range(1, len(body), 4_000):
            await upload.send(body[at : at + 4_000])
        assert await upload.status() == 200
        upload.close()


async def test_the_applications_own_routes_get_their_bodies_as_before() -> None:
    app, _ = make_app(limits=Limits(body_bytes=10))

    @app.route("/sse/mine", methods=["POST"])
    async def mine(request: Request) -> str:
        return str(len(await request.body()))

    async with running(app) as site:
        answer = await site.ask("/sse/mine", method="POST", body=b"x" * 1_000, headers=FORM)
        assert answer.body == b"1000"


async def test_a_mounted_applications_routes_are_limited_as_well() -> None:
    inner = FastHTML(secret_key="tests")
    setup_sse(inner, limits=Limits(body_bytes=10))
    async with running(Starlette(routes=[Mount("/inner", inner)])) as site:
        stream = await Stream.open(site.port, "/inner/sse/stream", method="POST", headers=FORM, body=b"x" * 11)
        assert (await stream.to_end()).status == 413
        await stream.close()


async def test_a_form_of_tiny_fields_is_refused_before_each_is_read() -> None:
    async with run_live_app() as live_app:
        for path in ("/sse/stream", "/sse/renew"):
            answer = await live_app.browser().ask(path, method="POST", body=b"a&" * 10_001, headers=FORM)
            assert (answer.status, bytes(answer.body)) == (413, b"a form may have 10000 fields")
