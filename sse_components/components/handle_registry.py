"""The handles of an application by kind and id: an id stands for the same handle wherever it is named."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable
from weakref import WeakValueDictionary

from ..errors import HandleError, MarkupError, SetupError
from ..forks import Guard
from ..html.granted import present_manager
from .handle import Handle, check_id

H = TypeVar("H", bound=Handle)
Key = tuple[type[Handle], str]

# Handles that hold data, and ids whose options are remembered though their handles hold none.
MAX_HANDLES, MAX_OPTIONS = 10_000, 10_000


class HandleRegistry:
    """Handles by kind and id.

    A handle that holds data, such as a `Log`, is kept until it is forgotten. Any other handle lives as long as somebody
    uses it. The options of the latest 10,000 ids are remembered, so that an option is given once, or the same each
    time.

    Args:
        max_handles: the number of handles that may hold data.
        max_options: the number of other ids whose options are remembered.
    """

    def __init__(self, max_handles: int = MAX_HANDLES, max_options: int = MAX_OPTIONS) -> None:
        self.max_handles, self.max_options = max_handles, max_options
        self._kept: dict[Key, Handle] = {}
        self._in_use: WeakValueDictionary[Key, Handle] = WeakValueDictionary()
        self._options: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._lock = Guard()

    def get(self, kind: type[H], id: str, make: Callable[..., H], **options: Any) -> H:
        """Return the handle that an id stands for.

        Args:
            kind: the class of the handle.
            id: the id of the component.
            make: makes the handle, if there is none, of the options that are given.
            options: options of the handle; None for one that is not given.

        Raises:
            HandleError: if an option has another value already, or for one handle too many.
            MarkupError, ValueError: what `make` raises.
        """
        key, given = (kind, id), {name: value for name, value in options.items() if value is not None}
        with self._lock:
            before = self._given(key)
            check_same(kind, id, before, given)
            handle: Any = self._in_use.get(key)
            if handle is None:
                self._check_room(kind)
                handle = make(**{**before, **given})
            else:
                handle.configure(**{name: value for name, value in given.items() if name not in before})
            handle.given = {**before, **given}
            self._remember(key, handle)
        return handle  # type: ignore[no-any-return]

    def agree(self, kind: type[Handle], id: str, **options: Any) -> dict[str, Any]:
        """Return the options of an id, those of earlier calls among them, and remember them.

        Args:
            kind: the class of the handle.
            id: the id of the component.
            options: options of the handle; None for one that is not given.

        Raises:
            HandleError: if an option has another value already.
        """
        key, given = (kind, id), {name: value for name, value in options.items() if value is not None}
        with self._lock:
            before = self._given(key)
            check_same(kind, id, before, given)
            self._remember_options(key, {**before, **given})
        return {**before, **given}

    def options(self, kind: type[Handle], id: str) -> dict[str, Any]:
        """Return the options that have been given for an id."""
        with self._lock:
            return dict(self._given((kind, id)))

    def forget(self, handle: Handle) -> None:
        """Let go of a handle, of what it holds, and of its options. Its id may be used for another one."""
        key = type(handle), handle.id
        with self._lock:
            for remembered in (self._kept, self._in_use, self._options):
                remembered.pop(key, None)

    def _given(self, key: Key) -> dict[str, Any]:
        handle = self._in_use.get(key)
        return handle.given if handle is not None else self._options.get(key, {})

    def _check_room(self, kind: type[Handle]) -> None:
        if kind.HOLDS_DATA and len(self._kept) >= self.max_handles:
            raise HandleError(f"there are {self.max_handles} handles that hold data already: forget(handle) frees one")

    def _remember(self, key: Key, handle: Handle) -> None:
        self._in_use[key] = handle
        if handle.HOLDS_DATA:
            self._kept[key] = handle
        else:
            self._remember_options(key, handle.given)

    def _remember_options(self, key: Key, options: dict[str, Any]) -> None:
        if options:
            self._options[key] = options
            self._options.move_to_end(key)
            if len(self._options) > self.max_options:
                self._options.popitem(last=False)


@runtime_checkable
class HasHandles(Protocol):
    """A manager that has handles, such as a `Kit`."""

    @property
    def handles(self) -> HandleRegistry:
        """The handles by kind and id."""
        ...

    def handle(self, kind: type[H], id: str, **options: Any) -> H:
        """Return the handle of a kind that an id stands for."""
        ...


def check_same(kind: type[Handle], id: str, before: dict[str, Any], given: dict[str, Any]) -> None:
    """Check that no option is given a second time with another value.

    Raises:
        HandleError: for the first such option, with both values.
    """
    for name, value in given.items():
        if name in before and before[name] != value:
            raise HandleError(
                f"{kind.__name__} {id!r} has {name}={before[name]!r} already, and cannot have {name}={value!r}:"
                " give an option once, or the same each time"
            )


def bind(kind: type[H], handle: H | str, *, also: Handle | str | None = None, **options: Any) -> H:
    """Return the handle of a component, which is given itself or by its id.

    Args:
        kind: the class of the handle.
        handle: the handle, or the id that stands for it in the application of the present request.
        also: the argument `id` of the component, if it has one.
        options: options of the handle that are given to the component; None for one that is not given.

    Raises:
        MarkupError: for an id that a selector cannot name, or a handle of another kind.
        HandleError: for another id or option than the handle has.
        SetupError: for an id outside of a request, or if the application's manager is no `Kit`.
    """
    id = named(kind, handle)
    if also is not None:
        check_same(kind, id, {"id": id}, {"id": named(kind, also)})
    if isinstance(handle, kind):
        given = {name: value for name, value in options.items() if value is not None}
        check_same(kind, id, {name: handle.option(name) for name in given}, given)
        return handle
    present_manager()  # for its error, outside of a request
    if (kit := kit_of_page()) is None:
        raise SetupError(f"the id {id!r} stands for a handle of a Kit, which this app does not have: pass the handle")
    return kit.handle(kind, id, **options)


def kit_of_page() -> HasHandles | None:
    """Return the manager of the present request's application, if it has handles."""
    try:
        manager = present_manager()
    except SetupError:
        return None
    return manager if isinstance(manager, HasHandles) else None


def address(kind: type[Handle], handle: Handle | str | None, channel: str | None, what: str) -> tuple[str, str]:
    """Return the id and the channel by which a component is updated.

    Args:
        kind: the class of the component's handle.
        handle: the handle, or the id of the component.
        channel: the channel that is given; None for the handle's.
        what: what errors call the component.

    Raises:
        MarkupError: for an id that a selector cannot name, or a handle of another kind.
        HandleError: for another channel than the handle has.
    """
    id = named(kind, handle, what)
    kit = kit_of_page()
    known: str | None = None
    if isinstance(handle, Handle):
        known = handle.channel
    elif kit is not None:
        known = kit.handles.options(kind, id).get("channel")
    if known is not None and channel is not None:
        check_same(kind, id, {"channel": known}, {"channel": channel})
    return id, channel or known or id


def named(kind: type[Handle], handle: Handle | str | None, what: str = "") -> str:
    """Return the id of a handle of a kind, or an id that is given itself.

    Raises:
        MarkupError: for an id that a selector cannot name, or a handle of another kind.
    """
    if isinstance(handle, Handle) and not isinstance(handle, kind):
        raise MarkupError(f"{what or 'this component'} shows {kind.KIND}, not {handle.KIND}")
    return check_id(handle.id if isinstance(handle, Handle) else handle, what or kind.KIND)
