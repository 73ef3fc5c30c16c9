"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest

from sse_components import Kit
from sse_components.background import failures
from sse_components.html.page_context import Page
from tests.support.clock import Clock
from tests.support.rendering import rendering

# A slow example must not fail on a busy machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run `async def` tests on asyncio, as the servers do."""
    return "asyncio"


@pytest.fixture
async def sse() -> AsyncIterator[Kit]:
    """Return a manager that is running."""
    async with Kit() as manager:
        yield manager


@pytest.fixture
def rendered_page() -> Iterator[Page]:
    """Run the test in the handler of a request, and return the page that it renders."""
    with rendering() as page:
        yield page


@pytest.fixture(autouse=True)
def forgotten_failures() -> None:
    """Have each failure logged, whatever other tests have made fail within the last minute."""
    failures.forget()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test controls."""
    return Clock()
