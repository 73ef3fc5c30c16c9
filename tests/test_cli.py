"""The commands of `python -m sse_components`, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.serving import ROOT

pytestmark = pytest.mark.anyio


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Return a function that starts a command. What still runs at the end is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        program = (sys.executable, "-m", "sse_components", *arguments)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()


async def test_a_shell_publishes_and_another_one_watches(start: Start, tmp_path: Path) -> None:
    backend = ("--backend", f"sqlite:///{tmp_path}/live.db")
    # The first one makes the file. What it publishes is no news for those who come later.
    first, _ = await (await start("publish", "todos", "<li>first</li>", *backend)).communicate()
    watcher = await start("tail", "todos", *backend)
    assert watcher.stdout is not None
    line = asyncio.create_task(watcher.stdout.readline())
    while not line.done():  # it hears when it has opened the file
        publisher = await start("publish", "todos", "-", "--target", "list", "--swap", "beforeend", *backend)
        published, _ = await publisher.communicate(b"<li>milk</li>")
        await asyncio.wait([line], timeout=0.5)
    assert first.decode().endswith("-1\n")
    assert (await line).decode().startswith("id: ")
    assert await watcher.stdout.readline() == b"channel: todos\n"
    assert b"<li>milk</li>" in await watcher.stdout.readline()
    assert published.decode().partition("-")[0] == first.decode().partition("-")[0]
    watcher.send_signal(signal.SIGINT)
    _, errors = await watcher.communicate()
    assert (watcher.returncode, errors) == (0, b"")


async def test_an_error_is_one_line(start: Start, tmp_path: Path) -> None:
    commands = {
        ("publish", "a", "x", "--backend", f"sqlite:///{tmp_path}"): "BackendUnavailable: ",
        ("publish", "a", "x", "--swap", "insert", "--backend", f"sqlite:///{tmp_path}/live.db"): "MarkupError: unknown",
        ("tail", "--backend", "postgres://host"): "SetupError: backend 'postgres://host' is not known; allowed are",
    }
    for arguments, text in commands.items():
        process = await start(*arguments)
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert errors.decode().startswith(text)
        assert errors.count(b"\n") == 1
