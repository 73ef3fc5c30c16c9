"""The progress of a job, in every tab."""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Iterable, Sized
from typing import Any, TypeVar

from fasthtml.common import FT, Bdi, Button, Div, P, Progress, Span

from ..html.oob import oob
from ..manager import BroadcastManager
from .element import following
from .work import DONE, IDLE, Reason, Work, Works, short, unsaid

T = TypeVar("T")

# Seconds between two messages of one job.
INTERVAL = 0.1
# Per cent at which those who do not see the bar are told.
MILESTONES = (75, 50, 25)
# Seconds before a job's pace is trusted, and over which it is smoothed at least.
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

    def see(self, done: float, now: float) -> None:
        """Take in how far the job is."""
        if (passed := now - self._last) < INTERVAL / 2:
            return
        weight = 1 - math.exp(-passed / max(SMOOTHED, (now - self._began) / 3))
        self._sum += weight * ((done - self._done) / passed - self._sum)
        self._weight += weight * (1 - self._weight)
        self._last, self._done = now, done

    def left(self, total: float, now: float) -> float | None:
        """Return the seconds until the job has done `total`; None if that cannot be told."""
        if now - self._began < TRUSTED or self._sum <= 0:
            return None
        return max(0.0, (total - self._done) * self._weight / self._sum - (now - self._last))


class Job(Work):
    """The server side of a `ProgressBar`: a job that runs as long as an `async with` block.

    It is done at the block's end, failed if the block raises, which the caller gets as ever, and cancelled if somebody
    calls `cancel()`. Its present state is known to this process, for an hour after its end.

    Attributes:
        title, total, message: what pages show.
        done: how far it is.

    Args:
        publisher: tells the pages.
        works: where it is known by its id.
        id: of the `ProgressBar`.
        total: what `done` is at the end, if that is known.
        title: what this run of it is called.
        options: `channel`, by default the id; `reason(error)`, which makes the words for pages when the block raises:
            `str` for the error's own text, of which nothing is told by default.

    Raises:
        MarkupError: for an id that selectors cannot name.
        ValueError: for a negative total.

    Example:
        `async with sse.job('import', total=len(rows)) as job: ...; await job.step()`
    """

    CALLED = "a job"

    done: float
    total: float | None
    message: str
    _pace: Pace
    _told: str

    def __init__(
        self,
        publisher: BroadcastManager,
        works: Works,
        id: str,
        *,
        total: float | None = None,
        title: str = "",
        channel: str | None = None,
        reason: Reason = unsaid,
    ) -> None:
        super().__init__(publisher, works, id, channel=channel, reason=reason, interval=INTERVAL)
        self.title, self._first_total = title, check_total(total)
        self._guard = threading.Lock()
        self._restart()

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled it: for code in threads, which no cancellation reaches."""
        return self._interrupted

    @property
    def part(self) -> float | None:
        """How much of it is done, from 0 to 1; None as long as the total is not known."""
        if self.state == DONE:
            return 1.0
        return min(1.0, max(0.0, self.done / self.total)) if self.total else None

    @property
    def left(self) -> float | None:
        """The seconds that it is about to take still; None if that cannot be told."""
        return self._pace.left(self.total, self._works.clock()) if self.running and self.total else None

    def cancel(self) -> bool:
        """Cancel what runs under this id: `asyncio.CancelledError` ends the block, and no more. From any thread.

        Returns:
            Whether something was running.
        """
        return self.interrupt()

    async def step(self, n: float = 1, message: str | None = None) -> None:
        """Go on by `n`. Pages are told at most ten times a second; a million steps are fine.

        Args:
            n: how much more is done.
            message: what pages say from now on.
        """
        self.step_threadsafe(n, message)
        await self._breathe()

    async def update(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Set how far it is.

        Args:
            done: how much is done.
            total: how much there is to do, if that is known now.
            message: what pages say from now on.

        Raises:
            ValueError: for a negative total.
        """
        self.update_threadsafe(done, total, message)
        await self._breathe()

    def step_threadsafe(self, n: float = 1, message: str | None = None) -> None:
        """Go on by `n`, as `step` does, from a thread."""
        with self._guard:
            self._set(self.done + n, None, message)

    def update_threadsafe(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Set how far it is, as `update` does, from a thread."""
        with self._guard:
            self._set(done, total, message)

    def _set(self, done: float, total: float | None, message: str | None) -> None:
        self._check_running()
        self.total = self.total if total is None else check_total(total)
        self.message = self.message if message is None else short(message)
        self.done = done
        self._pace.see(done, self._works.clock())
        self._changed()

    async def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Yield items, with a step after each; their number is the total, if they have one and none is given."""
        if self.total is None and isinstance(items, Sized):
            await self.update(self.done, total=len(items))
        for item in items:
            yield item
            await self.step()

    def _restart(self) -> None:
        self.done, self.total, self.message = 0.0, self._first_total, ""
        self._pace, self._told = Pace(self._works.clock()), ""

    async def _publish(self) -> None:
        parts = [oob(job_now(self))]
        if (said := spoken(self)) != self._told:
            parts.append(oob(said, f"{self.id}-said", "innerHTML"))
            self._told = said
        await self._publisher.publish(self.channel, *parts)


def ProgressBar(job: Job, *label: Any, cancel: Any = None, cls: str = "", **kwargs: Any) -> FT:
    """Show a job's progress: how much is done, what it says, how long it takes still, and how it ended.

    Args:
        job: the server's (`sse.job('import')`), whose id becomes the element's.
        label: what the job is called.
        cancel: where its button posts to: the path of one of your handlers, or the handler, which calls
            `sse.job('import').cancel()` if it pleases. Without it there is no button.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError, SetupError: as `SSE`.

    Example:
        `ProgressBar(sse.job('import'), 'Import', cancel='/cancel')`
    """
    job = job.present
    label = label or ("Progress",)
    named = f"{job.id}-label"
    button = Button("Cancel", type="button", hx_post=str(cancel), hx_swap="none", cls="sse-progress-cancel secondary")
    parts = [
        Span(*label, id=named, cls="sse-progress-label"),
        job_now(job),
        button if cancel is not None else None,
        P(Span(*label), " ", Span(id=f"{job.id}-said"), role="status", cls="sse-unseen"),
    ]
    attributes = {**following(job.channel), **kwargs}
    return Div(*parts, id=job.id, cls=f"sse-progress {cls}".strip(), **attributes)


def job_now(job: Job) -> FT:
    """Return the part of a progress bar that follows the job."""
    part = 0 if job.part is None and not job.running else job.part
    bar = Progress(value=None if part is None else round(part * 1_000), max=1_000, aria_labelledby=f"{job.id}-label")
    number = Span(amount(job), cls="sse-progress-amount")
    detail = Div(*separated(details(job)), cls="sse-progress-detail")
    return Div(number, bar, detail, id=f"{job.id}-now", cls="sse-progress-now", data_job=job.state)


def amount(job: Job) -> str:
    """Return how much is done: per cent, or as a number where that is not known."""
    if job.part is not None:
        return f"{int(job.part * 100)} %"
    return f"{job.done:,.0f}" if job.done else ""


def details(job: Job) -> list[Any]:
    """Return what is said below the bar."""
    left = None if job.left is None else about(job.left)
    return [ending(job), *(Bdi(text) for text in (job.title, job.message) if text), *([left] if left else [])]


def separated(texts: list[Any]) -> list[Any]:
    """Return what there is of texts, with a dot between two."""
    return [part for text in texts if text for part in (" · ", text)][1:]


def ending(job: Job) -> str:
    """Return how a job stands that does not run."""
    word = WORDS.get(job.state, "")
    return f"{word}: {job.reason}" if job.reason else word


def spoken(job: Job) -> str:
    """Return what those are told who do not see the bar: few words, seldom."""
    if job.state == IDLE or not job.running:
        return ending(job)
    reached = (f"{milestone} %" for milestone in MILESTONES if (job.part or 0) * 100 >= milestone)
    return next(reached, "started")


def about(seconds: float) -> str:
    """Return a time to wait as one would say it."""
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
    """Return a total, else raise `ValueError`."""
    if total is not None and not total >= 0:
        raise ValueError(f"total must be at least 0, not {total!r}")
    return total
