"""The examples of the cjm-fasthtml-sse notebook, with changed imports only; `e2e/test_notebook.py` opens the page."""

from __future__ import annotations

import pytest

from e2e.pages.notebook import create_app_with_broadcast
from sse_components import BroadcastManager
from tests.support.running import running

pytestmark = pytest.mark.anyio


async def test_basic_usage() -> None:
    broadcast_mgr = BroadcastManager(debug=True)

    async def notify_all_clients() -> None:
        await broadcast_mgr.broadcast(
            message_type="notification", data={"message": "System update completed"}, metadata={"priority": "high"}
        )

    async with broadcast_mgr:
        _, queue = await broadcast_mgr.register()
        await notify_all_clients()
        message = queue.get_nowait()
        assert broadcast_mgr.get_history() == [message]
    assert (message.type, message.data) == ("notification", {"message": "System update completed"})
    assert message.metadata == {"priority": "high"}


async def test_custom_element_builder_in_the_complete_integration() -> None:
    app, manager = create_app_with_broadcast(secret_key="tests")
    async with running(app) as site, manager:
        stream = await (await site.open("/sse/broadcast")).until("sse:open")
        assert await site.get("/trigger") == "Broadcast sent!"
        assert await manager.broadcast("unheard_of", {}) == 1
        await manager.broadcast("status_update", {"status": "up"})
        assert (await stream.until("status-display")).texts == [
            '<div><span hx-swap-oob="innerHTML" id="counter">42</span></div>',
            '<div><div hx-swap-oob="true" id="status-display">up</div></div>',
        ]
        assert await site.get("/sse/status") == '{"connections":1,"history_size":3}'
