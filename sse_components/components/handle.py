"""The base of all handles. A handle is the server side of a component: a handler changes by it what pages show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from ..errors import MarkupError
from ..html.oob import named_id
from ..manager import BroadcastManager
from ..publication import Publication

# Who does not get a message: a tab, the id of a connection, several of either, or None for nobody.
Exclude = str | Iterable[str | None] | None


def check_id(id: Any, what: str) -> str:
    """Return an id that a CSS selector can name, without `#`.

    Raises:
        MarkupError: for anything else.
    """
    found = named_id(id)
    if found is None:
        raise MarkupError(f"{what} needs an id of letters, digits, - and _ to be updated by, not {id!r}")
    return found


class Handle:
    """The server side of a component.

    Attributes:
        KIND: what errors call it.
        HOLDS_DATA: whether it remembers what pages show. Such a handle is kept until it is forgotten.
        id: the id of the component.
        channel: the channel that the component follows.
        given: the options that the application has given, by name.

    Args:
        manager: publishes the updates.
        id: the id of the component.
        channel: the channel that the component follows; by default the id.

    Raises:
        MarkupError: for an id that a selector cannot name.
    """

    KIND: ClassVar[str] = "a handle"
    HOLDS_DATA: ClassVar[bool] = False

    def __init__(self, manager: BroadcastManager, id: str, *, channel: str | None = None) -> None:
        self.id = check_id(id, self.KIND)
        self.channel = channel or self.id
        self.given: dict[str, Any] = {}
        self._manager = manager

    @property
    def described(self) -> str:
        """What the log calls it."""
        return f"{type(self).__name__} {self.id!r} (channel {self.channel!r})"

    def option(self, name: str) -> Any:
        """Return an option, by its name."""
        return getattr(self, name)

    def configure(self, **options: Any) -> None:
        """Change options of the handle, by name.

        Args:
            options: those of the handle's class.

        Raises:
            ValueError: for a value that the option cannot have.
        """
        for name, value in options.items():
            setattr(self, name, value)

    def _publish_out_of_band(self, *elements: Any, target: str, swap: str, exclude: Exclude = None) -> Publication:
        return self._manager.publish(self.channel, *elements, target=target, swap=swap, exclude=exclude)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"
