"""`python -m sse_components publish` and `tail`: publishing to an application's pages, and watching, from a shell."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from typing import Any

from fasthtml.common import NotStr

from .client import connect
from .errors import SSEComponentsError
from .events.log import Event
from .manager import BroadcastManager


def add_commands(commands: Any) -> None:
    """Add the commands to a parser of the command line.

    Args:
        commands: what argparse's `add_subparsers` returns.
    """
    publishing = add(commands, "publish", publish, "Publish HTML to every tab that follows a channel; print its id.")
    publishing.add_argument("channel")
    publishing.add_argument("html", help="markup, which is trusted; - reads the standard input")
    publishing.add_argument("--target", help="an id or a selector; by default each element's own id")
    publishing.add_argument("--swap", help="how to swap, such as beforeend")
    publishing.add_argument("--event", help="name of the event; by default a plain message")
    tailing = add(
        commands, "tail", tail, "Print the frames of channels as they are published, until it is interrupted."
    )
    tailing.add_argument("channel", nargs="*", help="by default all channels")


def add(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command, which needs the application's backend."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument(
        "--backend", required=True, metavar="URL", help="of the application: sqlite:///live.db, redis://…"
    )
    command.set_defaults(run=run)
    return command


def run(options: argparse.Namespace) -> None:
    """Run a command.

    Raises:
        SystemExit: with the text of an error of the kit.
    """
    try:
        options.run(options)
    except SSEComponentsError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error


def publish(options: argparse.Namespace) -> None:
    """Publish what the command line says."""
    html = sys.stdin.read() if options.html == "-" else options.html
    with connect(options.backend) as sse:
        published = sse.publish(
            options.channel, NotStr(html), event=options.event, target=options.target, swap=options.swap
        )
        sys.stdout.write(f"{published.result()}\n")


def tail(options: argparse.Namespace) -> None:
    """Print what is published until the program is interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(print_events(options.backend, set(options.channel)))


async def print_events(url: str, channels: set[str]) -> None:
    """Print the frames of channels, or of all, until it is cancelled."""

    def show(event: Event) -> None:
        if event.channel and (not channels or event.channel in channels):
            sys.stdout.write(event.frame.decode())
            sys.stdout.flush()

    backend = BroadcastManager(backend=url).backend
    await backend.open(show)
    try:
        await asyncio.Event().wait()
    finally:
        await backend.close(show)
