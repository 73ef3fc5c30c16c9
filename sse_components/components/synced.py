"""A field or a switch that is the same in all tabs, of one browser or of everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from fasthtml.common import FT, Data, Div, Input, Label, Script, Span, Textarea

from ..errors import MarkupError
from ..html.assets import asset_url
from ..html.page_context import kit_prefix
from ..protocol import (
    FIELD_KEY,
    MEDIA_ATTRIBUTE,
    OFF_ATTRIBUTE,
    ON_ATTRIBUTE,
    ROOT_ATTRIBUTE,
    SAID_ATTRIBUTE,
    SYNCED_ATTRIBUTE,
)
from .element import following
from .handles import Handle, check_id

Scope = Literal["browser", "server"]

# What a browser remembers of switches begins so; it is kept when the user signs out.
SWITCH_KEY = "sse:switch:"
DARK = "(prefers-color-scheme: dark)"


class Synced(Handle):
    """The server side of a `SyncedInput` or a `SyncedToggle` with `scope='server'`.

    Args:
        publisher: tells the tabs.
        id: of the field.
        channel: by default the id.

    Raises:
        MarkupError: for an id that selectors cannot name.
    """

    CALLED = "a synced field"

    async def set(self, value: str | float | bool) -> str:
        """Let the field hold a value in all tabs, and return the event's id.

        The tab that the value comes from is told, too: that tells it that what it was told before is older.

        Raises:
            What `publish` does.
        """
        said = Data(value=as_text(value))
        return await self._publisher.publish(self.channel, said, target=said_id(self.id), swap="innerHTML")


def SyncedInput(
    name: str,
    *label: Any,
    value: str | float = "",
    scope: Scope = "browser",
    rows: int | None = None,
    key: str | None = None,
    id: str | None = None,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a field that is the same in all tabs.

    Of several tabs that type at once the last one wins, in all of them. A change from elsewhere leaves the caret where
    it is, and waits for a word that is being typed.

    Args:
        name: the field's name.
        label: its label; without one, give `aria_label`.
        value: what it holds; with `scope='browser'`, as long as nobody has typed.
        scope: `'browser'`: the tabs of this browser, without the server, and remembered, until the user signs out where
            the page says so (`SessionGuard`). `'server'`: all tabs of everybody; post it with `hx_post=handler`, and
            let the handler `await sse.synced(id).set(value)`.
        rows: lines of a `Textarea`; without it, the field is an `Input`.
        key: name under which a browser remembers it; by default `name`.
        id: the field's id; `scope='server'` needs it.
        channel: where the server tells of changes; by default the id.
        cls: classes beside `sse-synced-input`.
        kwargs: any attribute of the field.

    Raises:
        MarkupError: for an unknown scope, a password, or `scope='server'` without an id that selectors can name.
        SetupError: with `scope='server'`, outside of a request of an app with `setup_sse`.

    Example:
        `SyncedInput('title', 'Title', id='title', value=doc.title, scope='server', hx_post=save)`
    """
    if kwargs.get("type") == "password":
        raise MarkupError("a password is nothing for other tabs: use a plain Input(type='password')")
    text = as_text(value)
    attributes = {"name": name, "cls": f"sse-synced-input {cls}".strip()}
    wiring = wired(scope, FIELD_KEY + (key or name), id, sending="input delay:300ms")
    if rows is None:
        field = Input(**{"type": "text", **attributes, **wiring, "value": text, **kwargs})
    else:  # a parser takes the first newline away
        field = Textarea("\n" + text, **{**attributes, **wiring, "rows": rows, **kwargs})
    early = [early_script()] if scope == "browser" else []
    inside = [Span(*label), field, *early] if label else [field, *early]
    return whole(Label if label else Div, inside, text, scope, id, channel)


def SyncedToggle(
    *label: Any,
    name: str | None = None,
    checked: bool = False,
    attribute: str | None = None,
    on: str = "on",
    off: str = "off",
    media: str | None = None,
    scope: Scope = "browser",
    key: str | None = None,
    id: str | None = None,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a switch that is the same in all tabs, and may drive an attribute of `<html>`, such as the page's theme.

    Args:
        label: its label; without one, give `aria_label`.
        name: the field's name; it is not needed with `attribute`.
        checked: whether it is on; with `scope='browser'`, as long as nobody has chosen.
        attribute: an attribute of `<html>` that says `on` or `off`: `data-...`, or `class`, which gets a class. It is
            there before what comes after the switch is painted: so place the switch at the beginning of the page.
        on: the attribute's value when it is on.
        off: the attribute's value when it is off.
        media: a media query that says whether it is on, as long as nobody has chosen; by default, with `on='dark'`,
            whether the system is dark.
        scope: `'browser'` or `'server'`, as `SyncedInput` has it.
        key: name under which a browser remembers it; by default the name, or the attribute.
        id: the switch's id; `scope='server'` needs it.
        channel: where the server tells of changes; by default the id.
        cls: classes beside `sse-synced-toggle`.
        kwargs: any attribute of the switch.

    Raises:
        MarkupError: what `SyncedInput` does; for neither name nor attribute, and for an attribute that is not allowed.
        SetupError: as `SyncedInput` does.

    Example:
        `SyncedToggle('Dark theme', attribute='data-theme', on='dark', off='light')`
    """
    if not (key or name or attribute):
        raise MarkupError("a switch needs a name=, or the attribute= that it stands for")
    shown = {"type": "checkbox", "role": "switch", "name": name, "cls": f"sse-synced-toggle {cls}".strip()}
    wiring = wired(scope, SWITCH_KEY + str(key or name or attribute), id, sending="change")
    if attribute:
        system = media or (DARK if on == "dark" else None)
        wiring |= {ROOT_ATTRIBUTE: check_attribute(attribute), ON_ATTRIBUTE: on, OFF_ATTRIBUTE: off}
        wiring |= {MEDIA_ATTRIBUTE: system if scope == "browser" else None}
    field = Input(**{**shown, **wiring, "checked": bool(checked), **kwargs})
    early = [early_script()] if scope == "browser" or attribute else []
    return whole(Label if label else Div, [field, *early, *label], as_text(bool(checked)), scope, id, channel)


def check_attribute(name: str) -> str:
    """Return the name of an attribute that a switch may drive, else raise `MarkupError`."""
    if re.fullmatch(r"class|data-[\w.-]+", name):
        return name
    raise MarkupError(f"a switch may drive an attribute data-..., or class, not {name!r}")


def as_text(value: Any) -> str:
    """Return what a field holds as its script writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def wired(scope: str, key: str, id: str | None, *, sending: str) -> dict[str, Any]:
    """Return the attributes by which a field takes part.

    Raises:
        MarkupError: for an unknown scope, or an id that the server's messages could not name.
    """
    if scope == "browser":
        return {"id": id, SYNCED_ATTRIBUTE: key}
    if scope != "server":
        raise MarkupError(f"scope must be 'browser' or 'server', not {scope!r}")
    # A browser that filled in what was there before a reload would hide what the server says.
    own = {"autocomplete": "off", "hx_trigger": sending, "hx_swap": "none"}
    return {"id": check_id(id, "scope='server'"), **own}


def whole(tag: Callable[..., FT], inside: list[Any], said: str, scope: str, id: str | None, channel: str | None) -> FT:
    """Return what holds a field, and, if it is the server's, follows what the server says."""
    if scope == "browser":
        return tag(*inside, cls="sse-synced")
    place = Span(Data(value=said), id=said_id(str(id)), hidden=True)
    return tag(*inside, place, cls="sse-synced", **{SAID_ATTRIBUTE: True, **following(channel or str(id))})


def said_id(id: str) -> str:
    """Return the id of the place where the server's words for a field arrive."""
    return f"{id}-said"


def early_script() -> FT:
    """Return the script that gives the field before it what the browser remembers, before the page is painted."""
    return Script(src=asset_url("components/synced-early.js", kit_prefix()))
