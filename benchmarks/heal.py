"""What healing costs a page with 5,000 rows of which 10 have changed.

`python benchmarks/heal.py` takes half a minute. It runs Chromium, and measures in the page, in milliseconds: the copy
of what the server said, which is taken when a page starts; the parsing of the fresh page; and the patch. It counts the
changes that the patch makes.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from e2e.cdn import OUTSIDE, Cdn
from e2e.conftest import HTMX, KIT_ADDRESS, PATIENCE
from e2e.page_server import PageServer
from e2e.pictures import launch

ROWS, CHANGED = 5_000, 10
MEASURE = """async ([address, now]) => {
  const names = ["morph/server-copy.js", "morph/three-way.js", "page/parse-page.js", "page/new-content.js"];
  const modules = await Promise.all(names.map((name) => import(address + name)));
  const { serverCopy, patch, parsePage, bringIn } = Object.assign({}, ...modules);
  const time = (run) => {
    const before = performance.now();
    const found = run();
    return [performance.now() - before, found];
  };
  const [copy] = time(() => serverCopy.take());
  const page = document.documentElement.cloneNode(true);
  page.querySelector("#app").innerHTML = now;
  const [parse, fresh] = time(() => parsePage(page.outerHTML));
  const touched = [];
  const observer = new MutationObserver((records) => touched.push(...records));
  observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  const root = document.documentElement;
  const [patched] = time(() => bringIn(patch(serverCopy.of(root), fresh.documentElement, root)));
  touched.push(...observer.takeRecords());
  observer.disconnect();
  return { copy, parse, patch: patched, touched: touched.length };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        browser = launch(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        server = PageServer("three_way", int(HTMX[0][0]), folder / "server.log")
        stack.callback(server.stop)
        context = browser.new_context()
        context.route(OUTSIDE, Cdn(HTMX[0]).answer)
        runs = []
        for number in range(options.rounds):
            room = f"round-{number}"
            server.post(f"/{room}/say", html=table("before"))
            tab = context.new_page()
            tab.goto(f"{server.url}/{room}")
            expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live", timeout=PATIENCE)
            runs.append(measure(tab))
            tab.close()
    print(f"{ROWS:,} rows, of which {CHANGED} changed; median of {options.rounds} rounds\n")
    print("| | copy at start | parse | patch | touched |\n|---|---|---|---|---|")
    row = [median(run[name] for run in runs) for name in ("copy", "parse", "patch", "touched")]
    print("| ms |" + "".join(f" {value:.1f} |" for value in row[:3]) + f" {row[3]:.0f} |")


def table(changed: str) -> str:
    """Return rows of which some have another text."""
    rows = (
        f'<tr id="row-{number}" class="row"><td>{number}</td><td class="name">name {number}</td>'
        f"<td>{changed if number % (ROWS // CHANGED) == 7 else 'same'}</td></tr>"
        for number in range(ROWS)
    )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def measure(tab: Page) -> dict[str, float]:
    found: dict[str, float] = tab.evaluate(MEASURE, [tab.evaluate(KIT_ADDRESS), table("after")])
    return found


if __name__ == "__main__":
    main()
