"""A job queue as programs of the first API write one: its names alone, and threads that do the work.

The worker reports by `asyncio.run(manager.broadcast(...))`; the element builder returns what `build()` gives.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fasthtml.common import H1, Button, Form, Li, P, Script, Ul, fast_app

from e2e.pages import NO_ICON
from sse_components import (
    BroadcastManager,
    OOBStreamBuilder,
    cleanup_sse_on_unload,
    create_reconnection_script,
    create_sse_element,
    setup_broadcast_routes,
)
from sse_components.app import EXTENSIONS

manager = BroadcastManager(history_limit=20)


@dataclass
class Job:
    """One job of the queue."""

    number: int
    started: datetime
    percent: int = 0


jobs: dict[int, Job] = {}
go_on = threading.Semaphore(0)


def build(message_type: str, data: dict[str, Any]) -> str | None:
    """Make the swaps of a message: the job's line, and the summary."""
    if message_type != "job progress":
        return None
    job: Job = data["job"]
    builder = OOBStreamBuilder()
    if job.percent == 0:
        builder.add_element(Li(f"job {job.number}: waiting", id=f"job:{job.number}"), "jobs", "beforeend")
    else:
        builder.add_element(f"job {job.number}: {job.percent} % since {job.started:%Y}", f"job:{job.number}")
    builder.add_element(P(f"{len(data['running'])} running", id="summary"), "summary", wrap=False)
    return builder.build()


def report(job: Job) -> None:
    """Tell every tab about a job, from the worker's thread. The data is not JSON: it has a set and a date."""
    running = {other.number for other in jobs.values() if other.percent < 100}
    asyncio.run(manager.broadcast("job progress", {"job": job, "running": running}))


def work(job: Job) -> None:
    """Do the job in steps. The test lets each step happen."""
    report(job)
    for percent in (50, 100):
        go_on.acquire()
        job.percent = percent
        report(job)


def make_app(*, htmx4: bool) -> Any:
    extension = Script(src=EXTENSIONS[4 if htmx4 else 2][0])
    scripts = cleanup_sse_on_unload(), create_reconnection_script(check_interval=500)
    app, rt = fast_app(htmx4=htmx4, pico=False, surreal=False, secret_key="e2e", hdrs=(NO_ICON, extension, *scripts))
    setup_broadcast_routes(app, manager, element_builder=build)

    @rt("/")
    def index() -> Any:
        start = Form(Button("Start"), hx_post="/start", hx_swap="none")
        feed = create_sse_element("/sse/broadcast", "feed", hidden=True)
        return H1("Jobs"), feed, start, P("0 running", id="summary"), Ul(id="jobs")

    @rt("/start", methods=["POST"])
    def start() -> None:
        job = jobs[len(jobs) + 1] = Job(len(jobs) + 1, datetime.now())
        threading.Thread(target=work, args=[job], daemon=True).start()

    @rt("/step", methods=["POST"])
    def step() -> str:
        go_on.release()
        return "done"

    @rt("/reset", methods=["POST"])
    def reset() -> str:
        jobs.clear()
        return f"{len(manager.connections)} queues"

    return app
