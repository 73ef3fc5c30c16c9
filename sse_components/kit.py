"""The manager with a method for each component: what `setup_sse` returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from .components.handles import Handles
from .components.live_content import ItemList, Region, Text
from .components.log_tail import Log
from .components.presence import Here
from .components.progress import Job
from .components.sparkline import Spark
from .components.synced import Synced
from .components.toasts import UNSET, prepared
from .components.token_stream import Answer
from .components.work import Works
from .manager import BroadcastManager
from .publication import Publication


class Kit(BroadcastManager):
    """A manager that also has the server side of each component.

    Its arguments are those of `BroadcastManager`.
    """

    @cached_property
    def _handles(self) -> Handles:
        return Handles()

    @cached_property
    def _works(self) -> Works:
        return Works()

    @cached_property
    def here(self) -> Here:
        """Who is here: for `TabCount(sse.here)` and `PresenceList(sse.here, room)`."""
        return Here(self)

    def job(self, id: str, *, total: float | None = None, title: str = "", **options: Any) -> Job:
        """Return the server side of a `ProgressBar`: a job to run, or what runs, or has run last, under this id.

        Args:
            id: of the `ProgressBar`.
            total: how much there is to do, if that is known.
            title: what this run is called.
            options: of `Job`: `channel`, `reason`.

        Example:
            `async with sse.job('import', total=3) as job: await job.step(message='the first')`
        """
        return Job(self, self._works, id, total=total, title=title, **options)

    def tokens(self, id: str, **options: Any) -> Answer:
        """Return the server side of a `TokenStream`: an answer to give, or the one that is given, or was given last.

        Args:
            id: of the `TokenStream`.
            options: of `Answer`: `channel`, `reason`.

        Example:
            `await sse.tokens('answer').stream(model(prompt))`
        """
        return Answer(self, self._works, id, **options)

    def log(self, id: str, **options: Any) -> Log:
        """Return the server side of the `LogTail` with an id: the same one each time; options count the first time.

        Args:
            id: of the `LogTail`.
            options: of `Log`: `max_lines`, `channel`, `interval`.

        Example:
            `await sse.log('build').write('compiled', level='info')`
        """
        return self._handles.get(Log, id, lambda: Log(self, id, **options))

    def sparkline(self, id: str, **options: Any) -> Spark:
        """Return the server side of the `Sparkline` with an id: the same one each time; options count the first time.

        Args:
            id: of the `Sparkline`.
            options: of `Spark`: `label`, `length`, `unit`, `low`, `high`, ...

        Example:
            `await sse.sparkline('load', label='Load').push(0.7)`
        """
        return self._handles.get(Spark, id, lambda: Spark(self, id, **options))

    def toast(
        self,
        *content: Any,
        level: str = "info",
        timeout: float | None = UNSET,
        user: Any = UNSET,
        session: Any = UNSET,
        tab: str | None = UNSET,
    ) -> Publication:
        """Show a toast in every tab that has a `ToastStack`, or in those of one user, one session, or in one tab.

        Args:
            content: texts and elements.
            level: `'info'`, `'success'`, `'warning'` or `'error'`.
            timeout: seconds until it goes away; None: when it is closed. By default as its level has it.
            user: the only one to get it, as in `request.scope['auth']`.
            session: the request's session, or the kit's id of one: the only browser to get it.
            tab: the only tab to get it: `this_tab()`. If that is None, all tabs of the request's session get it.

        Returns:
            A `Publication`, as `publish` does.

        Raises:
            MarkupError: for an unknown level, a time-out of 0 seconds, or an addressee that is None.
            NotRunning, MessageTooLarge: as `publish`.

        Example:
            `sse.toast('Saved', level='success', session=session)`
        """
        toast = prepared(content, level=level, timeout=timeout, user=user, session=session, tab=tab)
        return self.publish(toast.channel, toast.element, **toast.options)

    def synced(self, id: str, *, channel: str | None = None) -> Synced:
        """Return the server side of the `SyncedInput` or `SyncedToggle` with an id.

        Args:
            id: of the field.
            channel: the one that the field follows; by default the id.

        Example:
            `await sse.synced('title').set(title)`
        """
        return Synced(self, id, channel=channel)

    def text(self, id: str, **options: Any) -> Text:
        """Return the server side of the `LiveText` with an id: the same one each time; options count the first time.

        Args:
            id: of the `LiveText`.
            options: of `Text`: `channel`, `interval`.

        Example:
            `await sse.text('cpu').set('42 %')`
        """
        return self._handles.get(Text, id, lambda: Text(self, id, **options))

    def list(self, id: str, *, channel: str | None = None) -> ItemList:
        """Return the server side of the `LiveList` with an id.

        Args:
            id: of the `LiveList`.
            channel: by default the id.

        Example:
            `await sse.list('todos').append(Li('milk', id='todo-1'))`
        """
        return ItemList(self, id, channel=channel)

    def region(self, id: str, **options: Any) -> Callable[[Callable[[], Any]], Region]:
        """Make of a function, by this decorator, a region of pages: call it in a page, and `await its.refresh()`.

        Args:
            id: of the `LiveRegion`.
            options: of `Region`: `channel`, `interval`.

        Example:
            `board = sse.region('board')(render_board)`
        """
        return lambda render: Region(self, id, render, **options)
