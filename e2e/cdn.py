"""Answers requests to CDNs with the files of `node_modules`."""

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
# FastHTML loads a copy of Pico, which has the same files under this name on npm.
SAME = {"@anyblades/pico": "@picocss/pico"}


class Cdn:
    """Answers the requests of a browser context.

    Args:
        htmx: the version of htmx to answer with. A page may request any version with the same major number.
    """

    def __init__(self, htmx: str) -> None:
        self.htmx = htmx

    def answer(self, route: Route) -> None:
        url = route.request.url
        headers = {"access-control-allow-origin": "*", "content-type": TYPES.get(Path(url).suffix, "text/plain")}
        if url.startswith("https://cdn.jsdelivr.net/gh/"):
            # FastHTML's helper scripts: they are not on npm, and no page here needs them.
            route.fulfill(body="", headers=headers)
        else:
            route.fulfill(path=self.file(url), headers=headers)

    def file(self, url: str) -> Path:
        """Return the file of an address."""
        found = PACKAGE_FILE.fullmatch(url)
        assert found, f"a page asks for {url}"
        name, version, path = found.groups()
        if name == "htmx.org" and not path.startswith("dist/ext/"):
            assert version.partition(".")[0] == self.htmx.partition(".")[0]
            version = self.htmx
        return package_folder(SAME.get(name, name), version) / path


@cache
def package_folder(name: str, version: str) -> Path:
    """Return the folder of a version of a package, which may be installed under an alias."""
    for manifest in [*NODE_MODULES.glob("*/package.json"), *NODE_MODULES.glob("@*/*/package.json")]:
        package = json.loads(manifest.read_text())
        if package["name"] == name and version in (package["version"], "latest"):
            return manifest.parent
    raise LookupError(f"{name}@{version} is not in {NODE_MODULES}: add it to package.json")
