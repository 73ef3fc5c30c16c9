"""Serves a page of `e2e/pages` with uvicorn in a separate process."""

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
# Seconds between two checks of a condition.
INTERVAL = 0.01
READY = b"Application startup complete."


class PageServer:
    """Serves one page on a free port. Requests during its start wait in the backlog of its socket.

    Args:
        page: name of a module in `e2e/pages`.
        generation: major version of htmx, 2 or 4.
        environment: further variables of its environment. `E2E_CERTIFICATE`, the path of a file with a certificate and
            its key, has it serve over TLS.
        log: file for the output of the process. Its folder (`E2E_FOLDER`) is for files that outlive the process.

    Raises:
        AssertionError: if the process does not start; the message has its output.
    """

    # How the command takes the number of the socket.
    SOCKET = "{}"

    def __init__(self, page: str, generation: int, log: Path, **environment: str) -> None:
        self._environment = environment
        self._serve = self.command(page, generation)
        self._log, self._read = log, 0
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self.start()
        self.url = f"{'https' if 'E2E_CERTIFICATE' in environment else 'http'}://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=patient(30), verify=False)

    def command(self, page: str, generation: int) -> list[str]:
        """Return what is run, with the number of the socket behind it."""
        return [sys.executable, "-m", "e2e.serve", page, str(generation)]

    def start(self) -> None:
        """Start the process and wait until it serves; after `kill`, on the same port."""
        with socket.create_server(self._address) as listener, self._log.open("ab") as output:
            self._address, begin = listener.getsockname(), output.tell()
            self._process = subprocess.Popen(
                [*self._serve, self.SOCKET.format(listener.fileno())],
                cwd=ROOT,
                env={**os.environ, "E2E_FOLDER": str(self._log.parent), **self._environment},
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
    def folder(self) -> Path:
        """The folder for files that outlive the process."""
        return self._log.parent

    @property
    def process_id(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the body of the response: the parsed JSON, or text."""
        return content(self._client.get(path, params=parameters))

    def post(self, path: str, **form: Any) -> Any:
        return content(self._client.post(path, data=form))

    def connections(self) -> int:
        return int(self.get("/sse/status")["connections"])

    def wait_for_connections(self, count: int) -> None:
        """Wait until the server has `count` streams."""
        wait_until(lambda: self.connections() == count, what=f"{count} connections")

    def new_log(self) -> str:
        """Return the log since the last call."""
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
    """Wait until `condition` holds; the time-out is scaled. The message of a failure has the text of `report`."""
    deadline = monotonic() + patient(within)
    while not condition():
        details = report.read_text() if report else ""
        assert monotonic() < deadline, f"not within {patient(within)} s: {what}\n{details}"
        sleep(INTERVAL)
