"""What the tests of streams share: nothing may outlive its test."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def swift_collections() -> Iterator[None]:
    """Let `gc.collect()` look at what the tests make, and not at all that is imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
async def tidy(anyio_backend: str, caplog: pytest.LogCaptureFixture) -> AsyncGenerator[None, None]:
    """Let no task outlive its test, and asyncio find nothing to complain of."""
    yield
    gc.collect()
    names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    assert {name for name in names if not name.startswith("TestRunner.")} == set()
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []
