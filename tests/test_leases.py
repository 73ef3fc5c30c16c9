from __future__ import annotations

import asyncio

import pytest

from sse_components.leases import Leases
from tests.support.serving import until

pytestmark = pytest.mark.anyio


async def test_a_lease_expires_once_unless_it_is_renewed_or_released() -> None:
    expired: list[str] = []
    leases = Leases(0.1, expired.append)
    for name in ("lost", "renewed", "released"):
        leases.renew(name)
    leases.release("released")
    leases.release("unknown")
    begin = asyncio.get_running_loop().time()
    while "lost" not in expired:
        await asyncio.sleep(0.01)
        leases.renew("renewed")
    assert asyncio.get_running_loop().time() - begin >= 0.1
    assert expired == ["lost"]
    await until(lambda: len(expired) == 2)
    assert expired == ["lost", "renewed"]
    assert leases._timer is None
    leases.renew("closed")
    leases.close()
    assert (leases._ends, leases._timer) == ({}, None)


def test_a_lease_takes_time() -> None:
    with pytest.raises(ValueError, match="seconds must be a number above 0, not 0"):
        Leases(0, print)
