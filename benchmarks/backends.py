"""What a backend costs: publishing, and the delay until other processes have what was published, beside `memory`.

`python benchmarks/backends.py [memory] [sqlite] [redis]` runs each in turn, several rounds, and prints the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sse_components import Backend
from sse_components.backends import backend_of
from sse_components.events.log import Event

TEXT = "x" * 160  # a frame of 200 bytes
GROUP = 50


async def append_all(backend: Backend, count: int, group: int) -> None:
    """Append events, `group` at once, and wait for each group to be stored."""
    for _ in range(count // group):
        futures = [backend.append("a", TEXT) for _ in range(group)]
        waiting = [asyncio.wrap_future(future) for future in futures if not isinstance(future, Event)]
        if waiting:
            await asyncio.wait(waiting)
        else:
            await asyncio.sleep(0)


async def call_all(backend: Backend, count: int) -> float:
    """Return the microseconds that the call itself takes: what a handler waits that does not await."""
    spent = 0.0
    for _ in range(count // GROUP):
        begin = time.perf_counter()
        futures = [backend.append("a", TEXT) for _ in range(GROUP)]
        spent += time.perf_counter() - begin
        await asyncio.sleep(0.002)
        del futures
    return spent / count * 1e6


@asynccontextmanager
async def opened(url: str, listener: Callable[[Event], None]) -> AsyncIterator[Backend]:
    backend = backend_of(url)
    await backend.open(listener)
    try:
        yield backend
    finally:
        await backend.close(listener)


def in_process(work: Callable[..., Awaitable[Any]], *arguments: Any) -> tuple[Any, Any]:
    """Run a coroutine function in another process; return the process, and this end of a pipe to it."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run, args=(work, there, *arguments), daemon=True)
    process.start()
    return process, here


def run(work: Callable[..., Any], pipe: Any, *arguments: Any) -> None:
    asyncio.run(work(pipe, *arguments))


async def publisher(pipe: Any, url: str, count: int, group: int) -> None:
    async with opened(url, lambda event: None) as backend:
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        begin = time.monotonic()
        await append_all(backend, count, group)
        pipe.send((begin, time.monotonic()))
        await asyncio.to_thread(pipe.recv)


async def reader(pipe: Any, url: str, count: int) -> None:
    """Report the delay of each event, which has the time at which it was appended."""
    delays: list[float] = []
    done = asyncio.Event()

    def hear(event: Event) -> None:
        sent = event.frame.rpartition(b"data: ")[2]
        delays.append(time.monotonic() - float(sent))
        if len(delays) == count:
            done.set()

    async with opened(url, hear):
        pipe.send("ready")
        await done.wait()
        pipe.send(delays)


async def idler(pipe: Any, url: str, seconds: float) -> None:
    async with opened(url, lambda event: None):
        await asyncio.sleep(0.5)
        before = time.process_time()
        await asyncio.sleep(seconds)
        pipe.send((time.process_time() - before) / seconds)


async def delays_of(url: str, count: int, *, elsewhere: bool) -> list[float]:
    """Return the seconds from an append to its arrival, in this process or in another one."""
    own: list[float] = []

    def hear(event: Event) -> None:
        own.append(time.monotonic() - float(event.frame.rpartition(b"data: ")[2]))

    process, pipe = in_process(reader, url, count) if elsewhere else (None, None)
    if process:
        await asyncio.to_thread(pipe.recv)
    async with opened(url, hear) as backend:
        for _ in range(count):
            backend.append("a", repr(time.monotonic()))
            await asyncio.sleep(0.004)
        await asyncio.sleep(0.1)
    if process is None:
        return own
    found = await asyncio.to_thread(pipe.recv)
    process.join()
    return list(found)


async def rate_of(url: str, processes: int, count: int, group: int) -> float:
    """Return the publishes a second of several processes together."""
    started = [in_process(publisher, url, count, group) for _ in range(processes)]
    for _, pipe in started:
        await asyncio.to_thread(pipe.recv)
    for _, pipe in started:
        pipe.send("go")
    times = [await asyncio.to_thread(pipe.recv) for _, pipe in started]
    for process, pipe in started:
        pipe.send("end")
        process.join()
    return processes * count / (max(end for _, end in times) - min(begin for begin, _ in times))


async def measure(url: str, quick: bool) -> dict[str, float]:
    count = 200 if quick else 1_000
    async with opened(url, lambda event: None) as backend:
        call = await call_all(backend, 10 * count)
    own = await delays_of(url, count, elsewhere=False)
    figures = {"µs of the call": call, "here p50 ms": p(own, 50), "here p99 ms": p(own, 99)}
    figures["one by one /s"] = await rate_of(url, 1, 2 * count, 1)
    figures["bursts /s"] = await rate_of(url, 1, 40 * count, GROUP)
    if url != "memory":
        others = await delays_of(url, count, elsewhere=True)
        figures |= {"elsewhere p50 ms": p(others, 50), "elsewhere p99 ms": p(others, 99)}
        figures["bursts of four /s"] = await rate_of(url, 4, 20 * count, GROUP)
        idle = [in_process(idler, url, 3.0) for _ in range(4)]
        figures["idle CPU of four %"] = 100 * sum([await asyncio.to_thread(pipe.recv) for _, pipe in idle])
        for process, _ in idle:
            process.join()
    return figures


@contextmanager
def store(name: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty store."""
    if name != "redis":
        yield f"sqlite:///{folder / 'live.db'}" if name == "sqlite" else name
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        while not answers(port):
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def p(delays: list[float], percent: int) -> float:
    return sorted(delays)[min(len(delays) - 1, len(delays) * percent // 100)] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backends", nargs="*", default=["memory", "sqlite"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in options.backends}
    for _ in range(options.rounds):
        for name in options.backends:
            with tempfile.TemporaryDirectory() as folder:
                with store(name, Path(folder)) as url:
                    rounds[name].append(asyncio.run(measure(url, options.quick)))
                print(json.dumps({name: rounds[name][-1]}, ensure_ascii=False), file=sys.stderr)
    rows = {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for name, found in rounds.items()
    }
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    print("| |", " | ".join(rows), "|")
    print("|---|" + "---|" * len(rows))
    for key in keys:
        print(f"| {key} |", " | ".join(f"{row[key]:,.3g}" if key in row else "-" for row in rows.values()), "|")


if __name__ == "__main__":
    main()
