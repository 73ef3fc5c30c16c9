"""Several workers that each keep their log in memory are told apart from one, on each server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sse_components.delivery.workers import count_workers
from tests.support.running import running
from tests.support.serving import GRANIAN, GUNICORN, HYPERCORN, UVICORN, minimal_app, serving

pytestmark = pytest.mark.anyio

SEVERAL = [
    pytest.param((*UVICORN, "--workers", "2"), id="uvicorn"),
    pytest.param((*HYPERCORN, "--workers", "2"), id="hypercorn"),
    pytest.param((*GUNICORN, "--workers", "2"), id="gunicorn"),
    pytest.param((*GRANIAN, "--workers", "2", "--workers-kill-timeout", "1"), id="granian"),
]
ADVICE = "Use one worker, or setup_sse(app, backend='sqlite:///live.db')"


@pytest.mark.parametrize("command", SEVERAL)
async def test_several_workers_with_a_log_in_memory_are_warned_of(command: tuple[str, ...], tmp_path: Path) -> None:
    async with serving(command, tmp_path) as server:
        assert "2 workers, and each keeps its own log in memory: a page gets only what its worker" in server.output
        assert ADVICE in server.output


@pytest.mark.parametrize(
    ("command", "options"),
    [
        pytest.param(UVICORN, {}, id="one worker"),
        pytest.param((*UVICORN, "--workers", "2"), {"backend": "sqlite:///live.db"}, id="a shared backend"),
    ],
)
async def test_nothing_is_said_where_all_share_a_log(
    command: tuple[str, ...], options: dict[str, Any], tmp_path: Path
) -> None:
    async with serving(command, tmp_path, **options) as server:
        assert "keeps its own log" not in server.output


async def start(folder: Path) -> None:
    async with serving((*UVICORN, "--workers", "2"), folder, strict=True):
        pass


async def test_a_strict_application_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="SetupError: 2 workers, and each keeps its own log"):
        await start(tmp_path)


async def test_one_process_is_one_worker() -> None:
    async with running(minimal_app):
        assert count_workers() == 1
