"""nginx and Caddy with the files of deploy/, and the application with the command of the systemd unit."""

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
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.patience import patient
from tests.support.serving import HOST, ROOT, SUPPORT, free_port, until

NAME = "app.example.com"
UPSTREAM = f"{HOST}:8000"
# Seconds; short, because tests wait for several heartbeats.
HEARTBEAT = 0.25
# Seconds in which a program ends that is asked to.
END_SECONDS = 10.0

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
# nginx without settings for streams.
PLAIN = "server {{ listen {host}:{port}; location {path} {{ proxy_pass {upstream}; {more} }} }}"

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


async def end(process: Process) -> None:
    """Ask a program to end, and kill it if it does not: some wait for their open connections for ever."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(patient(END_SECONDS)):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


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
        await end(process)


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
async def plain_nginx(
    folder: Path, upstream: str, *, path: str = "/", settings: str = "", more: str = ""
) -> AsyncIterator[Front]:
    """Run nginx in front of an address, without anything that is there for streams."""
    port = free_port()
    server = PLAIN.format(host=HOST, port=port, path=path, upstream=upstream, more=more)
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
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*request_certificate(certificate, key), stderr=quiet)
    assert await process.wait() == 0


def request_certificate(certificate: Path, key: Path) -> tuple[str, ...]:
    """Return the command that makes such a certificate."""
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    files = ("-keyout", str(key), "-out", str(certificate))
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    return (program("openssl"), *request, *names, *files)


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
