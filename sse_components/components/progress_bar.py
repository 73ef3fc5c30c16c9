"""`ProgressBar`: the progress of a job, in every tab."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Sized
from typing import Any, TypeVar

from fasthtml.common import FT, Bdi, Button, Div, P, Progress, Span

from ..checks import check_positive
from ..forks import Guard
from ..html.oob import oob
from ..manager import BroadcastManager
from ..publication import Outcome, Publication
from .element import following
from .handle import Exclude
from .handle_registry import bind
from .work import DONE, IDLE, Reason, Work, Works, first_line, hide_reason

T = TypeVar("T")

# Seconds between two messages of one job.
INTERVAL = 0.1
# The percentages that are announced to screen readers.
MILESTONES = (75, 50, 25)
# Seconds before the pace of a job is known well enough, and the shortest time over which it is averaged.
TRUSTED, SMOOTHED = 1.0, 3.0
WORDS = {"idle": "Not started", "done": "Done", "cancelled": "Cancelled", "failed": "Failed"}


class Pace:
    """How fast a job goes: an average over about the last third of its time.

    Args:
        now: seconds, of any clock.
    """

    def __init__(self, now: float) -> None:
        self._began = self._last = now
        self._done = self._sum = self._weight = 0.0

    def measure(self, done: float, now: float) -> None:
        """Take into account how much of the job is done at a time."""
        if (passed := now - self._last) < INTERVAL / 2:
            return
        weight = 1 - math.exp(-passed / max(SMOOTHED, (now - self._began) / 3))
        self._sum += weight * ((done - self._done) / passed - self._sum)
        self._weight += weight * (1 - self._weight)
        self._last, self._done = now, done

    def seconds_left(self, total: float, now: float) -> float | None:
        """Return the seconds until the job has done `total`; None if that is not known."""
        if now - self._began < TRUSTED or self._sum <= 0:
            return None
        return max(0.0, (total - self._done) * self._weight / self._sum - (now - self._last))


class Job(Work):
    """The server side of a `ProgressBar`: a job that runs as long as an `async with` block. `sse.job(id)` returns it.

    It is done when the block ends, failed if the block raises, and cancelled if somebody calls `cancel()`. An error
    that the block raises reaches the caller. The state is known to this process for an hour after the end.

    Attributes:
        id: the id of the `ProgressBar`.
        channel: the channel that the `ProgressBar` follows.
        state: `'idle'`, `'running'`, `'done'`, `'cancelled'` or `'failed'`.
        title: the name of this run.
        done: how much is done.
        total: how much there is to do; None if that is not known.
        message: what pages show beside it.

    Args:
        manager: publishes its state.
        works: where it is known by its id.
        id: the id of the `ProgressBar`.
        total: how much there is to do, if that is known.
        title: the name of this run.
        channel: the channel that the `ProgressBar` follows; by default the id.
        reason: returns what pages show of an error that the block raises: `str` for the error's own text. By default
            they show no details.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ValueError: for a negative total.

    Example:
        `async with sse.job('import', total=len(rows)) as job: ...; job.step()`
    """

    KIND = "a job"

    done: float
    total: float | None
    message: str
    _pace: Pace
    _announced: str

    def __init__(
        self,
        manager: BroadcastManager,
        works: Works,
        id: str,
        *,
        total: float | None = None,
        title: str = "",
        channel: str | None = None,
        reason: Reason = hide_reason,
    ) -> None:
        super().__init__(manager, works, id, channel=channel, reason=reason, interval=INTERVAL)
        self.title, self._first_total = title, check_total(total)
        self._guard = Guard()
        self._restart()

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled it. Code in threads has to look, because it cannot be interrupted."""
        return self._interrupted

    @property
    def part(self) -> float | None:
        """How much of it is done, from 0 to 1; None as long as the total is not known."""
        if self.state == DONE:
            return 1.0
        return min(1.0, max(0.0, self.done / self.total)) if self.total else None

    @property
    def left(self) -> float | None:
        """The seconds that it is likely to take still; None if that is not known."""
        if not (self.running and self.total):
            return None
        return self._pace.seconds_left(self.total, self._works.clock())

    def cancel(self) -> Outcome[bool]:
        """Cancel what runs under this id: `asyncio.CancelledError` ends its block. It is not raised after the block.

        It may be called anywhere, with or without `await`, as `publish`.

        Returns:
            An `Outcome`, whose result is whether something was running.

        Example:
            `sse.job('import').cancel()`
        """
        return self._interrupt()

    def step(self, n: float = 1, message: str | None = None, *, exclude: Exclude = None) -> Publication:
        """Go on by `n`. Pages are updated at most ten times a second; a million steps are fine.

        It may be called anywhere, with or without `await`, as `publish`. It does not wait for `after_commit`. A task
        that awaits its steps lets other tasks run.

        Args:
            n: how much more is done.
            message: what pages show from now on; by default what they show already.
            exclude: tabs (`this_tab()`) and connections that do not get it, unless it is sent with others.

        Returns:
            A `Publication` that is done, with an empty id: the step is sent with those that follow.

        Raises:
            NotRunning: outside of the job's block.

        Example:
            `job.step(message='row 7')`
        """
        with self._guard:
            return self._set(self.done + n, None, message, exclude)

    def update(
        self, done: float, total: float | None = None, message: str | None = None, *, exclude: Exclude = None
    ) -> Publication:
        """Set how much is done, as `step` does.

        Args:
            done: how much is done.
            total: how much there is to do, if that is known now.
            message: what pages show from now on; by default what they show already.
            exclude: tabs (`this_tab()`) and connections that do not get it, unless it is sent with others.

        Returns:
            A `Publication` that is done, with an empty id: the update is sent with those that follow.

        Raises:
            NotRunning: outside of the job's block.
            ValueError: for a negative total.

        Example:
            `job.update(30, total=100)`
        """
        with self._guard:
            return self._set(done, total, message, exclude)

    async def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Yield items, with a step after each. If no total is given, it is the number of items, if they have one.

        Args:
            items: what is to be done.

        Yields:
            Each item.

        Example:
            `async for row in job.each(rows): ...`
        """
        if self.total is None and isinstance(items, Sized):
            await self.update(self.done, total=len(items))
        for item in items:
            yield item
            await self.step()

    def _set(self, done: float, total: float | None, message: str | None, exclude: Exclude) -> Publication:
        self._check_running()
        self.total = self.total if total is None else check_total(total)
        self.message = self.message if message is None else first_line(message)
        self.done = done
        self._pace.measure(done, self._works.clock())
        return self._publish_soon(exclude)

    def _restart(self) -> None:
        self.done, self.total, self.message = 0.0, self._first_total, ""
        self._pace, self._announced = Pace(self._works.clock()), ""

    async def _publish(self) -> None:
        parts = [oob(job_now(self))]
        if (announcement := announce(self)) != self._announced:
            parts.append(oob(announcement, f"{self.id}-said", "innerHTML"))
            self._announced = announcement
        await self._manager.publish(self.channel, *parts, exclude=self._exclude)


def ProgressBar(job: Job | str, *label: Any, cancel: Any = None, cls: str = "", **kwargs: Any) -> FT:
    """Show the progress of a job: how much is done, its message, the time that is left, and how it ended.

    Args:
        job: the handle (`sse.job('import')`) or its id, which becomes the id of the element.
        label: the name of the job.
        cancel: where the button to cancel it posts to: a path, or a handler. The handler decides whether to call
            `sse.job('import').cancel()`. Without it there is no button.
        cls: classes beside `sse-progress`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ChannelError, SetupError: as `SSE`.

    Example:
        `ProgressBar('import', 'Import', cancel='/cancel')`
    """
    job = bind(Job, job).present
    label = label or ("Progress",)
    label_id = f"{job.id}-label"
    button = Button("Cancel", type="button", hx_post=str(cancel), hx_swap="none", cls="sse-progress-cancel secondary")
    parts = [
        Span(*label, id=label_id, cls="sse-progress-label"),
        job_now(job),
        button if cancel is not None else None,
        P(Span(*label), " ", Span(id=f"{job.id}-said"), role="status", cls="sse-unseen"),
    ]
    attributes = {**following(job.channel), **kwargs}
    return Div(*parts, id=job.id, cls=f"sse-progress {cls}".strip(), **attributes)


def job_now(job: Job) -> FT:
    """Return the part of a progress bar that messages replace."""
    part = 0 if job.part is None and not job.running else job.part
    bar = Progress(value=None if part is None else round(part * 1_000), max=1_000, aria_labelledby=f"{job.id}-label")
    number = Span(amount(job), cls="sse-progress-amount")
    detail = Div(*join(details(job)), cls="sse-progress-detail")
    return Div(number, bar, detail, id=f"{job.id}-now", cls="sse-progress-now", data_job=job.state)


def amount(job: Job) -> str:
    """Return how much is done: a percentage, or a number if the total is not known."""
    if job.part is not None:
        return f"{int(job.part * 100)} %"
    return f"{job.done:,.0f}" if job.done else ""


def details(job: Job) -> list[Any]:
    """Return the texts below the bar."""
    left = None if job.left is None else describe_time(job.left)
    return [ending(job), *(Bdi(text) for text in (job.title, job.message) if text), *([left] if left else [])]


def join(texts: list[Any]) -> list[Any]:
    """Return the texts that are not empty, with a dot between two of them."""
    return [part for text in texts if text for part in (" · ", text)][1:]


def ending(job: Job) -> str:
    """Return how a job has ended, or that it has not begun; nothing while it runs."""
    word = WORDS.get(job.state, "")
    return f"{word}: {job.reason}" if job.reason else word


def announce(job: Job) -> str:
    """Return the few words that screen readers announce."""
    if job.state == IDLE or not job.running:
        return ending(job)
    reached = (f"{milestone} %" for milestone in MILESTONES if (job.part or 0) * 100 >= milestone)
    return next(reached, "started")


def describe_time(seconds: float) -> str:
    """Return a time that is left in words, with the precision that it has."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {math.ceil(seconds / 10) * 10} s left"
    if (minutes := round(seconds / 60)) < 60:
        return f"about {minutes} min left"
    if (hours := round(minutes / 60)) >= 48:
        return f"about {round(hours / 24)} days left"
    rest = minutes % 60 // 5 * 5
    return f"about {minutes // 60} h {rest} min left" if hours < 10 and rest else f"about {hours} h left"


def check_total(total: float | None) -> float | None:
    """Return a total.

    Raises:
        ValueError: for a negative one.
    """
    if total is not None:
        check_positive(zero=True, total=total)
    return total
