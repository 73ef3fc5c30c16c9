"""What all tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest

from sse_components import Kit
from sse_components.html.page_context import Page
from tests.support.clock import Clock
from tests.support.rendering import rendering

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run `async def` tests on asyncio, as the servers do."""
    return "asyncio"


@pytest.fixture
async def sse() -> AsyncIterator[Kit]:
    """Give a manager that has started."""
    async with Kit() as manager:
        yield manager


@pytest.fixture
def rendered_page() -> Iterator[Page]:
    """Give the page that is being rendered while the test runs."""
    with rendering() as page:
        yield page


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()
