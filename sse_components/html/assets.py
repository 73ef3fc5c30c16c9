"""Where `static/` lies, its versioned addresses, and the tags that load it."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fasthtml.common import Link, NotStr, Script, to_xml
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from ..errors import SetupError
from ..protocol import ASSETS_PATH, NAMESPACE_ATTRIBUTE

ENTRY = "index.js"
# They note what scripts change while the page is parsed, and copy what the server said before other modules change it.
EARLIEST, FIRST = "morph/early-changes.js", "morph/server-copy.js"
STYLES = "components.css"
# An import that a module needs before it runs; not one that it asks for later, by `import(...)`.
IMPORT = re.compile(r"""^(?:import|\}?[^"'\n]*\bfrom) "(\.{1,2}/[\w./-]+\.js)";""", re.MULTILINE)
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def static_dir() -> Path:
    """Return the folder of the browser files: inside the package in a wheel, beside it in an editable install.

    Raises:
        SetupError: if neither is there.
    """
    package = Path(str(files("sse_components")))
    inside, beside = package / "static", package.parent / "static"
    for folder in (inside, beside):
        if (folder / ENTRY).is_file():
            return folder
    raise SetupError(f"the browser files are missing: neither in {inside} nor in {beside}")


@cache
def browser_files() -> dict[str, Path]:
    """Return all browser files by their path below the folder, such as `page/heal.js`."""
    paths = sorted(path for path in static_dir().rglob("*") if path.suffix in MEDIA_TYPES and path.is_file())
    return {path.relative_to(static_dir()).as_posix(): path for path in paths}


@cache
def version() -> str:
    """Return a hash of all browser files. It is part of their path, so that relative imports keep it."""
    digest = hashlib.sha256()
    for name, path in browser_files().items():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def eager_modules() -> tuple[str, ...]:
    """Return the modules that every page loads: the entry, and what it and they import."""
    found = [ENTRY]
    for name in found:  # it grows on the way
        text = browser_files()[name].read_text("utf-8")
        imported = dict.fromkeys(posixpath.normpath(f"{name}/../{path}") for path in IMPORT.findall(text))
        found += [other for other in imported if other not in found]
    return tuple(found)


def asset_url(name: str, prefix: str) -> str:
    """Return the address of a browser file below the kit's prefix."""
    return f"{prefix}{ASSETS_PATH}/{version()}/{name}"


# The prefixes below which the apps of this process serve the browser files, the latest last.
mounted: list[str] = []


def mount(app: Any, prefix: str) -> None:
    """Serve the browser files below the kit's prefix, in front of FastHTML's catch-all for every `.js`.

    What is mounted there already stays as it is.
    """
    path = f"{prefix}{ASSETS_PATH}"
    if not any(getattr(route, "path", None) == path for route in app.router.routes):
        app.router.routes.insert(0, Mount(path, serve))
        app.state.sse_prefix = prefix
        mounted.append(prefix)


def prefix_of(app: Any) -> str | None:
    """Return the prefix below which an app serves the browser files; None if it does not."""
    return getattr(app.state, "sse_prefix", None)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/<version>/<name>`, an ASGI app: for ever if the version is ours, else by the way to it.

    A page that was rendered before a deployment asks for a version that is gone; it is better off with new files than
    with none. They get them under their own address, so that no worker of the old version has that name, too.
    """
    _, _, tail = scope["path"].removeprefix(scope.get("root_path", "")).partition("/")
    asked, _, name = tail.partition("/")
    await _response(scope["method"], asked, name)(scope, receive, send)


def _response(method: str, asked: str, name: str) -> Response:
    if method not in ("GET", "HEAD"):
        return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD"})
    path = browser_files().get(name)
    if path is None:
        return PlainTextResponse("Not Found", 404)
    if asked != version():
        up = "../" * (name.count("/") + 1)
        return RedirectResponse(f"{up}{version()}/{name}", 307, {"cache-control": "no-cache"})
    # A page in a sandboxed frame has an origin of its own: with the files, it can at least say what is wrong.
    headers = {"cache-control": FOR_EVER, "x-content-type-options": "nosniff", "access-control-allow-origin": "*"}
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=headers)


def first_tags(prefix: str) -> tuple[Any, ...]:
    """Return the tags that belong before all other scripts of a page: modules run in the order of their tags."""
    return Script(src=asset_url(EARLIEST, prefix)), Script(src=asset_url(FIRST, prefix), type="module")


def entry_tags(prefix: str, namespace: str = "") -> tuple[Any, ...]:
    """Return the tags that load the kit in a page's head.

    Args:
        prefix: path of the kit's routes.
        namespace: whose page it is, for what browsers keep.

    All modules are named there, so that the browser asks for them at once, and not one after another as it finds out.
    """
    styles = Link(rel="stylesheet", href=asset_url(STYLES, prefix))
    entry = Script(src=asset_url(ENTRY, prefix), type="module", **{NAMESPACE_ATTRIBUTE: namespace or None})
    return styles, _preloads(prefix, version()), entry


@lru_cache(maxsize=16)  # a prefix for each place where an application is mounted
def _preloads(prefix: str, _version: str) -> NotStr:
    """Return the tags of all modules, rendered once: they are most of what the kit adds to a page."""
    tags = [Link(rel="modulepreload", href=asset_url(name, prefix)) for name in eager_modules()]
    return NotStr("\n".join(to_xml(tag, indent=False) for tag in tags))
