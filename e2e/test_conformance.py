"""The kit reads streams as the browser's own `EventSource` does, except where a difference is meant.

`SSE_CONFORMANCE=/path/to/module.js` points both tests at another implementation: its `follow` has the arguments and the
result of that in `conformance/kit.js`. `SSE_CONFORMANCE_STREAMS` is the number of random streams.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from e2e.page_server import ROOT, PageServer
from e2e.pages.conformance import CASES

STREAMS = int(os.environ.get("SSE_CONFORMANCE_STREAMS", "2000"))
TESTED = Path(os.environ.get("SSE_CONFORMANCE", "kit.js")).name
# What the kit does otherwise; docs/browsers.md says why.
MEANT: dict[str, dict[str, Any]] = {
    "status 500": {"ended": "to come back"},
    "status 502": {"ended": "to come back"},
    "status 503": {"ended": "to come back"},
    "a content type with a charset": {"ended": "to come back", "events": [["message", "a", ""]]},
    "a byte order mark before an empty line": {"events": [["message", "1", ""]]},
}


@pytest.fixture(scope="module")
def server(servers: Callable[[int], PageServer]) -> PageServer:
    return servers(4)  # htmx is not on the page


@pytest.fixture(scope="module")
def blank(browser: Browser, server: PageServer) -> Iterator[Page]:
    """Return a page without scripts, in a browser whose requests are not routed."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    yield page
    context.close()


def observed(page: Page, server: PageServer, name: str, who: str, module: str) -> dict[str, Any]:
    found = page.evaluate(
        """async ([module, name, who, options]) => {
          const [{ observe }, { follow }] = await Promise.all([import("/lib/observe.js"), import(module)]);
          return observe(follow, `/answer/${encodeURIComponent(name)}?who=${who}`, options);
        }""",
        [module, name, who, {"comesBack": CASES[name].comes_back}],
    )
    return {**found, "ids": server.get(f"/ids/{name}", who=who)}


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_the_standard(blank: Page, server: PageServer, name: str) -> None:
    native = observed(blank, server, name, "native", "/lib/native.js")
    ours = observed(blank, server, name, "ours", f"/tested/{TESTED}")
    if name in MEANT and "SSE_CONFORMANCE" not in os.environ:
        assert native != native | MEANT[name]
        native |= MEANT[name]
    assert ours == native


def test_random_streams(blank: Page) -> None:
    different = blank.evaluate(
        """async ([module, count]) => {
          const modules = ["/lib/observe.js", "/lib/native.js", module];
          const [{ compare }, native, tested] = await Promise.all(modules.map((name) => import(name)));
          const urls = Array.from({ length: count }, (_, seed) => `/random/${seed}`);
          return compare([native.follow, tested.follow], urls);
        }""",
        [f"/tested/{TESTED}", STREAMS],
    )
    assert different == [], f"{len(different)}: {json.dumps(different[:3], indent=2)}"


@pytest.mark.parametrize("name", MEANT)
def test_a_difference_is_documented(name: str) -> None:
    assert name in (ROOT / "docs/browsers.md").read_text()
