"""`SyncedInput`: a field that is the same in all tabs, of one browser or of everybody."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, Div, Input, Label, Span, Textarea

from ..errors import MarkupError
from ..protocol import FIELD_KEY
from .synced import Scope, Synced, as_text, early_script, enclose, field_address, stored_key, sync_attributes


def SyncedInput(
    name: str,
    *label: Any,
    value: str | float = "",
    scope: Scope = "browser",
    rows: int | None = None,
    key: str | None = None,
    id: Synced | str | None = None,
    channel: str | None = None,
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show a field that is the same in all tabs.

    If several tabs type at once, the last one wins in all of them. A change from elsewhere leaves the caret where it
    is, and waits until a word that is being typed is complete.

    Args:
        name: the field's name.
        label: its label; without one, give `aria_label`.
        value: its value; with `scope='browser'`, until somebody types.
        scope: `'browser'`: the tabs of one browser, without the server. The browser remembers the value for this user,
            until the user signs out on a page with a `SessionGuard`, or another one signs in. `'server'`: all tabs of
            everybody. Send the value by `hx_post=handler`, and let the handler call `sse.synced(id).set(value)`.
        rows: the lines of a `Textarea`; without it the field is an `Input`.
        key: the name under which the browser remembers the value; by default `name`.
        id: the field's id, or its handle (`sse.synced('title')`). Required with `scope='server'`.
        channel: the channel that the field follows; by default the handle's, which is the id by default.
        cls: classes beside `sse-synced-input`.
        kwargs: attributes of the field.

    Returns:
        The field, in its label if there is one.

    Raises:
        MarkupError: for an unknown scope, for a password, a code or a card's number, or with `scope='server'` for a
            missing id or one that a selector cannot name.
        HandleError: for another channel than the handle's.
        SetupError: with `scope='server'`, outside of a request of an app with `setup_sse`.

    Example:
        `SyncedInput('title', 'Title', id='title', value=doc.title, scope='server', hx_post=save)`
    """
    field_id, channel = field_address(scope, id, channel)
    text = as_text(value)
    sync = sync_attributes(scope, stored_key(FIELD_KEY, key or name), field_id, trigger="input delay:300ms")
    attributes = {"name": name, "cls": f"sse-synced-input {cls}".strip(), **sync}
    field = check_secret(text_field(text, rows, attributes, kwargs))
    early = [early_script()] if scope == "browser" else []
    inside = [Span(*label), field, *early] if label else [field, *early]
    return enclose(Label if label else Div, inside, text, scope, field_id, channel)


def check_secret(field: FT) -> FT:
    """Return a field, unless browsers take it for a password, a code or a card's number, however its type is written.

    Raises:
        MarkupError: for such a field.
    """
    attributes = {name.lower(): str(value).lower() for name, value in field.attrs.items()}
    kind, purposes = attributes.get("type", ""), attributes.get("autocomplete", "").split()
    if kind.strip() == "password" or any(is_secret(purpose) for purpose in purposes):
        raise MarkupError("a password must not be sent to other tabs: use a plain Input(type='password')")
    return field


def is_secret(purpose: str) -> bool:
    """Tell whether a token of `autocomplete` is that of a secret."""
    return purpose.startswith("cc-") or purpose in ("current-password", "new-password", "one-time-code")


def text_field(text: str, rows: int | None, attributes: dict[str, Any], kwargs: dict[str, Any]) -> FT:
    """Return an `Input`, or a `Textarea` if there are `rows`; `kwargs` have the last word."""
    if rows is None:
        return Input(**{"type": "text", **attributes, "value": text, **kwargs})
    # An HTML parser drops the first newline.
    return Textarea("\n" + text, **{**attributes, "rows": rows, **kwargs})
