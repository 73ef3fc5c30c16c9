"""A page of `e2e/pages`, in a uvicorn process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
TROUBLE = re.compile(r"ERROR|CRITICAL|Traceback|Warning:")
STOP_SECONDS = 10


class PageServer:
    """Serves one page on a free port. Requests may be sent at once: they wait in the socket that it is born with.

    Args:
        page: name of a module in `e2e/pages`.
        generation: of htmx, 2 or 4.
        log: file for all that the process prints. Its folder, the page's `E2E_FOLDER`, holds what outlives the process.
    """

    def __init__(self, page: str, generation: int, log: Path) -> None:
        self._serve = [sys.executable, "-m", "e2e.serve", page, str(generation)]
        self._log, self._read = log, 0
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def start(self) -> None:
        """Start the process; after `kill`, where it was before."""
        with socket.create_server(self._address) as listener, self._log.open("ab") as output:
            self._address = listener.getsockname()
            self._process = subprocess.Popen(
                [*self._serve, str(listener.fileno())],
                cwd=ROOT,
                env={**os.environ, "E2E_FOLDER": str(self._log.parent)},
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def port(self) -> int:
        return self._address[1]

    @property
    def process_id(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End the process as a power cut does."""
        self._process.kill()
        self._process.wait()

    def get(self, path: str, **parameters: Any) -> Any:
        """Return what the server answers: JSON as what it stands for, anything else as text."""
        return content(self._client.get(path, params=parameters))

    def post(self, path: str, **form: Any) -> Any:
        return content(self._client.post(path, data=form))

    def connections(self) -> int:
        return int(self.get("/sse/status")["connections"])

    def wait_for_connections(self, count: int, *, within: float = 15) -> None:
        """Return when the server has `count` streams; fail after `within` seconds."""
        wait_until(lambda: self.connections() == count, within=within, what=f"{count} connections")

    def new_log(self) -> str:
        """Return what has been logged since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        return text.decode()

    def stop(self) -> None:
        self._client.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()


def content(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json() if "json" in response.headers.get("content-type", "") else response.text


def wait_until(condition: Callable[[], bool], *, within: float, what: str) -> None:
    """Ask until `condition` holds; fail after `within` seconds."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, f"not within {within} s: {what}"
