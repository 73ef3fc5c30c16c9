"""The outside world of the pages: addresses of npm packages are answered from `node_modules`, byte for byte."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from playwright.sync_api import Route

NODE_MODULES = Path(__file__).parent.parent / "node_modules"
OUTSIDE = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")
PACKAGE_FILE = re.compile(r"https://(?:cdn\.jsdelivr\.net/npm|unpkg\.com)/(@?[^@]+)@([^/]+)/(.+)")
TYPES = {".js": "text/javascript", ".css": "text/css"}
# Where FastHTML takes Pico from, and what is the same on npm.
SAME = {"@anyblades/pico": "@picocss/pico"}


class Cdn:
    """Answers the requests of a browser context.

    Args:
        htmx: the version with which to answer for htmx itself, whichever of its generation a page asks for.
    """

    def __init__(self, htmx: str) -> None:
        self.htmx = htmx

    def answer(self, route: Route) -> None:
        url = route.request.url
        headers = {"access-control-allow-origin": "*", "content-type": TYPES.get(Path(url).suffix, "text/plain")}
        if url.startswith("https://cdn.jsdelivr.net/gh/"):
            # FastHTML's helpers, which npm does not have, and no page here needs.
            route.fulfill(body="", headers=headers)
        else:
            route.fulfill(path=self._file(url), headers=headers)

    def _file(self, url: str) -> Path:
        found = PACKAGE_FILE.fullmatch(url)
        assert found, f"a page asks for {url}"
        name, version, path = found.groups()
        if name == "htmx.org" and not path.startswith("dist/ext/"):
            assert version.partition(".")[0] == self.htmx.partition(".")[0]
            version = self.htmx
        return package_folder(SAME.get(name, name), version) / path


@cache
def package_folder(name: str, version: str) -> Path:
    """Return where a version of a package lies, be it under an alias."""
    for described in [*NODE_MODULES.glob("*/package.json"), *NODE_MODULES.glob("@*/*/package.json")]:
        package = json.loads(described.read_text())
        if package["name"] == name and version in (package["version"], "latest"):
            return described.parent
    raise LookupError(f"{name}@{version} is not in {NODE_MODULES}: add it to package.json")
