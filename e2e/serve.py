"""The process that `PageServer` starts: `python -m e2e.serve <page> <major version of htmx> <socket descriptor>`.

With `E2E_HTMX`, a version, the pages ask their own server for htmx and all else that CDNs have.

A page is a module of `e2e/pages`, or a file that defines `app`.
"""

from __future__ import annotations

import importlib
import os
import runpy
import socket
import sys

import uvicorn

from e2e.engines.local_cdn import LocalCdn


def serve(page: str, generation: int, descriptor: int) -> None:
    if page.endswith(".py"):
        app = runpy.run_path(page)["app"]
    else:
        app = importlib.import_module(f"e2e.pages.{page}").make_app(htmx4=generation == 4)
    if htmx := os.environ.get("E2E_HTMX"):
        app = LocalCdn(app, htmx)
    server = uvicorn.Server(uvicorn.Config(app, ssl_certfile=os.environ.get("E2E_CERTIFICATE")))
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
