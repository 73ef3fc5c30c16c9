"""The progress of a job as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from fasthtml.common import Div

from sse_components.generators.progress import create_progress_stream
from sse_components.generators.sources import frame
from tests.support.streams import CLOSED, CONNECTED, collect, error_of, lines, routed

pytestmark = pytest.mark.anyio


DONE = 'id: done\nevent: done\ndata: {"job_id": "j1"}\n\n'


async def progress_of(source: Any, **options: Any) -> list[str]:
    """Return what a client of a job's progress gets, without the comments."""
    frames = await collect(create_progress_stream("j1", source, 0.001, **options)())
    assert [frames[0], frames[-1]] == [CONNECTED, CLOSED]
    return frames[1:-1]


def states(*states: Any) -> Callable[[str], Any]:
    left = iter(states)

    def progress(job_id: str) -> Any:
        assert job_id == "j1"
        return next(left)

    return progress


async def test_progress_sends_changes_and_then_done() -> None:
    frames = await progress_of(states({"progress": 1}, {"progress": 1}, {"progress": 50}, {"progress": 100}, "never"))
    assert frames == ['data: {"progress": 1}\n\n', 'data: {"progress": 50}\n\n', 'data: {"progress": 100}\n\n', DONE]


async def test_a_state_that_is_changed_in_place_is_a_change() -> None:
    state = {"progress": 98}

    def advance() -> dict[str, int]:
        state["progress"] += 1
        return state

    assert await progress_of(advance) == ['data: {"progress": 99}\n\n', 'data: {"progress": 100}\n\n', DONE]


@pytest.mark.parametrize(
    "last",
    [
        {"status": "completed"},
        {"status": "done"},
        {"status": "failed"},
        {"status": "error"},
        {"status": "cancelled"},
        {"progress": 100},
        {"progress": 100.0, "status": "copying"},
        {"progress": 7, "completed": True},
        {"progress": 100, "total": 700},
        {"done": True},
    ],
)
async def test_a_last_state_ends_the_stream(last: dict[str, Any]) -> None:
    assert await progress_of(states({"progress": 0}, last)) == ['data: {"progress": 0}\n\n', frame(last), DONE]


@pytest.mark.parametrize(
    "state",
    [{"status": "running"}, {"progress": 45, "total": 40}, {"progress": 100, "done": False}, {"progress": "?"}, 100],
)
async def test_other_states_do_not(state: Any) -> None:
    assert await progress_of(states({"a": 1}, state, {"done": True})) == [
        'data: {"a": 1}\n\n',
        frame(state),
        'data: {"done": true}\n\n',
        DONE,
    ]


async def test_a_job_that_is_gone_is_done() -> None:
    assert await progress_of(states({"progress": 3}, None)) == ['data: {"progress": 3}\n\n', DONE]
    assert await progress_of({}.get) == [DONE]
    assert await progress_of(states()) == [DONE]


async def test_progress_may_be_async_elements_or_a_generator() -> None:
    async def poll() -> Any:
        return Div("finished")

    async def follow(job_id: str) -> AsyncGenerator[Any, None]:
        yield job_id

    assert await progress_of(poll, ended=lambda state: True) == ["data: <div>finished</div>\n\n", DONE]
    assert await progress_of(follow) == ["data: j1\n\n", DONE]


async def test_who_joins_late_sees_the_present_state_first() -> None:
    jobs: dict[str, dict[str, int]] = {"j1": {"progress": 10}}
    endpoint = create_progress_stream("j1", jobs.get, 0.001)
    async with routed(endpoint) as client, client.stream("GET", "/stream") as early:
        assert await lines(early, 'data: {"progress": 10}')
        jobs["j1"] = {"progress": 60}
        async with client.stream("GET", "/stream") as late:
            rest = late.aiter_lines()
            assert [await anext(rest) for _ in range(3)] == [": Connected", "", 'data: {"progress": 60}']
            jobs["j1"] = {"progress": 100}
            assert [line async for line in rest][1:3] == ['data: {"progress": 100}', ""]


async def test_who_comes_back_after_the_end_is_told_to_stay_away() -> None:
    async with routed(create_progress_stream("j1", {}.get)) as client:
        assert (await client.get("/stream", headers={"Last-Event-ID": "done"})).status_code == 204
        assert DONE in (await client.get("/stream", headers={"Last-Event-ID": "something"})).text


async def test_a_progress_source_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such table")

    frames = await progress_of(broken)
    assert error_of(frames)["id"] in caplog.text
    assert DONE not in frames
