"""Publishes numbers while something happens, and checks that a page shows each number once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
from playwright.sync_api import Page, TimeoutError, expect

from tests.support.patience import patient

NUMBERS = "[...document.querySelectorAll('#items li')].map((item) => Number(item.textContent))"
# Milliseconds between two checks; a hidden page has no animation frames, which Playwright polls by default.
POLLING = 50


@contextmanager
def publishing(url: str, numbers: Iterable[int]) -> Iterator[None]:
    """Publish numbers in a thread while the block runs. Each is sent until the server accepts it."""
    with ThreadPoolExecutor(1) as pool:
        publisher = pool.submit(publish, url, numbers)
        yield
        publisher.result()


def publish(url: str, numbers: Iterable[int]) -> None:
    with httpx.Client() as client:
        for number in numbers:
            while not is_accepted(client, url, number):
                pass


def is_accepted(client: httpx.Client, url: str, number: int) -> bool:
    with suppress(httpx.TransportError):
        return client.post(url, data={"number": number}, timeout=patient(30)).is_success
    return False


def wait_for_numbers(tab: Page, count: int) -> None:
    """Wait until a page shows at least `count` numbers."""
    tab.wait_for_function(f"(count) => {NUMBERS}.length >= count", arg=count, polling=POLLING)


def expect_numbers(tab: Page, count: int) -> None:
    """Expect a page to be live, and to show the numbers below `count`, each once and in order."""
    with suppress(TimeoutError):
        wait_for_numbers(tab, count)
    assert tab.evaluate(NUMBERS) == list(range(count))
    expect(tab.locator("#live")).to_have_attribute("data-sse-state", "live")
