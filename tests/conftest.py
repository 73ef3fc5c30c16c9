"""What all tests share."""

from __future__ import annotations

import hypothesis
import pytest

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run `async def` tests on asyncio, as the servers do."""
    return "asyncio"
