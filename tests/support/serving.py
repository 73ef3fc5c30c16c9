"""Servers in separate processes or in a thread, and an HTTP/1.1 client that does not use the kit's code."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httptools
import psutil
import uvicorn

from tests.support.patience import patient

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
HOST = "127.0.0.1"

# Commands for `serving`: modules to run with `python -m`, and their arguments.
UVICORN = ("uvicorn", "{app}", "--host", HOST, "--port", "{port}")
HYPERCORN = ("hypercorn", "{app}", "--bind", f"{HOST}:{{port}}")
GUNICORN = ("gunicorn", "{app}", "--bind", f"{HOST}:{{port}}", "-k", "uvicorn_worker.UvicornWorker")
GUNICORN_ASGI = ("gunicorn", "{app}", "--bind", f"{HOST}:{{port}}", "-k", "asgi")
DAPHNE = ("daphne", "-b", HOST, "-p", "{port}", "{app}")
GRANIAN = ("granian", "{app}", "--interface", "asgi", "--host", HOST, "--port", "{port}")

# Words that must not be in the output of a server.
TROUBLE = ("ERROR", "CRITICAL", "Traceback", "Exception", "never retrieved", "never awaited", "was destroyed")


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout: float = 15.0) -> None:
    """Wait until a condition is true. It is checked every 10 ms; the time-out is scaled."""
    async with asyncio.timeout(patient(timeout)):
        while True:
            answer = condition()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


class Stream:
    """A response that is being received.

    Attributes:
        status: of the response.
        headers: of the response, by lower-case name.
        set_cookies: its cookies, as it sets them.
        body: the bytes received so far, without chunked encoding.
        ended: whether the body is complete.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self.body = bytearray()
        self.ended = False

    @classmethod
    async def open(
        cls,
        port: int,
        path: str,
        *,
        method: str = "GET",
        headers: Iterable[str] = (),
        body: bytes = b"",
        buffer: int = 0,
    ) -> Self:
        """Send a request.

        Args:
            port: port on the local host.
            path: path with the query.
            method: method of the request.
            headers: header lines; `host` and `content-length` are added.
            body: body of the request.
            buffer: bytes of the socket's receive buffer; by default the system's.
        """
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(client, (HOST, port))
        except OSError:
            client.close()
            raise
        stream = cls(*await asyncio.open_connection(sock=client))
        length = [f"content-length: {len(body)}"] if body else []
        lines = (f"{method} {path} HTTP/1.1", f"host: {HOST}:{port}", *length, *headers, "", "")
        stream._writer.write("\r\n".join(lines).encode() + body)
        return stream

    # Callbacks of the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()
        if name.lower() == b"set-cookie":
            self.set_cookies.append(value.decode())

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True

    # Methods for tests.

    @property
    def frames(self) -> list[str]:
        """The complete frames received so far, including heartbeats."""
        return self.body.decode().split("\n\n")[:-1]

    @property
    def texts(self) -> list[str]:
        """The data of the unnamed events received so far."""
        return [frame.partition("data: ")[2] for frame in self.frames if "event: " not in frame and "data: " in frame]

    async def read(self) -> None:
        """Receive the next bytes.

        Raises:
            ConnectionError: if the connection ends before the body does.
        """
        data = await self._reader.read(2**18)
        if not data:
            raise ConnectionError("the connection ended before the body did")
        self._parser.feed_data(data)

    async def until(self, text: str, timeout: float = 15.0) -> Self:
        """Read until a text has arrived."""
        async with asyncio.timeout(patient(timeout)):
            while text.encode() not in self.body[-(2**19) :]:
                await self.read()
        return self

    async def to_end(self, timeout: float = 15.0) -> Self:
        """Read until the body is complete."""
        async with asyncio.timeout(patient(timeout)):
            while not self.ended:
                await self.read()
        return self

    async def close(self) -> None:
        """Close the connection, like a browser that closes a tab."""
        self._writer.close()

    async def reset(self) -> None:
        """Close the connection with a TCP reset."""
        client = self._writer.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def get(port: int, path: str) -> str:
    """Request a path, and return the body of the response."""
    return await Site(port).get(path)


class Site:
    """A served application, and a browser's cookies for it.

    Attributes:
        port: port of the server.
        jar: its cookies by name.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.jar: dict[str, str] = {}
        self._opened: list[Stream] = []

    @property
    def cookie(self) -> list[str]:
        """The header line with its cookies, if there are any."""
        return [f"cookie: {'; '.join(f'{name}={value}' for name, value in self.jar.items())}"] if self.jar else []

    def store(self, cookie: str) -> None:
        """Store or delete a cookie, as a response sets it. All paths of the server have the same cookies."""
        name, _, rest = cookie.partition("=")
        value, _, attributes = rest.partition(";")
        self.jar.pop(name, None)
        if "expires=Thu, 01 Jan 1970" not in attributes and "Max-Age=0" not in attributes:
            self.jar[name] = value

    async def ask(self, path: str, *, headers: Iterable[str] = (), **options: Any) -> Stream:
        """Return a complete response, and store its cookies."""
        headers = ["connection: close", *self.cookie, *headers]
        async with await Stream.open(self.port, path, headers=headers, **options) as stream:
            await stream.to_end()
        for cookie in stream.set_cookies:
            self.store(cookie)
        return stream

    async def get(self, path: str) -> str:
        return (await self.ask(path)).body.decode()

    async def report(self) -> dict[str, Any]:
        return dict(json.loads(await self.get("/report")))

    async def publish(self, channel: str = "news", **options: int) -> str:
        """Call the route `/publish` of `served`, and return the id of the process."""
        return await self.get(f"/publish?channel={channel}&" + urlencode(options))

    async def open(self, path: str, *, headers: Iterable[str] = (), **options: Any) -> Stream:
        """Open a response. `close` closes it."""
        stream = await Stream.open(self.port, path, headers=[*self.cookie, *headers], **options)
        self._opened.append(stream)
        return stream

    async def stream(self, channels: str = "news", **options: Any) -> Stream:
        """Open a stream, and wait for its first frame."""
        return (await self.streams(1, channels, **options))[0]

    async def streams(self, count: int, channels: str = "news", **options: Any) -> list[Stream]:
        """Open streams of the same channels, and wait for their first frames."""
        path = await self.get(f"/grant?channels={channels}")
        opened: list[Stream] = []
        while len(opened) < count:
            # The servers' backlog of connections is limited.
            batch = [self.open(path, **options) for _ in range(min(100, count - len(opened)))]
            opened += await asyncio.gather(*[(await stream).until("sse:open") for stream in batch])
        return opened

    async def close(self) -> None:
        for stream in self._opened:
            await stream.close()


class Server(Site):
    """A server in a separate process.

    Attributes:
        process: the process that was started; it may have children.
    """

    def __init__(self, port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
        super().__init__(port)
        self.process, self._folder = process, folder

    @property
    def output(self) -> str:
        """The output of all its processes."""
        return (self._folder / "output").read_text()

    @property
    def trouble(self) -> list[str]:
        """The lines of its output that report a problem."""
        return [line for line in self.output.splitlines() if any(word in line for word in TROUBLE)]

    @property
    def marks(self) -> list[str]:
        """The marks that the application's lifespan has written."""
        path = self._folder / "marks"
        return path.read_text().split() if path.exists() else []

    async def answers(self) -> bool:
        if self.process.returncode is not None:
            raise RuntimeError(f"the server has ended: {self.output}")
        try:
            await self.get("/report")
        except ConnectionError:
            return False
        return True

    def stop(self, number: signal.Signals | None) -> None:
        """Send a signal, or the line that stops `served` in a thread."""
        if number is not None:
            self.process.send_signal(number)
        elif self.process.stdin is not None:
            self.process.stdin.write(b"\n")

    async def ended(self, timeout: float = 15.0) -> float:
        """Return the seconds until the process has ended."""
        begin = time.monotonic()
        async with asyncio.timeout(patient(timeout)):
            await self.process.wait()
        return time.monotonic() - begin


@asynccontextmanager
async def serving(
    command: Iterable[str], folder: Path, *, app: str = "served:app", **options: Any
) -> AsyncIterator[Server]:
    """Run a server until the block ends.

    Args:
        command: a command above, perhaps with more arguments.
        folder: empty working directory, for its output and marks.
        app: import string of the application.
        options: options of `served.build`.
    """
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (SUPPORT, ROOT))),
        "PYTHONUNBUFFERED": "1",
        "SERVED": json.dumps(options),
        "MARKS": str(folder / "marks"),
    }
    with (folder / "output").open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *[part.format(app=app, port=port) for part in command]),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
        )
    family: list[psutil.Process] = []
    server = Server(port, process, folder)
    try:
        await until(server.answers, 30)
        family += psutil.Process(process.pid).children(recursive=True)
        yield server
    finally:
        await server.close()
        if process.returncode is None:
            family += psutil.Process(process.pid).children(recursive=True)
            process.kill()
        await process.wait()
        for member in family:
            if member.is_running():
                member.kill()


class Errors(logging.Handler):
    """Collects errors that are logged while its block runs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        logging.getLogger().removeHandler(self)


class ThreadServer(uvicorn.Server):
    """A subclass of uvicorn's server, as some applications have it."""


@asynccontextmanager
async def serve_in_thread(app: Any, **config: Any) -> AsyncIterator[Site]:
    """Serve an application with uvicorn in a thread until the block ends. Logged errors fail the test."""
    errors = Errors()
    with socket.create_server((HOST, 0)) as listener, errors:
        server = ThreadServer(uvicorn.Config(app, log_config=None, log_level="warning", **config))
        thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
        thread.start()
        site = Site(listener.getsockname()[1])
        try:
            await until(lambda: server.started)
            yield site
        finally:
            server.should_exit = True
            await asyncio.to_thread(thread.join, patient(30))
            assert not thread.is_alive(), "the server has not ended"
            await site.close()
    assert errors.texts == []


async def minimal_app(scope: Any, receive: Any, send: Any) -> None:
    """An application without the kit, to compare how a server behaves."""
    while scope["type"] == "lifespan":
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
