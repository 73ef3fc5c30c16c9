"""Attack: a user whom the application has thrown out waits for a restart, which loses the revocations."""

from __future__ import annotations

from typing import Any

import pytest
from fasthtml.common import P

from tests.support.live_app import Browser, make_app
from tests.support.running import running
from tests.support.stores import STORES

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


@pytest.mark.parametrize("kind", STORES)
async def test_a_store_keeps_revocations_and_grants(kind: str) -> None:
    async with STORES[kind]() as make_one:
        app, sse = make_app(backend=make_one(1_000))
        async with running(app) as site:
            ann, ben = [await Browser(site.port).login(name) for name in ("ann", "ben")]
            hers, his = await ann.grants(), await ben.grants()
            await sse.revoke(user="ann")
            await ann.close()
            await ben.close()
        app, sse = make_app(backend=make_one(1_000))
        async with running(app) as site:
            ann.port = ben.port = site.port
            assert (await ann.refusal(hers))[1][0]["reason"] == "revoked"
            assert await ann.renew(hers) == [{"denied": "revoked"}]
            stream = await ben.follow(his)
            await sse.publish("todos", P("milk"))
            await stream.until("milk")
            assert "sse:reset" not in stream.body.decode()
            await ann.follow(await ann.grants())
            await ann.close()
            await ben.close()
