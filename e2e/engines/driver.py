"""What the tests need of a browser, whichever engine it has."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from e2e.page_server import wait_until

# Set it to run the tests without the engines that this machine does not have: `SSE_SKIP_ENGINES=firefox,webkit`.
SKIPPED = "SSE_SKIP_ENGINES"


class Tab(ABC):
    """A tab of a browser."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Go to an address, and wait until the page is loaded."""

    @abstractmethod
    def back(self) -> None:
        """Go back in the tab's history."""

    @abstractmethod
    def reload(self) -> None:
        """Load the page again."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, which may be a promise; what it returns goes through JSON."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Press a key for each character, in the element with the focus."""

    @abstractmethod
    def close(self) -> None:
        """Close the tab as a user does."""

    def expect(self, expression: str, value: Any = True) -> None:
        """Wait until an expression has a value."""
        seen: list[Any] = [None]

        def holds() -> bool:
            with suppress(ScriptError):  # the page may be on its way to another one
                seen[0] = self.evaluate(expression)
            return bool(seen[0] == value)

        try:
            wait_until(holds, what=expression)
        except AssertionError as error:
            raise AssertionError(f"{error}, but {seen[0]!r} instead of {value!r}") from None


class Browser(ABC):
    """A browser with a profile of its own."""

    name: str

    @abstractmethod
    def open(self, url: str) -> Tab:
        """Open an address in a new tab."""

    @abstractmethod
    def errors(self) -> list[str]:
        """Return the errors and warnings of all consoles since the last call."""

    @abstractmethod
    def close(self) -> None:
        """End the browser."""


class ScriptError(Exception):
    """An expression has failed in the page."""


class EngineMissing(Exception):
    """This machine does not have an engine. The message says how to get it."""


def program(*names: str) -> str:
    """Return the path of the first of these programs that is installed.

    Raises:
        EngineMissing: if none is.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    raise EngineMissing(f"none of {', '.join(names)} is installed: run scripts/setup.sh engines, or set {SKIPPED}")


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


class Process:
    """A program in a session of its own, with a temporary home, whose children end with it."""

    def __init__(self, *command: str, **environment: str) -> None:
        self._stack = ExitStack()
        self.home = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sse-engine-", ignore_cleanup_errors=True))
        )
        self.output = self.home / "output.log"
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [part.replace("{home}", str(self.home)) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(self.home), **environment},
                start_new_session=True,
            )

    def find(self, pattern: str) -> str:
        """Wait until the output matches a pattern, and return its first group."""
        wait_until(lambda: re.search(pattern, self.text()) is not None, within=60, what=pattern, report=self.output)
        found = re.search(pattern, self.text())
        assert found
        return found[1]

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, 15)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._stack.close()


def as_json(expression: str) -> str:
    """Return an expression whose value is the JSON of another one's."""
    return f"(async () => JSON.stringify((await ({expression})) ?? null))()"


def from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
