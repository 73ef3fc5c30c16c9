"""Texts of users that would take a super-linear pattern, or the conversion of a number, seconds; or make it raise."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest
from fasthtml.common import FastHTML, Li

from sse_components import LiveList, setup_sse
from sse_components.components.live_list import KEY_CHARACTERS, natural_key
from tests.support.running import running
from tests.support.serving import ROOT

pytestmark = pytest.mark.anyio

# Characters that a person can send in one request.
MUCH = 1_000_000
HOSTILE = {
    "digits": "9" * MUCH,
    "digits and a letter": "9" * MUCH + "x",
    "digits in a text": "x" + "9" * MUCH,
    "zeros": "0" * MUCH,
    "fractions": "1." * (MUCH // 2),
    "exponents": "1e" * (MUCH // 2),
    "spaces": " " * MUCH + "x",
    "digits of another script": "\u0663" * MUCH,
    "superscripts": "x\u00b2" * (MUCH // 2),
    "expanding letters": "\ufdfa" * MUCH,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_sort_key_costs_no_more_than_a_short_one(text: str) -> None:
    short = cpu_seconds(lambda: natural_key(text[:KEY_CHARACTERS]))
    assert cpu_seconds(lambda: natural_key(text)) < 50 * short + 0.001


async def test_a_page_shows_whatever_its_users_have_entered() -> None:
    app = FastHTML(secret_key="tests")
    setup_sse(app)

    @app.route("/")
    def index() -> object:
        keys = [*HOSTILE.values(), "7", "apple"]
        items = [
            Li(name, id=f"item-{number}", data_sse_key=key[:5_000])
            for number, (name, key) in enumerate(zip([*HOSTILE, "seven", "fruit"], keys, strict=True))
        ]
        return LiveList(*items, id="list")

    async with running(app) as site:
        page = await site.get("/")
    assert all(name in page for name in HOSTILE)
    assert page.index("seven") < page.index("fruit")


def test_digits_are_still_sorted_by_value() -> None:
    texts = ["item 10", "item 9", "item 009", "item 8", "item", "10", "9.5", "-1"]
    assert sorted(texts, key=natural_key) == ["-1", "9.5", "10", "item", "item 8", "item 9", "item 009", "item 10"]


def test_the_browser_compares_hostile_sort_keys_as_fast() -> None:
    program = f"""
        import {{ comparatorFor }} from "{ROOT.as_uri()}/static/components/live-order.js";
        const texts = ["9".repeat(1e6), "9".repeat(1e6) + "x", "1.".repeat(5e5), " ".repeat(1e6) + "x"];
        const items = texts.map((key, id) => ({{ id: String(id), getAttribute: () => key }}));
        for (let round = 0; round < 200; round++) items.toSorted(comparatorFor("en"));
        console.log(items.toSorted(comparatorFor("en")).map((item) => item.id).join());
    """
    command = ["node", "--input-type=module", "--eval", program]
    # 200 rounds of some comparisons: with a pattern that tries all splits of the digits, the first would take minutes.
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few runs: what else runs on the machine only adds to it."""

    def once() -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    return min(once() for _ in range(5))
