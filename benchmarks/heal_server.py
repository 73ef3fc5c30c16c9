"""What a thousand pages that heal cost the server: each asks for its page again, and then for its stream.

`python benchmarks/heal_server.py` takes half a minute. It calls the application without sockets, and prints
microseconds of CPU for a page that heals: the median of the rounds. `--tree PATH` measures another checkout in the
same rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES, ROWS = 1_000, 100


def make_app() -> Any:
    from fasthtml.common import Li, Titled, Ul, fast_app  # noqa: PLC0415 - of the tree that is measured

    from sse_components import SSE, setup_sse  # noqa: PLC0415

    app, rt = fast_app(secret_key="benchmark")
    setup_sse(app)

    @rt("/")
    def index() -> Any:
        return Titled("Todos", SSE(channels="todos"), Ul(*[Li(f"item {n}", id=f"item-{n}") for n in range(ROWS)]))

    return app


class Client:
    """A browser, as the application sees it."""

    def __init__(self, app: Any) -> None:
        self._app, self._cookies = app, ""

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return what is sent first, and leave."""
        first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        requests = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if requests:
                return requests.pop()
            await first
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            for name, value in message.get("headers", []):
                if name == b"set-cookie":
                    self._cookies = "; ".join(filter(None, [self._cookies, value.decode().partition(";")[0]]))
            assert message.get("status", 200) == 200, message
            if message.get("body") and not first.done():
                first.set_result(message["body"])

        await self._app(self._scope(method, path), receive, send)
        return first.result()

    def _scope(self, method: str, path: str) -> dict[str, Any]:
        headers = {
            "host": "localhost", "origin": "http://localhost", "sec-fetch-site": "same-origin", "cookie": self._cookies,
            "content-type": "application/x-www-form-urlencoded", "accept": "text/html",
        }  # fmt: skip
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": ("localhost", 80),
            "client": ("127.0.0.1", 1), "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip


async def heal(client: Client) -> None:
    """Ask for the page, and for the stream that it names."""
    page = (await client.ask("GET", "/")).decode()
    grant = re.search(r"data-sse-connect=\"[^\"]*sub=([^\"&]+)", page)
    assert grant, page
    assert b"sse:open" in await client.ask("POST", "/sse/stream", b"sub=" + grant[1].encode())


async def measure(app: Any, use: Callable[[Client], Awaitable[None]]) -> float:
    """Return the microseconds of CPU that a page costs."""
    client = Client(app)
    await use(client)
    begin = time.process_time()
    for _ in range(PAGES):
        await use(client)
    return (time.process_time() - begin) / PAGES * 1e6


def run(tree: Path) -> float:
    """Measure a tree in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, str(Path(__file__).resolve()), "--once"]
    found = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True, text=True)
    return float(json.loads(found.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(asyncio.run(measure(make_app(), heal))))
        return
    trees = [ROOT, *([options.tree.resolve()] if options.tree else [])]
    rounds = [[run(tree) for tree in trees] for _ in range(options.rounds)]
    for tree, costs in zip(trees, zip(*rounds, strict=True), strict=True):
        print(f"{median(costs):6.0f} us a page ({min(costs):.0f} to {max(costs):.0f})  {tree}")
    if options.tree:
        ratios = sorted(here / there for here, there in rounds)
        print(f"ratio of rounds {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
