"""A page of `e2e/pages`, in a uvicorn process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from tests.support.patience import patient

ROOT = Path(__file__).parent.parent
TROUBLE = re.compile(r"ERROR|CRITICAL|Traceback|Warning:")
# Seconds between two looks at what is waited for: looking itself keeps a machine busy.
LOOK = 0.01
READY = b"Application startup complete."


class PageServer:
    """Serves one page on a free port. Requests that come while it starts wait in the socket that it is born with.

    Args:
        page: name of a module in `e2e/pages`.
        generation: of htmx, 2 or 4.
        log: file for all that the process prints. Its folder, the page's `E2E_FOLDER`, holds what outlives the process.

    Raises:
        AssertionError: with what the process has printed, if it does not start.
    """

    def __init__(self, page: str, generation: int, log: Path) -> None:
        self._serve = [sys.executable, "-m", "e2e.serve", page, str(generation)]
        self._log, self._read = log, 0
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=patient(30))

    def start(self) -> None:
        """Start the process, and wait until it has; after `kill`, where it was before."""
        with socket.create_server(self._address) as listener, self._log.open("ab") as output:
            self._address, begin = listener.getsockname(), output.tell()
            self._process = subprocess.Popen(
                [*self._serve, str(listener.fileno())],
                cwd=ROOT,
                env={**os.environ, "E2E_FOLDER": str(self._log.parent)},
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(partial(self._has_started, begin), within=30, what=f"start of {self._serve}", report=self._log)
        except AssertionError:
            self.kill()
            raise

    def _has_started(self, begin: int) -> bool:
        log = self._log.read_bytes()[begin:]
        assert self._process.poll() is None, f"the server has ended: {log.decode()}"
        return READY in log

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

    def wait_for_connections(self, count: int) -> None:
        """Return when the server has `count` streams."""
        wait_until(lambda: self.connections() == count, what=f"{count} connections")

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
            self._process.wait(patient(20))
        finally:
            self._process.kill()
            self._process.wait()


def content(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json() if "json" in response.headers.get("content-type", "") else response.text


def wait_until(condition: Callable[[], bool], *, within: float = 20, what: str, report: Path | None = None) -> None:
    """Ask until `condition` holds, patiently; a failure shows what the file `report` has."""
    deadline = monotonic() + patient(within)
    while not condition():
        told = report.read_text() if report else ""
        assert monotonic() < deadline, f"not within {patient(within)} s: {what}\n{told}"
        sleep(LOOK)
