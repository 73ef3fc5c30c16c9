"""Measure what clients that never read cost the others: delays of messages, and the server's memory.

    python benchmarks/stalled.py --connections 3000 --seconds 60

A server in a process of its own publishes messages of 1 KB. In the second round a third of the connections never read.
Each message is counted at each client that reads.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import socket
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import psutil
import uvicorn
from fasthtml.common import FastHTML, NotStr
from starlette.responses import PlainTextResponse

from sse_components import Limits, setup_sse
from sse_components.html.page_context import this_page

SIZE, PER_SECOND = 1_000, 5


def serve(listener: socket.socket, connections: int) -> None:
    """Serve an application whose route `/publish` publishes the time."""
    many = connections * 2
    app = FastHTML(secret_key="benchmark")
    limits = Limits(connections=many, connections_per_client=many, connections_per_address=many)
    sse = setup_sse(app, limits=limits, heartbeat=600)

    @app.route("/grant")
    def grant() -> PlainTextResponse:
        page = this_page()
        page.enter({})
        return PlainTextResponse(page.stream_url(["news"]))

    @app.route("/publish")
    async def publish(number: int) -> PlainTextResponse:
        await sse.publish("news", NotStr(f"<{number} {time.monotonic()}>".ljust(SIZE, "x")))
        return PlainTextResponse("")

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


@dataclass
class Round:
    """What the clients that read have seen."""

    delays: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    received: int = 0
    stalled: int = 0


class Reader(asyncio.Protocol):
    """A client that reads, and notes when each message was published."""

    def __init__(self, found: Round) -> None:
        self.found, self.rest = found, b""

    def data_received(self, data: bytes) -> None:
        now, data = time.monotonic(), self.rest + data
        *frames, self.rest = data.split(b"\n\n")
        for frame in frames:
            if b"data: <" in frame:
                _, sent = frame.partition(b"data: <")[2].partition(b">")[0].split()
                self.found.received += 1
                self.found.delays.append(now - float(sent))


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text.partition("\r\n\r\n")[2]


async def follow(port: int, path: str, found: Round, reads: bool) -> Any:
    client = socket.socket()
    if not reads:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    if not reads:
        found.stalled += 1
        return client
    transport, _ = await loop.create_connection(lambda: Reader(found), sock=client)
    return transport


async def measure(port: int, server: psutil.Process, readers: int, stalled: int, seconds: int) -> tuple[Round, int]:
    """Publish for some seconds to so many clients; return what they saw, and how many messages there were."""
    found = Round()
    path = await get(port, "/grant")
    held = []
    for at in range(0, readers + stalled, 50):
        some = range(at, min(at + 50, readers + stalled))
        held += await asyncio.gather(*[follow(port, path, found, number >= stalled) for number in some])
    await asyncio.sleep(2)
    count = seconds * PER_SECOND
    begin = time.monotonic()
    for number in range(count):
        await asyncio.sleep(begin + number / PER_SECOND - time.monotonic())
        await get(port, f"/publish?number={number}")
        if number % PER_SECOND == 0:
            found.memory.append(server.memory_info().rss)
    await asyncio.sleep(3)
    for client in held:
        client.close()
    await asyncio.sleep(2)
    return found, count


def report(name: str, found: Round, count: int, readers: int) -> float:
    """Print the figures of a round, and return the 99th percentile of its delays in milliseconds."""
    per_cent = statistics.quantiles(found.delays, n=100)
    megabytes = [round(size / 2**20) for size in found.memory]
    middle, end = megabytes[len(megabytes) // 2], megabytes[-1]
    print(
        f"{name}: {readers} read, {found.stalled} do not; {count * readers - found.received} of {count * readers}"
        f" messages lost; median {1000 * per_cent[49]:.1f} ms, p99 {1000 * per_cent[98]:.1f} ms;"
        f" memory {megabytes[0]} MB at first, {middle} MB in the middle, {end} MB at the end"
    )
    return 1000 * per_cent[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=3_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    stalled = options.connections // 3
    readers = options.connections - stalled
    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        port = listener.getsockname()[1]
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listener, options.connections))
        server.start()
        try:
            found = psutil.Process(server.pid)
            time.sleep(2)
            without = report("without", *asyncio.run(measure(port, found, readers, 0, options.seconds)), readers)
            with_them = report("with", *asyncio.run(measure(port, found, readers, stalled, options.seconds)), readers)
            print(f"p99 with them is {with_them / without:.2f} times that without")
        finally:
            server.terminate()
            server.join()


if __name__ == "__main__":
    main()
