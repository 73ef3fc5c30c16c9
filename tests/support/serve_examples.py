"""Serves each program once, and prints a JSON object of problems: `{"path": "problem, or an empty text"}`.

It must run without the packages of the tests, so it imports only the standard library and what the wheel installs.
"""

from __future__ import annotations

import json
import runpy
import socket
import sys
import threading
import traceback
import urllib.request
from pathlib import Path
from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """A server that tells another thread when it has started, or has failed to."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, port=0, lifespan="on", log_level="error"))
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.ready.set()


def first_page(app: Any) -> str:
    """Return the HTML of an application's `/`, as uvicorn serves it."""
    server = Server(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        server.ready.wait()
        [port] = [listener.getsockname()[1] for listener in server.servers[0].sockets]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            return str(answer.read().decode())
    finally:
        server.should_exit = True
        thread.join()


def problem(path: Path) -> str:
    """Return the problem of a program; an empty text if it serves a page that loads the kit."""
    try:
        page = first_page(runpy.run_path(str(path))["app"])
    except BaseException:
        return traceback.format_exc()
    return "" if "/sse/assets/" in page else f"its page does not load the kit:\n{page}"


if __name__ == "__main__":
    json.dump({path: problem(Path(path)) for path in sys.argv[1:]}, sys.stdout)
