"""Programs beside the application publish to its pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from fasthtml.common import Li

from sse_components import BackendUnavailable, Kit, SetupError, connect
from sse_components.events.log import Event
from tests.support.serving import until

pytestmark = pytest.mark.anyio


async def test_a_program_publishes_to_the_streams_of_an_application(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/live.db"
    async with Kit(backend=url) as application:
        heard: list[Event] = []
        await application.backend.open(heard.append)
        with connect(url) as sse:
            id = sse.publish("todos", Li("milk"), target="list", swap="beforeend")
            sse.text("cpu").set("42 %")
            assert await id == f"{application.backend.cursor.epoch}-1"
        # At the end of the block everything is stored.
        await until(lambda: len(heard) == 2)
        assert heard[0].channel == "todos"
        assert b"<li>milk</li>" in heard[0].frame
        assert b"42 %" in heard[1].frame
        await application.backend.close(heard.append)


def test_a_program_that_is_not_async_waits_for_the_id(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/live.db") as sse:
        assert sse.publish("todos", "milk").result().endswith("-1")
    with connect(f"sqlite:///{tmp_path}/live.db") as sse:
        assert sse.publish("todos", "milk").result().endswith("-2")


def test_what_cannot_be_connected_to(tmp_path: Path) -> None:
    with (
        pytest.raises(SetupError, match=r"^no other process hears of what is published to 'memory'"),
        connect("memory"),
    ):
        pass
    with pytest.raises(BackendUnavailable, match="unable to open"), connect(f"sqlite:///{tmp_path}"):
        pass
