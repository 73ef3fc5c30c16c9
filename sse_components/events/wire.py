"""The only place that formats a Server-Sent Events frame.

Source: WHATWG HTML, "9.2.5 Parsing an event stream" and "9.2.6 Interpreting an event stream".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..errors import ChannelError, WireError
from ..protocol import CONTROL_PREFIX

NOT_IN_FIELD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
NOT_IN_EVENT = re.compile(r"[\s,]")
RESERVED_EVENTS = ("open", "error")
MAX_NAME_LENGTH = 200
# Between the name of a tab and its browser's.
TAB_SEPARATOR = "."
NO_BROWSERS = frozenset[str]()
# The beginning of a frame, as `encode` writes it.
ADDRESSED = re.compile(
    rb"(?P<head>(?:id: [^\n]*\n)?(?:channel: [^\n]*\n)?)"
    rb"(?:exclude: (?P<exclude>[^\n]*)\n)?(?:only: (?P<only>[^\n]*)\n)?"
)


class KitChannel(str):
    """A channel of the kit, whose name may have the reserved prefix."""

    __slots__ = ()


class Frame(str):
    """Text that is a frame already, which a stream sends as it is."""

    __slots__ = ()


FRAMES = re.compile(r"(?:(?:(?:data|event|id|retry|channel)?:[^\r\n]*\r?\n)+(?:\r?\n)+)+")


def as_framed(item: Any) -> Any:
    """Return text that consists of frames, as FastHTML's `sse_message` makes them, as a `Frame`; else the item."""
    text = item.decode() if isinstance(item, bytes) else item
    return Frame(text) if isinstance(text, str) and FRAMES.fullmatch(text) else item


def frame_parts(frame: str) -> tuple[str | None, str]:
    """Return the event's name and the data of frames; None for `'message'`. The data of several frames is joined.

    Args:
        frame: text that consists of frames.

    Raises:
        WireError: if the frames have different events.
    """
    names, data = set[str](), list[str]()
    for part in re.split(r"(?:\r?\n){2,}", frame):
        fields = [(name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines(part))]
        if any(name == "data" for name, _ in fields):
            names.add(dict(fields).get("event", "message"))
            data += [value for name, value in fields if name == "data"]
    if len(names) > 1:
        raise WireError(f"the frames of one message have one event, not {', '.join(sorted(names))}")
    name = next(iter(names), "message")
    return None if name == "message" else name, "\n".join(data)


def lines(text: str) -> list[str]:
    r"""Return the lines of a text, which end in `\r\n`, `\r` or `\n`, and in no other character."""
    return re.split(r"\r\n|\r|\n", text)


def encode(
    data: str,
    *,
    event: str | None = None,
    id: str | None = None,
    channel: str | None = None,
    exclude: Iterable[str] = (),
    only: Iterable[str] = (),
    retry: int | None = None,
) -> bytes:
    r"""Return one event as the bytes of its frame.

    Line ends in `data` (`\r\n`, `\r`, `\n`, and no other character) become one `data` field a line,
    so that a parser gives them back as `\n`.

    Args:
        data: any text, the empty one included.
        event: the event's name; `None` and `'message'` leave the field out, as htmx 4 needs.
        id: what becomes the client's last event id.
        channel: an extra field, which other parsers ignore.
        exclude: tabs that leave the event out; an extra field.
        only: the only tabs that show the event; an extra field. Without any, all tabs show it.
        retry: the client's new reconnection time, in milliseconds.

    Raises:
        WireError: if a name has a control character, or a tab's a space, `retry` is negative, or a text is not Unicode
            (a lone surrogate).

    Source: WHATWG HTML 9.2.6.
    """
    fields = {
        "id": id,
        "channel": channel,
        "exclude": in_one_line("exclude", exclude),
        "only": in_one_line("only", only),
        "event": None if event == "message" else event,
    }
    head = "".join(f"{name}: {check_field(name, value)}\n" for name, value in fields.items() if value is not None)
    if retry is not None:
        head += f"retry: {check_retry(retry)}\n"
    return f"{head}data: {data_lines(check_text(data))}\n\n".encode()


def browsers_of(frame: bytes) -> frozenset[str]:
    """Return the browsers whose tabs a frame names: only their streams get it with these names."""
    found = addressed(frame)
    if found.end() == found.end("head"):
        return NO_BROWSERS
    names = b" ".join(filter(None, found.group("exclude", "only"))).decode().split()
    return frozenset(name.partition(TAB_SEPARATOR)[2] for name in names)


def for_browser(frame: bytes, browser: str | None) -> bytes:
    """Return a frame as the streams of a browser get it: with the names of its own tabs, and of no others.

    Args:
        frame: names tabs as `<tab>.<browser>`.
        browser: the id of the browser; None if it is not known.

    Returns:
        The frame; an empty one, if it is only for tabs of other browsers.
    """
    found = addressed(frame)
    exclude, only = (own_tabs(found[field], browser) for field in ("exclude", "only"))
    if found["only"] and not only:
        return b""
    lines = [f"{name}: {tabs}\n".encode() for name, tabs in (("exclude", exclude), ("only", only)) if tabs]
    return b"".join([found["head"], *lines, frame[found.end() :]])


def addressed(frame: bytes) -> re.Match[bytes]:
    """Return the fields of a frame that name tabs, and what is before them."""
    found = ADDRESSED.match(frame)
    assert found is not None  # it matches the empty text, too
    return found


def own_tabs(names: bytes | None, browser: str | None) -> str:
    """Return the tabs of a browser among names, as the browser knows them."""
    pairs = [name.partition(TAB_SEPARATOR) for name in (names or b"").decode().split()]
    return " ".join(tab for tab, _, owner in pairs if owner == browser)


def comment(text: str = "") -> bytes:
    """Return a comment frame, which clients ignore: a heartbeat.

    Raises:
        WireError: if `text` has a control character or a lone surrogate.
    """
    return f":{' ' if text else ''}{check_field('comment', text)}\n\n".encode()


def data_lines(text: str) -> str:
    """Return `text` with each line end turned into the start of a further `data` field."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n", "\ndata: ")


def check_text(data: str) -> str:
    """Return `data` if it is Unicode text, else raise `WireError`."""
    if not data.isascii() and (found := SURROGATE.search(data)):
        raise WireError(f"data is not Unicode text: it has the lone surrogate {found[0]!r}")
    return data


def check_field(name: str, value: str) -> str:
    """Return `value` if a one-line field can carry it, else raise `WireError`."""
    if not isinstance(value, str):
        raise WireError(f"{name} must be a str, not {type(value).__name__}")
    if found := NOT_IN_FIELD.search(value):
        raise WireError(f"{name} {value!r} has {found[0]!r}; anything but control characters and surrogates is allowed")
    return value


def in_one_line(field: str, names: Iterable[str]) -> str | None:
    """Return names in order, with a space between them; None without names."""
    ordered = sorted(set(names))
    if any(" " in name or not name for name in ordered):
        raise WireError(f"{field} takes names without spaces, not {ordered!r}")
    return " ".join(ordered) or None


def check_retry(milliseconds: int) -> int:
    """Return `milliseconds` if it is a whole number of at least 0, else raise `WireError`."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or milliseconds < 0:
        raise WireError(f"retry must be a whole number of milliseconds, at least 0, not {milliseconds!r}")
    return milliseconds


def check_channel(name: str) -> str:
    """Return `name` if it is allowed for a channel, else raise `ChannelError`."""
    try:
        check_field("channel", name)
    except WireError as error:
        raise ChannelError(str(error)) from None
    if not 0 < len(name) <= MAX_NAME_LENGTH or name != name.strip():
        raise ChannelError(f"channel {name!r} must have 1 to {MAX_NAME_LENGTH} characters, and no space at its ends")
    if name.startswith(CONTROL_PREFIX) and not isinstance(name, KitChannel):
        raise ChannelError(
            f"channel {name!r} must not start with {CONTROL_PREFIX!r}: that prefix is reserved for the kit"
        )
    return name


def check_event(name: str | None) -> str | None:
    """Return `name` if it is allowed for an event (`None` for `'message'`), else raise `WireError`."""
    if name is None or name == "message":
        return None
    check_field("event", name)
    if not 0 < len(name) <= MAX_NAME_LENGTH or NOT_IN_EVENT.search(name):
        raise WireError(f"event {name!r} must have 1 to {MAX_NAME_LENGTH} characters, without spaces or commas")
    if name in RESERVED_EVENTS or name.startswith(CONTROL_PREFIX):
        raise WireError(
            f"event {name!r} is taken: {', '.join(RESERVED_EVENTS)} are events of EventSource,"
            f" and names that start with {CONTROL_PREFIX!r} are the kit's"
        )
    return name


def event_name(message_type: Any) -> str | None:
    """Return the name of the event that carries a message: its type if that can be one, else None for `'message'`.

    Args:
        message_type: any type of a broadcast. One with spaces or commas, an empty one, and those that `check_event`
            says are taken, stand in the message only.
    """
    try:
        return check_event(message_type)
    except WireError:
        return None
