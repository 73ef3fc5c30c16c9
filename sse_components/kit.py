"""What a manager offers for the components: their server side, one method each."""

from __future__ import annotations

import asyncio
import concurrent.futures
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
from .errors import NotRunning
from .publisher import Publisher
from .transactions import AfterCommit, Outbox


class Live(Publisher):
    """The part of a manager that knows the components; whoever inherits it publishes as `Publisher` says."""

    _loop: asyncio.AbstractEventLoop | None  # in which whoever inherits this runs
    _outbox: Outbox  # what whoever inherits this publishes by

    # ------------------------------------------------------------------ components

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

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop in which it publishes.

        Raises:
            NotRunning: before start-up and after shutdown.
        """
        if self._loop is None or self._loop.is_closed():
            raise NotRunning("components are updated between the application's start-up and its shutdown")
        return self._loop

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

    async def toast(
        self,
        *content: Any,
        level: str = "info",
        timeout: float | None = UNSET,
        user: Any = UNSET,
        session: Any = UNSET,
        tab: str | None = UNSET,
    ) -> str:
        """Show a toast in every tab that has a `ToastStack`, or in those of one user, one session, or in one tab.

        Args:
            content: texts and elements.
            level: `'info'`, `'success'`, `'warning'` or `'error'`.
            timeout: seconds until it goes away; None: when it is closed. By default as its level has it.
            user: the only one to get it, as in `request.scope['auth']`.
            session: the request's session, or the kit's id of one: the only browser to get it.
            tab: the only tab to get it: `this_tab()`. If that is None, all tabs of the request's session get it.

        Returns:
            The event's id, as `publish` does.

        Raises:
            MarkupError: for an unknown level, a time-out of 0 seconds, or an addressee that is None.
            NotRunning, MessageTooLarge: as `publish`.

        Example:
            `await sse.toast('Saved', level='success', session=session)`
        """
        toast = prepared(content, level=level, timeout=timeout, user=user, session=session, tab=tab)
        return await self.publish(toast.channel, toast.element, **toast.options)

    def toast_threadsafe(self, *content: Any, **options: Any) -> concurrent.futures.Future[str]:
        """Show a toast from a sync handler, a thread or a job, as `toast` does."""
        toast = prepared(content, **options)
        return self.publish_threadsafe(toast.channel, toast.element, **toast.options)

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

    def after_commit(self, db: Any) -> AfterCommit:
        """Return a transaction, for `with` or `async with`, whose publications wait until it is committed.

        What is published inside, by `publish`, `publish_threadsafe` or a component's handle, goes out after the commit,
        in order, and before what is published later. When the block raises, or the commit fails, the database is
        rolled back and nothing goes out. Inside, `publish` returns an empty id. `broadcast` does not wait.

        A block inside of another one for the same connection is a part of it: when it raises, its part is undone, and
        what it has published is dropped; the rest is decided by the one around.

        Blocks take turns with a connection. In an `async` handler, `with` is for a block that awaits nothing but
        publications; `async with` lets others run, and waits for its turn. Statements that others execute on the same
        connection meanwhile, without a block, become part of the transaction.

        Args:
            db: a fastlite database, or a connection of `sqlite3` or `apsw`.

        Raises:
            TypeError: for anything else.
            RuntimeError: on entering, if the connection is in a transaction already, or if `with` would wait for ever.

        Example:
            `with sse.after_commit(db): todos.insert(todo); await sse.list('todos').append(item(todo))`
        """
        return AfterCommit(db, self._outbox)
