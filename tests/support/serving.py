"""Real servers, in processes of their own or in a thread, and a client that knows HTTP/1.1 and nothing of the kit."""

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
GRANIAN = ("granian", "{app}", "--interface", "asgi", "--host", HOST, "--port", "{port}")

# What no output of a server may hold.
TROUBLE = ("ERROR", "CRITICAL", "Traceback", "Exception", "never retrieved", "never awaited", "was destroyed")


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout: float = 15.0) -> None:
    """Return as soon as a condition is true; it is looked at every hundredth of a second, patiently."""
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
    """An open response: what has arrived of it, and whether it came to its end.

    Attributes:
        status: of the response.
        headers: of the response, by lower-case name.
        body: what has arrived, without the chunks around it.
        ended: whether the body is complete.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
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
            port: where.
            path: with the query.
            method: of the request.
            headers: lines, beside the host's, and the length of the body if there is one.
            body: of the request.
            buffer: bytes of the socket's receive buffer; by default as the system has it.
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

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True

    # What tests call.

    @property
    def frames(self) -> list[str]:
        """The complete frames that have arrived, heartbeats among them."""
        return self.body.decode().split("\n\n")[:-1]

    @property
    def texts(self) -> list[str]:
        """The data of the plain messages that have arrived."""
        return [frame.partition("data: ")[2] for frame in self.frames if "event: " not in frame and "data: " in frame]

    async def read(self) -> None:
        """Wait for what comes next.

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
        """Close as a browser does when its tab is closed."""
        self._writer.close()

    async def reset(self) -> None:
        """Close with a RST, whatever is under way."""
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
    """Return the body of a response that ends."""
    return await Site(port).get(path)


class Site:
    """An application, wherever it is served, as one browser sees it.

    Attributes:
        port: where it is.
        cookie: the session's, as a header.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie: list[str] = []
        self._opened: list[Stream] = []

    async def ask(self, path: str, *, headers: Iterable[str] = (), **options: Any) -> Stream:
        """Return a response that has ended, and remember the cookie that came with it."""
        headers = ["connection: close", *self.cookie, *headers]
        async with await Stream.open(self.port, path, headers=headers, **options) as stream:
            await stream.to_end()
        if cookie := stream.headers.get("set-cookie"):
            self.cookie = [] if "expires=Thu, 01 Jan 1970" in cookie else [f"cookie: {cookie.partition(';')[0]}"]
        return stream

    async def get(self, path: str) -> str:
        return (await self.ask(path)).body.decode()

    async def report(self) -> dict[str, Any]:
        return dict(json.loads(await self.get("/report")))

    async def publish(self, channel: str = "news", **how: int) -> str:
        """Publish as the route of `served` has it, and return which process did."""
        return await self.get(f"/publish?channel={channel}&" + "&".join(f"{name}={how[name]}" for name in how))

    async def open(self, path: str, *, headers: Iterable[str] = (), **options: Any) -> Stream:
        """Open a response that is closed with the site."""
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
            # No more at once than the servers' backlog of connections.
            some = [self.open(path, **options) for _ in range(min(100, count - len(opened)))]
            opened += await asyncio.gather(*[(await one).until("sse:open") for one in some])
        return opened

    async def close(self) -> None:
        for stream in self._opened:
            await stream.close()


class Server(Site):
    """A server in a process of its own.

    Attributes:
        process: the one that was started; others may have come from it.
    """

    def __init__(self, port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
        super().__init__(port)
        self.process, self._folder = process, folder

    @property
    def output(self) -> str:
        """What all its processes have written."""
        return (self._folder / "output").read_text()

    @property
    def trouble(self) -> list[str]:
        """The lines of its output that tell of trouble."""
        return [line for line in self.output.splitlines() if any(word in line for word in TROUBLE)]

    @property
    def marks(self) -> list[str]:
        """What the application's lifespan has left."""
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
        """Send a signal, or for `served` in a thread the line that it waits for."""
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
        command: one of those above, or with more arguments.
        folder: an empty one, where it works and leaves what it leaves.
        app: what to serve.
        options: of `served.build`.
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
    """Collects what is logged as an error while its block runs."""

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
    """A uvicorn of an application's own making, as many have one."""


@asynccontextmanager
async def in_a_thread(app: Any, **config: Any) -> AsyncIterator[Site]:
    """Serve an application by uvicorn in a thread of this process until the block ends, without an error logged."""
    errors = Errors()
    with socket.create_server((HOST, 0)) as listener, errors:
        server = ThreadServer(uvicorn.Config(app, log_config=None, log_level="warning", **config))
        thread = threading.Thread(target=server.run, args=[[listener]])
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


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An application without the kit, to see how a server behaves by itself."""
    while scope["type"] == "lifespan":
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
