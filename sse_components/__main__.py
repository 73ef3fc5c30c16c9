"""`python -m sse_components`: the gallery, and the commands of `cli.py`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

import uvicorn

from . import cli


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; without one, serve the gallery until it is stopped."""
    options = parser().parse_args(arguments)
    if options.command:
        cli.run(options)
    else:
        serve_gallery(options)


def serve_gallery(options: argparse.Namespace) -> None:
    """Serve the gallery until it is stopped.

    Raises:
        SystemExit: without the packages that the gallery needs.
    """
    try:
        gallery = importlib.import_module("sse_components.gallery")
    except ModuleNotFoundError as error:
        if error.name != "psutil":
            raise
        raise SystemExit("The gallery needs psutil: pip install 'sse-components[demo]'") from error
    app = gallery.create_app(db=options.db, htmx=options.htmx)
    # The gallery shows its own access log; uvicorn's would hold the grants, which are in the query of streams.
    uvicorn.run(app, host=options.host, port=options.port, access_log=False)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        "python -m sse_components", description="Serve the gallery of sse_components, or run a command."
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", default=8000, type=int, help="port to listen on, 0 for any (default: %(default)s)")
    made.add_argument("--htmx", default=2, type=int, choices=(2, 4), help="htmx on the pages (default: %(default)s)")
    made.add_argument("--db", default="", help="the todo list's SQLite file (default: a temporary one)")
    cli.add_commands(made.add_subparsers(dest="command", title="commands"))
    return made


if __name__ == "__main__":
    main()
