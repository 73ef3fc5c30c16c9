"""Attack: a client names a position before the page that it was invited to."""

from __future__ import annotations

import pytest

from sse_components.access.clock import steady
from tests.support.live_app import run_live_app
from tests.support.serving import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", ["form", "query", "header", "renewed"])
async def test_nobody_reads_what_was_published_before_the_invitation(way: str) -> None:
    async with run_live_app() as live_app:
        await live_app.sse.publish("todos", "last week")
        ann = live_app.browser()
        (grant,) = await ann.grants()
        await live_app.sse.publish("todos", "today")
        start = f"{live_app.sse.backend.cursor.epoch}-0"
        if way == "renewed":
            asked = steady()
            await until(lambda: steady() > asked + 0.001)  # another moment, another grant
            (answer,) = await ann.renew([f"{grant}~{start}"])
            grant = answer["grant"]
        if way == "header":
            stream = await ann.open(f"/sse/stream?sub={grant}", headers=[f"Last-Event-ID: {start}"])
        elif way == "query":
            stream = await ann.open(f"/sse/stream?sub={grant}~{start}")
        else:
            stream = await ann.post([f"{grant}~{start}"])
        assert (await stream.until("today")).texts == ["today"]


async def test_a_position_after_the_invitation_is_followed() -> None:
    async with run_live_app() as live_app:
        ann = live_app.browser()
        (grant,) = await ann.grants()
        seen = await live_app.sse.publish("todos", "seen")
        await live_app.sse.publish("todos", "missed")
        stream = await ann.post([f"{grant}~{seen}"])
        assert (await stream.until("missed")).texts == ["missed"]


async def test_a_position_that_is_no_position_is_a_gap() -> None:
    async with run_live_app() as live_app:
        await live_app.sse.publish("todos", "last week")
        ann = live_app.browser()
        (grant,) = await ann.grants()
        for position in ("other-0", "nonsense", f"{live_app.sse.backend.cursor.epoch}-99"):
            stream = await (await ann.post([f"{grant}~{position}"])).until("sse:reset")
            assert stream.texts == []
            await stream.close()
