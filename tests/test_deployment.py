"""The files of deploy/, with changed addresses and paths: nginx and Caddy in front of the systemd unit's command."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.http2 import Http2Client
from tests.support.patience import patient
from tests.support.proxies import NAME, Front, application, new, our_caddy, our_nginx, plain_nginx
from tests.support.serving import HOST, ROOT, Site, free_port, until

pytestmark = pytest.mark.anyio

FILES = ("nginx.conf", "Caddyfile", "app.service")
HTTP = ("HTTP/1.1", "HTTP/2")
BEAT = ":\n\n"
# nginx that compresses everything, and how it treats the header that forbids buffering.
COMPRESSING = "gzip on; gzip_types *; gzip_min_length 1;"
IGNORE_HEADER, PASS_HEADER = "proxy_ignore_headers X-Accel-Buffering;", "proxy_pass_header X-Accel-Buffering;"


# ---------------------------------------------------------------------------------------------- clients


async def by_name(request: httpx.Request) -> None:
    """Ask for the certificate by the site's name; its address is the loopback's."""
    request.extensions["sni_hostname"] = NAME


def client(front: Front, version: str) -> httpx.AsyncClient:
    """Return a client that speaks one version of HTTP."""
    return httpx.AsyncClient(
        base_url=front.url,
        headers={"host": NAME, "accept-encoding": "gzip"},
        event_hooks={"request": [by_name]},
        verify=front.tls(),
        http1=version == "HTTP/1.1",
        http2=version == "HTTP/2",
    )


class Reading:
    """A response as it arrives."""

    def __init__(self, response: httpx.Response, parts: AsyncIterator[str]) -> None:
        self.response, self._parts = response, parts
        self.text = ""

    async def until(self, text: str) -> None:
        async with asyncio.timeout(patient(15)):
            while text not in self.text:
                self.text += await anext(self._parts)

    async def to_end(self) -> None:
        async with asyncio.timeout(patient(15)):
            async for part in self._parts:
                self.text += part


@asynccontextmanager
async def stream(front: Front, path: str, version: str = "HTTP/1.1") -> AsyncIterator[Reading]:
    """Open a stream, and wait for its first frame."""
    async with (
        client(front, version) as browser,
        browser.stream("GET", path) as response,
        aclosing(response.aiter_text()) as parts,  # type: ignore[type-var]  # it is a generator
    ):
        assert (response.status_code, response.http_version) == (200, version)
        reading = Reading(response, parts)
        await reading.until("event: sse:open\n")
        yield reading


async def is_buffered(app: Site, front: Front, path: str) -> bool:
    """Tell whether a front has brought nothing of a stream when who asks the application itself has a later message."""

    async def open_stream() -> None:
        async with stream(front, path):
            pass

    opening = asyncio.create_task(open_stream())
    await until(lambda: has_streams(app, 1))
    direct = await app.stream()
    await app.publish()
    await direct.until("data: 0.\n")
    held_back = not opening.done()
    opening.cancel()
    await asyncio.wait([opening])
    await direct.close()
    await until(lambda: has_streams(app, 0))
    return held_back


# ---------------------------------------------------------------------------------------------- tests


@pytest.fixture(scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    port = free_port()
    async with application(port, tmp_path_factory.mktemp("app")):
        yield Site(port)


@pytest.fixture(scope="module")
async def fronts(app: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Front]]:
    async with (
        our_nginx(tmp_path_factory.mktemp("nginx"), app.port) as behind_nginx,
        our_caddy(tmp_path_factory.mktemp("caddy"), app.port) as behind_caddy,
    ):
        yield {"nginx": behind_nginx, "caddy": behind_caddy}


@pytest.fixture(params=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, fronts: dict[str, Front]) -> Front:
    return fronts[request.param]


@pytest.fixture
async def path(app: Site) -> str:
    """The address of a stream of news. Nobody follows it yet."""
    await until(lambda: has_streams(app, 0))
    return await app.get("/grant?channels=news")


async def has_streams(app: Site, count: int) -> bool:
    return bool((await app.report())["connections"] == count)


async def arrives_one_by_one(app: Site, reading: Reading, count: int = 20) -> bool:
    """Publish some events, each when the one before has arrived."""
    for number in range(count):
        await app.publish(first=number)
        await reading.until(f"data: {number}.\n")
    return True


@pytest.mark.parametrize("name", FILES)
def test_the_documentation_contains_the_tested_files(name: str) -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    assert f"\n{(ROOT / 'deploy' / name).read_text()}```\n" in text


@pytest.mark.parametrize("version", HTTP)
async def test_the_first_frame_arrives_before_anything_is_published(front: Front, path: str, version: str) -> None:
    async with stream(front, path, version):
        pass  # opening the stream waits for the first frame


@pytest.mark.parametrize("version", HTTP)
async def test_events_are_not_buffered(app: Site, front: Front, path: str, version: str) -> None:
    async with stream(front, path, version) as reading:
        assert await arrives_one_by_one(app, reading)


@pytest.mark.parametrize("version", HTTP)
async def test_a_disconnected_client_is_removed_at_once(app: Site, front: Front, path: str, version: str) -> None:
    async with stream(front, path, version):
        assert await has_streams(app, 1)
    await until(lambda: has_streams(app, 0))


async def test_many_streams_share_an_http2_connection_and_end_separately(app: Site, front: Front, path: str) -> None:
    async with Http2Client.at(front.port, tls=front.tls(), name=NAME) as browser:
        numbers = [browser.get(path) for _ in range(20)]
        await browser.until_arrived("sse:open", numbers)
        browser.give_up(numbers.pop())
        await until(lambda: has_streams(app, 19))
        await app.publish()
        await browser.until_arrived("data: 0.\n", numbers)
    await until(lambda: has_streams(app, 0))


async def test_a_stream_that_is_not_read_is_cut_alone(app: Site, front: Front, path: str) -> None:
    unread = await app.get("/grant?channels=unread")
    async with Http2Client.at(front.port, tls=front.tls(), name=NAME) as browser:
        slow, others = browser.get(unread, read=False), [browser.get(path) for _ in range(3)]
        await browser.until_arrived("sse:open", [slow, *others])
        await app.publish("unread", count=100, size=100_000)
        await app.get("/disconnect?channel=unread")
        await until(lambda: has_streams(app, 3))
        await app.publish()
        await browser.until_arrived("data: 0.\n", others)
        assert browser.ended <= {slow}
    await until(lambda: has_streams(app, 0))


async def test_caddy_compresses_files_but_not_streams(app: Site, fronts: dict[str, Front], path: str) -> None:
    async with client(fronts["caddy"], "HTTP/2") as browser:
        script = await browser.get("/sse/assets/-/stream/stream-reader.js", follow_redirects=True)
    assert script.headers["content-encoding"] == "gzip"
    async with stream(fronts["caddy"], path, "HTTP/2") as reading:
        assert "content-encoding" not in reading.response.headers


async def test_nginx_may_compress_a_stream(app: Site, path: str, tmp_path: Path) -> None:
    async with (
        our_nginx(tmp_path, app.port, settings=COMPRESSING) as front,
        stream(front, path, "HTTP/2") as reading,
    ):
        assert reading.response.headers["content-encoding"] == "gzip"
        assert await arrives_one_by_one(app, reading)


async def test_heartbeats_are_more_frequent_than_the_read_timeout(app: Site, path: str, tmp_path: Path) -> None:
    timeout = ("proxy_read_timeout 60s", "proxy_read_timeout 1s")
    async with our_nginx(tmp_path, app.port, timeout) as front, stream(front, path) as reading:
        await reading.until(BEAT * 10)


async def test_without_heartbeats_the_read_timeout_ends_the_stream(app: Site, path: str, tmp_path: Path) -> None:
    timeout = ("proxy_read_timeout 60s", "proxy_read_timeout 100ms")
    async with our_nginx(tmp_path, app.port, timeout) as front, stream(front, path) as reading:
        with pytest.raises(httpx.RemoteProtocolError):
            await reading.to_end()


@pytest.mark.parametrize("settings", ["", COMPRESSING])
async def test_nginx_passes_streams_on_without_settings(app: Site, path: str, tmp_path: Path, settings: str) -> None:
    async with (
        plain_nginx(tmp_path, f"http://{HOST}:{app.port}", settings=settings) as front,
        stream(front, path) as reading,
    ):
        assert await arrives_one_by_one(app, reading)


async def test_without_the_header_nginx_buffers_the_stream(app: Site, path: str, tmp_path: Path) -> None:
    async with plain_nginx(tmp_path, f"http://{HOST}:{app.port}", settings=COMPRESSING, more=IGNORE_HEADER) as front:
        assert await is_buffered(app, front, path)


async def test_a_second_nginx_passes_streams_on_with_the_header(app: Site, path: str, tmp_path: Path) -> None:
    async with (
        our_nginx(new(tmp_path / "inner"), app.port) as inner,
        plain_nginx(new(tmp_path / "outer"), inner.url, settings=COMPRESSING) as outer,
        stream(outer, path) as reading,
    ):
        assert await arrives_one_by_one(app, reading)


async def test_a_second_nginx_buffers_without_the_header(app: Site, path: str, tmp_path: Path) -> None:
    async with (
        our_nginx(new(tmp_path / "inner"), app.port, (PASS_HEADER, "")) as inner,
        plain_nginx(new(tmp_path / "outer"), inner.url, settings=COMPRESSING) as outer,
    ):
        assert await is_buffered(app, outer, path)


async def test_a_restart(tmp_path: Path) -> None:
    port = free_port()
    async with (
        our_nginx(new(tmp_path / "nginx"), port) as behind_nginx,
        our_caddy(new(tmp_path / "caddy"), port) as behind_caddy,
    ):
        fronts = (behind_nginx, behind_caddy)
        async with application(port, tmp_path) as process, everywhere(port, fronts) as readings:
            process.terminate()
            for reading in readings:
                await reading.to_end()
                assert re.search(r"event: sse:shutdown\nretry: \d+\ndata: {}\n\n$", reading.text)
            await process.wait()
        for front in fronts:
            await answers_come_back_later(front)
        async with application(port, tmp_path) as process, everywhere(port, fronts) as readings:
            process.kill()
            for reading in readings[:2]:
                with pytest.raises(httpx.RemoteProtocolError):
                    await reading.to_end()
            # Caddy 2.6 reports a broken stream as complete. Pages reconnect in both cases.
            for reading in readings[2:]:
                with suppress(httpx.RemoteProtocolError):
                    await reading.to_end()


@asynccontextmanager
async def everywhere(port: int, fronts: tuple[Front, ...]) -> AsyncIterator[list[Reading]]:
    """Open a stream at each proxy with each version of HTTP."""
    path = await Site(port).get("/grant?channels=news")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(stream(front, path, version)) for front in fronts for version in HTTP]


async def answers_come_back_later(front: Front) -> None:
    """Check what a client is told whose server is away."""
    async with client(front, "HTTP/2") as browser:
        response = await browser.get("/sse/stream")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
