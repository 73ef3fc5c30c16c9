from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from fasthtml.common import to_xml

from sse_components import AlreadyRunning, Kit, MarkupError, NotRunning, ProgressBar, SetupError
from sse_components.components import work
from sse_components.components.progress_bar import Job, Pace, describe_time
from sse_components.components.work import Works
from tests.support.serving import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def sent(sse: Kit) -> list[str]:
    """Return a list that collects the frames of all published events."""
    frames: list[str] = []
    enqueue = sse.fanout.enqueue

    def collect(event: Any) -> None:
        frames.append(event.frame.decode())
        enqueue(event)

    sse.fanout.enqueue = collect  # type: ignore[method-assign]
    return frames


def text_of(frame: str) -> str:
    """Return the text that an update shows and announces."""
    return re.sub(r"<[^>]*>", " ", frame.partition("data: ")[2]).strip()


async def test_a_job_publishes_its_start_and_its_end(sse: Kit, sent: list[str]) -> None:
    async with sse.job("export", total=4, title="July") as job:
        assert (job.state, job.running, len(sent)) == ("running", True, 1)
        await job.step()
        await job.update(3, message="nearly there")
    assert (job.state, job.running) == ("done", False)
    assert "channel: export\n" in sent[0]
    assert text_of(sent[0]).split() == ["0", "%", "July", "started"]
    assert text_of(sent[-1]).split() == ["100", "%", "Done", "·", "July", "·", "nearly", "there", "Done"]
    assert 'hx-swap-oob="outerHTML:#export-now"' in sent[-1]
    assert 'hx-swap-oob="innerHTML:#export-said"' in sent[-1]


async def test_a_million_steps_send_few_messages_and_do_not_block_the_loop(sse: Kit, sent: list[str]) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    clock = asyncio.get_running_loop().time
    began = clock()
    async with sse.job("export", total=100_000) as job:
        async for _ in job.each(range(100_000)):
            pass
    beside.cancel()
    assert job.done == 100_000
    assert 2 <= len(sent) <= 3 + (clock() - began) / 0.1
    assert turns >= 2


async def test_the_last_change_is_sent_although_the_job_makes_no_more_steps(sse: Kit, sent: list[str]) -> None:
    async with sse.job("export", total=100) as job:
        for _ in range(60):
            await job.step()
        await until(lambda: len(sent) == 2)
        assert text_of(sent[1]).split() == ["60", "%", "50", "%"]
        await job.step()
        await until(lambda: len(sent) == 3)
        assert "export-said" not in sent[2]


async def test_a_job_that_raises_has_failed_and_its_caller_gets_the_error(sse: Kit, sent: list[str]) -> None:
    told: list[tuple[dict[str, Any], str]] = [({}, "something went wrong"), ({"reason": str}, "no &lt;rows&gt;")]
    for options, reason in told:
        error = ValueError("no <rows>\nin secret/path")
        with pytest.raises(ValueError, match="no <rows>") as caught:
            async with sse.job("export", **options):
                raise error
        assert caught.value is error
        assert f"Failed: {reason}</div>" in sent[-1]
        assert "secret" not in sent[-1]
    assert sse.job("export").present.state == "failed"


async def test_cancel_ends_only_the_block(sse: Kit, sent: list[str]) -> None:
    assert sse.job("export").cancel().result() is False

    async def work() -> str:
        async with sse.job("export", total=2) as job:
            await job.step()
            await asyncio.Event().wait()
        return f"after it: {job.cancelled}"

    task = asyncio.create_task(work())
    await until(lambda: bool(sent))
    assert await asyncio.to_thread(lambda: sse.job("export").cancel().result()) is True
    sse.job("export").cancel()
    assert await task == "after it: True"
    assert task.cancelling() == 0
    assert text_of(sent[-1]).split() == ["50", "%", "Cancelled", "Cancelled"]
    assert sse.job("export").cancel().result() is False


async def test_a_block_may_clean_up_when_it_is_cancelled(sse: Kit, sent: list[str]) -> None:
    async with sse.job("export") as job:
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        assert job.cancelled
    current = asyncio.current_task()
    assert current is not None
    assert (job.state, current.cancelling()) == ("cancelled", 0)


async def test_a_task_that_is_cancelled_by_others_stays_cancelled(sse: Kit, sent: list[str]) -> None:
    async def work() -> None:
        async with sse.job("export"):
            await asyncio.Event().wait()

    for and_by_reader in (False, True):
        sent.clear()
        task = asyncio.create_task(work())
        await until(lambda: bool(sent))
        if and_by_reader:
            sse.job("export").cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sse.job("export").present.state == "cancelled"


async def test_the_caller_gets_the_original_error_when_publishing_fails(sse: Kit) -> None:
    async def work() -> None:
        async with sse.job("export"):
            await sse.stop()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        await work()
    assert caught.value.__notes__[0].startswith("The end could not be published: ")
    assert sse.job("export").present.state == "failed"


async def test_two_running_jobs_with_the_same_id_are_an_error(sse: Kit) -> None:
    async with sse.job("export", total=2) as job:
        with pytest.raises(AlreadyRunning, match="Job 'export' is running"):
            async with sse.job("export"):
                pytest.fail("it has begun")
        assert sse.job("export").present is job
        async with sse.job("import"):
            pass
    async with sse.job("export") as again:
        assert (again.done, again.total, again.message) == (0, None, "")
    async with job:  # the same object may run again, too
        assert (job.done, job.total, job.state) == (0, 2, "running")


async def test_a_job_can_be_updated_only_inside_its_block(sse: Kit) -> None:
    job = sse.job("export")
    for state in ("idle", "done"):
        with pytest.raises(NotRunning, match=f"Job 'export' is {state}: use it within its async with block"):
            await job.step()
        if state == "idle":
            async with job:
                pass


async def test_a_job_that_cannot_be_published_does_not_begin() -> None:
    manager = Kit()
    await manager.start()
    await manager.stop()
    with pytest.raises(NotRunning):
        async with manager.job("export"):
            pytest.fail("it has begun")
    assert manager.job("export").present.state == "failed"


async def test_threads_step_and_see_that_they_are_cancelled(sse: Kit, sent: list[str]) -> None:
    def count(job: Job) -> None:
        for _ in range(1_000):
            job.step(message="counting")

    async with sse.job("export", total=2_000) as job:
        await asyncio.gather(asyncio.to_thread(count, job), asyncio.to_thread(count, job))
        assert job.done == 2_000
        job.update(5, total=10)
        assert job.part == 0.5
    assert "counting" in sent[-1]


def test_ended_jobs_are_forgotten_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    works = Works(lambda: now)

    def job(id: str, state: str) -> Job:
        made = Job(Kit(), works, id)
        works.begin(made)
        made.state, made.ended = state, now
        return made

    running, ended = job("runs", "running"), job("ends", "done")
    now = work.KEPT_SECONDS
    assert works.get(Job, "ends") is ended
    now += 1
    assert works.get(Job, "ends") is None
    job("new", "done")
    assert (len(works), works.get(Job, "runs")) == (2, running)

    monkeypatch.setattr(work, "KEPT", 3)
    for number in range(10):
        now += 1
        job(f"job-{number}", "done")
    assert len(works) == 5
    assert works.get(Job, "job-9") is not None
    assert works.get(Job, "runs") is running


async def test_time_left_follows_the_recent_pace() -> None:
    pace = Pace(0)
    assert pace.seconds_left(100, 0) is None
    for second in range(1, 11):
        pace.measure(second, second)
    assert pace.seconds_left(100, 10) == pytest.approx(90)
    assert pace.seconds_left(100, 20) == pytest.approx(80)
    for second in range(11, 41):  # twice as fast
        pace.measure(10 + 2 * (second - 10), second)
    left = pace.seconds_left(1_000, 40)
    assert left is not None
    assert 930 / 2 <= left <= 930 / 1.8
    pace.measure(0, 41)
    pace.measure(0, 42)
    assert pace.seconds_left(1_000, 43) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds left"),
        (9.9, "a few seconds left"),
        (10, "about 10 s left"),
        (41, "about 50 s left"),
        (55, "about 1 min left"),
        (119, "about 2 min left"),
        (59 * 60, "about 59 min left"),
        (59.6 * 60, "about 1 h left"),
        (99 * 60, "about 1 h 35 min left"),
        (13.4 * 3600, "about 13 h left"),
        (47.4 * 3600, "about 47 h left"),
        (72 * 3600, "about 3 days left"),
    ],
)
def test_time_left_is_formatted_in_words(seconds: float, words: str) -> None:
    assert describe_time(seconds) == words


async def test_pages_show_the_time_left(sse: Kit, sent: list[str]) -> None:
    now = 0.0
    sse.works.clock = lambda: now
    async with sse.job("export", total=100) as job:
        now = 10.0
        await job.step(10, message="row 10")
        await until(lambda: len(sent) == 2)
        assert text_of(sent[1]).startswith("10 %")
        assert "<bdi>row 10</bdi> · about 2 min left</div>" in sent[1]
    assert "left</div>" not in sent[-1]


@pytest.mark.usefixtures("rendered_page")
async def test_a_page_begins_with_the_present_state(sse: Kit) -> None:
    idle = to_xml(ProgressBar(sse.job("export"), "Export"))
    assert 'data-job="idle"' in idle
    assert '<progress value="0" max="1000" aria-labelledby="export-label">' in idle
    assert "Not started" in idle
    async with sse.job("export", total=3) as job:
        await job.step(message="<b>first</b>")
        page = to_xml(ProgressBar(sse.job("export"), "Export", cancel="/cancel"))
        assert '<progress value="333" max="1000"' in page
        assert "33 %" in page
        assert "<bdi>&lt;b&gt;first&lt;/b&gt;</bdi>" in page
        assert 'hx-post="/cancel"' in page
        await job.update(1e9)
        assert "100 %" in to_xml(ProgressBar(job))
    async with sse.job("export", total=0):
        assert "<progress max" in to_xml(ProgressBar(sse.job("export")))
    assert "100 %" in to_xml(ProgressBar(sse.job("export")))


@pytest.mark.usefixtures("rendered_page")
def test_a_bar_follows_its_channel_and_keeps_attributes() -> None:
    bar = ProgressBar(Kit().job("export", channel="exports"), "A", cls="wide", role="region", title="B")
    assert bar.attrs["class"] == "sse-progress wide"
    assert (bar.attrs["id"], bar.attrs["role"], bar.attrs["title"]) == ("export", "region", "B")
    assert bar.attrs["data-sse-swap"] == "message"
    assert "<button" not in to_xml(bar)


@pytest.mark.usefixtures("rendered_page")
def test_texts_are_escaped_and_truncated() -> None:
    job = Kit().job("export", title="<script>")
    assert "<script>" not in to_xml(ProgressBar(job, "<script>"))
    assert work.first_line("x" * 1_000_000) == "x" * 500 + "…"
    assert work.first_line(" \none\ntwo") == "one"
    assert work.first_line("") == ""


@pytest.mark.parametrize("id", ["", "a b", "a:b", None, 7])
def test_an_id_that_selectors_cannot_name_is_refused(id: Any) -> None:
    with pytest.raises(MarkupError, match=r"^a job needs an id of letters, digits, - and _"):
        Kit().job(id)


async def test_a_negative_total_is_refused(sse: Kit) -> None:
    with pytest.raises(ValueError, match="total must be a number of at least 0, not -1"):
        sse.job("export", total=-1)
    async with sse.job("export") as job:
        with pytest.raises(ValueError, match="total must be a number of at least 0, not -1"):
            await job.update(0, total=-1)


def test_outside_of_a_request_there_is_no_page() -> None:
    with pytest.raises(SetupError):
        to_xml(ProgressBar(Kit().job("export")))
