"""Attack: a user whom the application has thrown out waits for a restart, which loses the revocations."""

from __future__ import annotations

from typing import Any

import pytest

from sse_components import MemoryBackend
from sse_components.access.identity import Principal
from sse_components.access.revocations import KeepsRevocations, RevocationLog, Revocations
from tests.support.live_app import Browser, make_app
from tests.support.running import running

pytestmark = pytest.mark.anyio


async def revoked_grants(**options: Any) -> tuple[Browser, list[str]]:
    """Return a browser whose user has been revoked, with its grants, after the server has ended."""
    app, sse = make_app(**options)
    async with running(app) as site:
        ann = await Browser(site.port).login("ann")
        grants = await ann.grants()
        await sse.revoke(user="ann")
        assert (await ann.refusal(grants))[0] == 403
        await ann.close()
    return ann, grants


async def test_grants_from_before_a_restart_are_not_valid() -> None:
    ann, grants = await revoked_grants()
    app, _ = make_app()
    async with running(app) as site:
        ann.port = site.port
        denied = [{"sub": 0, "channels": ["todos"], "reason": "expired"}]
        assert await ann.refusal(grants) == (403, denied)
        assert await ann.renew(grants) == [{"denied": "expired"}]
        await ann.follow(await ann.grants())
        await ann.close()


async def test_an_application_that_revokes_nothing_may_keep_them() -> None:
    ann, grants = await revoked_grants()
    app, _ = make_app(grants_survive_restart=True)
    async with running(app) as site:
        ann.port = site.port
        await (await ann.follow(grants)).until("sse:reset")
        await ann.close()


class Durable(MemoryBackend):
    """A backend that keeps revocations, as one with a file does: the same for each process."""

    kept: RevocationLog

    def revocations(self, keep: float) -> RevocationLog:
        return self.kept


class DurableRevocations(Revocations):
    is_durable = True


async def test_a_backend_may_keep_revocations_and_grants() -> None:
    kept = DurableRevocations(3_600)
    before, after = Durable(), Durable()
    before.kept = after.kept = kept
    assert isinstance(before, KeepsRevocations)
    ann, grants = await revoked_grants(backend=before)
    app, _ = make_app(backend=after)
    async with running(app) as site:
        ann.port = site.port
        assert (await ann.refusal(grants))[1][0]["reason"] == "revoked"
        await ann.close()
    assert kept.covers(Principal("ann"), ["todos"], 0)
