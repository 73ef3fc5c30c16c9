"""`SyncedToggle`: a switch that is the same in all tabs, of one browser or of everybody."""

from __future__ import annotations

import re
from typing import Any

from fasthtml.common import FT, Div, Input, Label

from ..errors import MarkupError
from ..protocol import MEDIA_ATTRIBUTE, OFF_ATTRIBUTE, ON_ATTRIBUTE, ROOT_ATTRIBUTE
from .synced import Scope, Synced, as_text, early_script, enclose, field_address, stored_key, sync_attributes

# The names under which browsers remember switches begin so. A switch is remembered when the user signs out: one that
# sets an attribute of <html>, such as the theme, for all users of the browser, any other for the user.
SWITCH_KEY = "sse:switch:"
DARK = "(prefers-color-scheme: dark)"


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
    id: Synced | str | None = None,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a switch that is the same in all tabs. It may set an attribute of `<html>`, such as the page's theme.

    Args:
        label: its label; without one, give `aria_label`.
        name: the field's name; not needed with `attribute`.
        checked: whether it is on; with `scope='browser'`, until somebody uses it.
        attribute: an attribute of `<html>` whose value is `on` or `off`: `data-...`, or `class`, to which a class is
            added. It is set before what follows the switch is painted, so put the switch at the beginning of the page.
        on: the attribute's value when the switch is on.
        off: the attribute's value when it is off.
        media: a media query that decides until somebody uses the switch; by default, with `on='dark'`, whether the
            system's theme is dark.
        scope: `'browser'` or `'server'`, as in `SyncedInput`.
        key: the name under which the browser remembers it; by default the name, or the attribute.
        id: the switch's id, or its handle (`sse.synced('lamp')`). Required with `scope='server'`.
        channel: the channel that the switch follows; by default the handle's, which is the id by default.
        cls: classes beside `sse-synced-toggle`.
        kwargs: attributes of the switch.

    Returns:
        The switch, in its label if there is one.

    Raises:
        MarkupError: without name, key and attribute; for an attribute that is not allowed; for an unknown scope; or
            with `scope='server'` for a missing id or one that a selector cannot name.
        HandleError: for another channel than the handle's.
        SetupError: with `scope='server'`, outside of a request of an app with `setup_sse`.

    Example:
        `SyncedToggle('Dark theme', attribute='data-theme', on='dark', off='light')`
    """
    if not (key or name or attribute):
        raise MarkupError("a switch needs a name=, or the attribute= that it sets")
    field_id, channel = field_address(scope, id, channel)
    stored = stored_key(SWITCH_KEY, str(key or name or attribute), by_user=not attribute)
    sync = sync_attributes(scope, stored, field_id, trigger="change")
    if attribute:
        sync |= page_attribute(attribute, on, off, media, scope)
    attributes = {"type": "checkbox", "role": "switch", "name": name, "cls": f"sse-synced-toggle {cls}".strip()}
    field = Input(**{**attributes, **sync, "checked": bool(checked), **kwargs})
    early = [early_script()] if scope == "browser" or attribute else []
    tag = Label if label else Div
    return enclose(tag, [field, *early, *label], as_text(bool(checked)), scope, field_id, channel)


def page_attribute(name: str, on: str, off: str, media: str | None, scope: str) -> dict[str, Any]:
    """Return the attributes that name the attribute of `<html>` that a switch sets.

    Raises:
        MarkupError: for an attribute that is not allowed.
    """
    if not re.fullmatch(r"class|data-[\w.-]+", name):
        raise MarkupError(f"a switch may set an attribute data-..., or class, not {name!r}")
    system = media or (DARK if on == "dark" else None)
    names = {ROOT_ATTRIBUTE: name, ON_ATTRIBUTE: on, OFF_ATTRIBUTE: off}
    return {**names, MEDIA_ATTRIBUTE: system if scope == "browser" else None}
