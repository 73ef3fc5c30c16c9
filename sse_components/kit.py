"""`Kit`: a manager with a method for each component. `setup_sse` returns one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .checks import check_positive
from .components.handle import Exclude, Handle, check_id
from .components.handle_registry import HandleRegistry
from .components.here import Here
from .components.live_list import ItemList
from .components.live_region import FetchedRegion, Region
from .components.live_text import Text
from .components.log_tail import Log
from .components.progress_bar import Job
from .components.sparkline import Spark
from .components.synced import Synced
from .components.toast_stack import UNSET, make_toast
from .components.token_stream import Answer
from .components.work import Reason, Work, Works, hide_reason
from .forks import Guard
from .manager import BroadcastManager
from .publication import Publication

H = TypeVar("H", bound=Handle)
T = TypeVar("T")

_making = Guard()


class Kit(BroadcastManager):
    """A manager that also returns the handles of components.

    A handle is the server side of a component: `sse.text('cpu')` is that of `LiveText(id='cpu')`. An id stands for the
    same handle wherever it is named. An option is given once, or with the same value each time; another value raises
    `HandleError`.

    Its arguments are those of `BroadcastManager`.
    """

    @property
    def handles(self) -> HandleRegistry:
        """The handles by kind and id."""
        return self._once("handles", HandleRegistry)

    @property
    def works(self) -> Works:
        """The jobs and answers that run, and the latest ones that have ended."""
        return self._once("works", Works)

    @property
    def here(self) -> Here:
        """The people and tabs in each room, for `TabCount(sse.here)` and `PresenceList(sse.here, room)`."""
        return self._once("here", lambda: Here(self))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        """Return an object that is made when it is first asked for, once, whichever threads ask."""
        key = f"_{name}"
        if key not in self.__dict__:
            with _making:
                if key not in self.__dict__:
                    self.__dict__[key] = make()
        found: T = self.__dict__[key]
        return found

    def handle(self, kind: type[H], id: str, **options: Any) -> H:
        """Return the handle of a class that an id stands for.

        Args:
            kind: `Job`, `Answer`, `Log`, `Spark`, `Text`, `ItemList` or `Synced`.
            id: the id of the component.
            options: those of the method for this class, such as `log`; None for one that is not given.

        Raises:
            TypeError: for another class, or another option.
            HandleError, MarkupError, ValueError: as the method.
        """
        methods: dict[type[Handle], Callable[..., Any]] = {
            Job: self.job,
            Answer: self.tokens,
            Log: self.log,
            Spark: self.sparkline,
            Text: self.text,
            ItemList: self.list,
            Synced: self.synced,
        }
        if kind not in methods:
            raise TypeError(f"an id stands for one of {', '.join(each.__name__ for each in methods)}, not {kind!r}")
        return methods[kind](id, **options)  # type: ignore[no-any-return]

    def forget(self, handle: Handle) -> None:
        """Let go of a handle: of the data that it holds, and of its options. Pages keep what they show.

        Args:
            handle: the handle. Its id stands for a new one afterwards.

        Raises:
            AlreadyRunning: for a job or an answer that has not ended.

        Example:
            `sse.forget(sse.log('build-7'))`
        """
        if isinstance(handle, Work):
            self.works.forget(handle)
        self.handles.forget(handle)

    def job(
        self,
        id: str,
        *,
        total: float | None = None,
        title: str = "",
        channel: str | None = None,
        reason: Reason = hide_reason,
    ) -> Job:
        """Return the handle of a `ProgressBar`: a job to run, or what runs, or has run last, under this id.

        Args:
            id: the id of the `ProgressBar`.
            total: how much there is to do, if that is known.
            title: the name of this run.
            channel: the channel that the `ProgressBar` follows; by default the id.
            reason: returns, sync or async, what pages show of an error that ends the job: `str` for the error's own
                text. By default they show no details.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another channel than before.
            ValueError: for a negative total.

        Example:
            `async with sse.job('import', total=3) as job: job.step(message='the first')`
        """
        options = self.handles.agree(Job, id, channel=channel)
        return Job(self, self.works, id, total=total, title=title, reason=reason, **options)

    def tokens(self, id: str, *, channel: str | None = None, reason: Reason = hide_reason) -> Answer:
        """Return the handle of a `TokenStream`: an answer to give, or the one that is given, or was given last.

        Args:
            id: the id of the `TokenStream`.
            channel: the channel that the `TokenStream` follows; by default the id.
            reason: returns, sync or async, what pages show of an error that ends the answer: `str` for the error's own
                text. By default they show no details.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another channel than before.

        Example:
            `await sse.tokens('answer').stream(model(prompt))`
        """
        options = self.handles.agree(Answer, id, channel=channel)
        return Answer(self, self.works, id, reason=reason, **options)

    def log(
        self, id: str, *, channel: str | None = None, max_lines: int | None = None, interval: float | None = None
    ) -> Log:
        """Return the handle of a `LogTail`. It holds lines, and is kept until it is forgotten.

        Args:
            id: the id of the `LogTail`.
            channel: the channel that the `LogTail` follows; by default the id.
            max_lines: the number of lines that it holds and shows; by default 500.
            interval: seconds between two messages, at least; by default 0.1.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another option than before, or for one handle too many.
            ValueError: for a number that is not allowed.

        Example:
            `sse.log('build').write('compiled', level='info')`
        """
        make = partial(Log, self, id)
        return self.handles.get(Log, id, make, channel=channel, max_lines=max_lines, interval=interval)

    def sparkline(
        self,
        id: str,
        *,
        label: str | None = None,
        length: int | None = None,
        unit: str | None = None,
        low: float | None = None,
        high: float | None = None,
        width: int | None = None,
        height: int | None = None,
        latest: bool | None = None,
        channel: str | None = None,
        interval: float | None = None,
    ) -> Spark:
        """Return the handle of a `Sparkline`. It holds values, and is kept until it is forgotten.

        Args:
            id: the id of the `Sparkline`.
            label: what it shows, such as `'Processor'`; by default the id.
            length: the number of values that it holds and shows; by default 60.
            unit: the text behind each number, such as `' %'`.
            low: the value at the lower edge; by default the lowest.
            high: the value at the upper edge; by default the highest.
            width: the width of the drawing in pixels; by default 160.
            height: the height of the drawing in pixels; by default 40.
            latest: whether the latest value is shown beside the line; by default it is.
            channel: the channel that the `Sparkline` follows; by default the id.
            interval: seconds between two messages, at least; by default 0.1.

        Raises:
            MarkupError: for an id that a selector cannot name, or a `low` that is not less than `high`.
            HandleError: for another option than before, or for one handle too many.
            ValueError: for a number that is not allowed.

        Example:
            `sse.sparkline('load', label='Load').push(0.7)`
        """
        options = {name: value for name, value in locals().items() if name not in ("self", "id")}
        return self.handles.get(Spark, id, partial(Spark, self, id), **options)

    def toast(
        self,
        *content: Any,
        level: str = "info",
        timeout: float | None = UNSET,
        user: Any = UNSET,
        session: Any = UNSET,
        tab: str | None = UNSET,
        exclude: Exclude = None,
    ) -> Publication:
        """Show a toast in every tab that has a `ToastStack`, or in those of one user, one session, or in one tab.

        It may be called anywhere, with or without `await`, as `publish`.

        Args:
            content: texts and elements.
            level: `'info'`, `'success'`, `'warning'` or `'error'`.
            timeout: seconds until it disappears; None: when somebody closes it. By default the level decides.
            user: the only user who gets it, as in `request.scope['auth']`.
            session: the session of the present request, or `this_session()` of an earlier one: the only browser that
                gets it, as long as the same user, or nobody, is signed in there.
            tab: the only tab that shows it: `this_tab()`. If that is None, all tabs of the request's session show it.
            exclude: tabs and connections that do not get it.

        Returns:
            A `Publication`, as `publish` returns it.

        Raises:
            MarkupError: for an unknown level, more than one recipient, or a recipient that is None.
            IdentityError: for a user that names nobody.
            SetupError: for the session of another request.
            ValueError: for a timeout that is not above 0.
            NotRunning, MessageTooLarge: as `publish`.

        Example:
            `sse.toast('Saved', level='success', session=session)`
        """
        toast = make_toast(content, level=level, timeout=timeout, user=user, session=session, tab=tab)
        return self.publish(toast.channel, toast.element, exclude=exclude, **toast.options)

    def synced(self, id: str, *, channel: str | None = None) -> Synced:
        """Return the handle of a `SyncedInput` or a `SyncedToggle`.

        Args:
            id: the id of the field.
            channel: the channel that the field follows; by default the id.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another channel than before.

        Example:
            `sse.synced('title').set(title)`
        """
        return self.handles.get(Synced, id, partial(Synced, self, id), channel=channel)

    def text(self, id: str, *, channel: str | None = None, interval: float | None = None) -> Text:
        """Return the handle of a `LiveText`.

        Args:
            id: the id of the `LiveText`.
            channel: the channel that the `LiveText` follows; by default the id.
            interval: seconds between two messages, at least; by default 0.1.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another option than before.
            ValueError: for an interval that is not above 0.

        Example:
            `sse.text('cpu').set('42 %')`
        """
        return self.handles.get(Text, id, partial(Text, self, id), channel=channel, interval=interval)

    def list(self, id: str, *, channel: str | None = None) -> ItemList:
        """Return the handle of a `LiveList`.

        Args:
            id: the id of the `LiveList`.
            channel: the channel that the `LiveList` follows; by default the id.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another channel than before.

        Example:
            `sse.list('todos').append(Li('milk', id='todo-1'))`
        """
        return self.handles.get(ItemList, id, partial(ItemList, self, id), channel=channel)

    def refresh(self, id: str, *, channel: str | None = None, exclude: Exclude = None) -> Publication:
        """Have each tab fetch its `LiveRegion(id=..., fetch=...)` again, for its own user.

        It may be called anywhere, with or without `await`, as `publish`. Calls within 0.1 seconds are one. Tabs of many
        browsers do not ask at the same moment. Focus, caret, scroll position and what is typed are kept.

        Args:
            id: the id of the region.
            channel: the channel that it follows; by default the id.
            exclude: tabs (`this_tab()`) and connections that do not fetch it.

        Returns:
            A `Publication`. Its id is empty if the message is published later.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another channel than before.
            NotRunning: before start-up or after shutdown.

        Example:
            `sse.refresh('orders')`
        """
        region = self.handles.get(FetchedRegion, id, partial(FetchedRegion, self, id), channel=channel)
        return region.refresh(exclude=exclude)

    def region(
        self, id: str, *, channel: str | None = None, interval: float | None = None
    ) -> Callable[[Callable[[], Any]], Region]:
        """Return a decorator that makes a region of a function: call the region in a page, and its `refresh()` later.

        Args:
            id: the id of the `LiveRegion`.
            channel: the channel that the `LiveRegion` follows; by default the id.
            interval: seconds between two messages, at least; by default 0.1.

        Raises:
            MarkupError: for an id that a selector cannot name.
            HandleError: for another option than before.
            ValueError: for an interval that is not above 0.

        Example:
            `board = sse.region('board')(render_board)`
        """
        if interval is not None:
            check_positive(interval=interval)
        options = self.handles.agree(Region, check_id(id, Region.KIND), channel=channel, interval=interval)
        return lambda render: Region(self, id, render, **options)
