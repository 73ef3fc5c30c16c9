"""What fields that are the same in all tabs have in common: their handle, and how they are kept the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fasthtml.common import FT, Data, Script, Span

from ..errors import MarkupError
from ..html.assets import asset_url
from ..html.page_context import kit_prefix, page_namespace
from ..protocol import SAID_ATTRIBUTE, SYNCED_ATTRIBUTE
from ..publication import Publication
from .element import following
from .handle import Exclude, Handle
from .handle_registry import address

Scope = Literal["browser", "server"]


class Synced(Handle):
    """The server side of a `SyncedInput` or a `SyncedToggle` with `scope='server'`. `sse.synced(id)` returns it.

    Attributes:
        id: the id of the field.
        channel: the channel that the field follows.

    Args:
        manager: publishes the values.
        id: the id of the field.
        channel: the channel that it follows; by default the id.

    Raises:
        MarkupError: for an id that a selector cannot name.

    Example:
        `sse.synced('title').set(title)`
    """

    KIND = "a synced field"

    def set(self, value: str | float | bool, *, exclude: Exclude = None) -> Publication:
        """Give the field a value in all tabs.

        It may be called anywhere, with or without `await`, as `publish`. Do not exclude the tab that has sent the
        value: by this message it knows that what came before is older.

        Args:
            value: text, a number, or whether a switch is on.
            exclude: tabs and connections that do not get it.

        Returns:
            A `Publication`: its result is the event's id.

        Raises:
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.synced('title').set(title)`
        """
        data = Data(value=as_text(value))
        return self._publish_out_of_band(data, target=value_id(self.id), swap="innerHTML", exclude=exclude)


def as_text(value: Any) -> str:
    """Return the value of a field as its script writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def sync_attributes(scope: str, key: str, id: str | None, *, trigger: str) -> dict[str, Any]:
    """Return the attributes by which a field is kept the same.

    Args:
        scope: `'browser'` or `'server'`.
        key: the name under which a browser remembers the value.
        id: the id of the field.
        trigger: when the field sends its value to the server.

    Raises:
        MarkupError: for an unknown scope.
    """
    # A browser that restores what was typed before a reload would hide the value from the server, and would show in the
    # next user's page what the last one has typed there.
    common = {"id": id, "autocomplete": "off"}
    if scope == "browser":
        return {**common, SYNCED_ATTRIBUTE: key}
    if scope != "server":
        raise MarkupError(f"scope must be 'browser' or 'server', not {scope!r}")
    return {**common, "hx_trigger": trigger, "hx_swap": "none"}


def stored_key(prefix: str, key: str, *, by_user: bool = True) -> str:
    """Return the name under which a browser stores a value: of this application and mount, and of this user.

    Args:
        prefix: of the kind of value.
        key: the application's name for it.
        by_user: whether each user has another one.
    """
    namespace = page_namespace()
    return f"{prefix}{namespace if by_user else namespace.partition('.')[0]}:{key}"


def field_address(scope: str, id: Synced | str | None, channel: str | None) -> tuple[str | None, str]:
    """Return the id and the channel of a field. A field of the browser may have no id, and follows no channel.

    Raises:
        MarkupError: with `scope='server'`, for a missing id, or one that a selector cannot name.
        HandleError: for another channel than the handle's.
    """
    if scope == "server" or isinstance(id, Synced):
        return address(Synced, id, channel, "scope='server'")
    return id, ""


def enclose(tag: Callable[..., FT], inside: list[Any], value: str, scope: str, id: str | None, channel: str) -> FT:
    """Return the element around a field. With `scope='server'` it follows the field's channel.

    Args:
        tag: makes the element.
        inside: the field and its label.
        value: the present value, as text.
        scope: `'browser'` or `'server'`.
        id: the id of the field.
        channel: the channel of the field.
    """
    if scope == "browser":
        return tag(*inside, cls="sse-synced")
    received = Span(Data(value=value), id=value_id(str(id)), hidden=True)
    return tag(*inside, received, cls="sse-synced", **{SAID_ATTRIBUTE: True, **following(channel)})


def value_id(id: str) -> str:
    """Return the id of the element that receives a field's values from the server."""
    return f"{id}-said"


def early_script() -> FT:
    """Return the script that gives the field before it the remembered value before the page is painted."""
    return Script(src=asset_url("components/synced-early.js", kit_prefix()))
