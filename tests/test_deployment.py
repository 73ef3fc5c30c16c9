"""The files of deploy/, with changed addresses and paths: nginx and Caddy in front of the systemd unit's command."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.http2 import Http2Client
from tests.support.patience import patient
from tests.support.serving import HOST, ROOT, SUPPORT, Site, free_port, until

pytestmark = pytest.mark.anyio

FILES = ("nginx.conf", "Caddyfile", "app.service")
NAME = "app.example.com"
UPSTREAM = f"{HOST}:8000"
HTTP = ("HTTP/1.1", "HTTP/2")
# Seconds; short, because tests wait for several heartbeats.
HEARTBEAT = 0.25
BEAT = ":\n\n"

# The configuration around the file, like Debian's nginx.conf; nginx writes only to the working directory.
NGINX = """
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {settings}
    {server}
}}
"""
# nginx without settings for streams, and nginx that compresses everything.
PLAIN = "server {{ listen {host}:{port}; location / {{ proxy_pass {upstream}; {more} }} }}"
COMPRESSING = "gzip on; gzip_types *; gzip_min_length 1;"
IGNORE_HEADER, PASS_HEADER = "proxy_ignore_headers X-Accel-Buffering;", "proxy_pass_header X-Accel-Buffering;"

# The options before the file: the address, an internal certificate, and the storage in the working directory.
CADDY = """{{
	admin off
	auto_https disable_redirects
	default_bind {host}
	https_port {port}
	local_certs
	skip_install_trust
	storage file_system {folder}
}}

{site}
"""


# ---------------------------------------------------------------------------------------------- programs


def program(name: str) -> str:
    """Return the path of a program that the tests run."""
    path = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin")))
    if path is None:
        pytest.fail(f"there is no {name} here, and these tests run it: `scripts/setup.sh servers` installs it")
    return path


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def adapted(name: str, *changes: tuple[str, str]) -> str:
    """Return a file of deploy/ with something else in the place of each text, which must be there."""
    text = (ROOT / "deploy" / name).read_text()
    for old, new in changes:
        assert old in text, f"deploy/{name} has no {old!r}"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def running(*command: str, port: int, folder: Path, **environment: str) -> AsyncIterator[Process]:
    """Run a program in a folder until the block ends; the block begins when the program listens."""

    def listens() -> bool:
        if process.returncode is not None:
            raise RuntimeError(f"{command[0]} has ended: {(folder / 'output').read_text()}")
        with socket.socket() as client:
            return client.connect_ex((HOST, port)) == 0

    with (folder / "output").open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, cwd=folder, env=os.environ | environment
        )
    try:
        await until(listens, 30)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def application(port: int, folder: Path) -> AsyncIterator[Process]:
    """Run the tests' application with the command of the systemd unit."""
    unit = adapted(
        "app.service",
        ("/srv/app/.venv/bin/uvicorn", shlex.join([sys.executable, "-m", "uvicorn"])),
        ("main:app", "served:app"),
        ("8000", str(port)),
    )
    (command,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    environment = {"PYTHONPATH": f"{SUPPORT}{os.pathsep}{ROOT}", "SERVED": json.dumps({"heartbeat": HEARTBEAT})}
    async with running(*shlex.split(command), port=port, folder=folder, **environment) as process:
        yield process


@dataclass
class Front:
    """A proxy, as a client sees it."""

    port: int
    certificate: Path | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{HOST}:{self.port}"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@asynccontextmanager
async def nginx(folder: Path, server: str, *, port: int, settings: str = "") -> AsyncIterator[Front]:
    """Run nginx with a server; what else it is told stands in `settings`."""
    # When root starts nginx, it runs as nobody, which cannot read pytest's folders.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(user=user, server=server, settings=settings))
    async with running(
        *(program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"), port=port, folder=folder
    ):
        yield Front(port)


@asynccontextmanager
async def plain_nginx(folder: Path, upstream: str, *, settings: str = "", more: str = "") -> AsyncIterator[Front]:
    """Run nginx in front of an address, without anything that is there for streams."""
    port = free_port()
    server = PLAIN.format(host=HOST, port=port, upstream=upstream, more=more)
    async with nginx(folder, server, port=port, settings=settings) as front:
        yield front


@asynccontextmanager
async def our_nginx(folder: Path, upstream: int, *changes: tuple[str, str], settings: str = "") -> AsyncIterator[Front]:
    """Run nginx with deploy/nginx.conf."""
    port, certificate, key = free_port(), folder / "certificate.pem", folder / "key.pem"
    await certify(certificate, key)
    server = adapted(
        "nginx.conf",
        ("listen 443", f"listen {HOST}:{port}"),
        (f"/etc/ssl/{NAME}/fullchain.pem", str(certificate)),
        (f"/etc/ssl/{NAME}/privkey.pem", str(key)),
        (UPSTREAM, f"{HOST}:{upstream}"),
        *changes,
    )
    async with nginx(folder, server, port=port, settings=settings):
        yield Front(port, certificate)


async def certify(certificate: Path, key: Path) -> None:
    """Make a certificate that vouches for itself."""
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    files = ("-keyout", str(key), "-out", str(certificate))
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program("openssl"), *request, *names, *files, stderr=quiet)
    assert await process.wait() == 0


@asynccontextmanager
async def our_caddy(folder: Path, upstream: int) -> AsyncIterator[Front]:
    """Run Caddy with deploy/Caddyfile."""
    port = free_port()
    site = adapted("Caddyfile", (UPSTREAM, f"{HOST}:{upstream}"))
    (folder / "Caddyfile").write_text(CADDY.format(host=HOST, port=port, folder=folder, site=site))
    home = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
    async with running(program("caddy"), "run", "--config", "Caddyfile", port=port, folder=folder, **home):
        front = Front(port, folder / "pki" / "authorities" / "local" / "root.crt")
        await until(lambda: has_certificate(front))
        yield front


async def has_certificate(front: Front) -> bool:
    """Tell whether a proxy that has begun to listen has got its certificate."""
    try:
        _, writer = await asyncio.open_connection(HOST, front.port, ssl=front.tls(), server_hostname=NAME)
    except (FileNotFoundError, ssl.SSLError, ConnectionError):
        return False
    writer.close()
    return True


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
