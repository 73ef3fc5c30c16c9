"""`LiveText`: one value that is the same in every tab."""

from __future__ import annotations

from functools import partial
from typing import Any

from fasthtml.common import FT, NotStr

from ..access.identity import as_set
from ..checks import check_positive
from ..errors import MarkupError
from ..html.oob import render
from ..manager import BroadcastManager
from ..protocol import LABEL_ATTRIBUTE, LIVE_TEXT_ATTRIBUTE, PAUSE_ATTRIBUTE
from ..publication import Publication, calling_place
from .handle import Exclude, Handle
from .handle_registry import address
from .live import live_tag
from .throttle import Throttle

# Seconds between two messages of one value.
INTERVAL = 0.1
# Seconds between two announcements of one value to a screen reader.
ANNOUNCED = 5.0
POLITENESS = ("polite", "assertive", "off")


class Text(Handle):
    """The server side of a `LiveText`. `sse.text(id)` returns it.

    Attributes:
        id: the id of the `LiveText`.
        channel: the channel that the `LiveText` follows.

    Args:
        manager: publishes the value.
        id: the id of the `LiveText`.
        channel: the channel that it follows; by default the id.
        interval: seconds between two messages, at least.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ValueError: for an interval that is not above 0.

    Example:
        `sse.text('cpu').set('42 %')`
    """

    KIND = "a text"

    def __init__(
        self, manager: BroadcastManager, id: str, *, channel: str | None = None, interval: float = INTERVAL
    ) -> None:
        super().__init__(manager, id, channel=channel)
        self._html = NotStr("")
        self._throttle = Throttle(manager, self._send, interval, leading=True, what=self.described)

    @property
    def interval(self) -> float:
        """The seconds between two messages, at least."""
        return self._throttle.interval

    @interval.setter
    def interval(self, interval: float) -> None:
        self._throttle.interval = interval

    def set(self, value: Any, *, exclude: Exclude = None) -> Publication:
        """Show a value in every tab: at once, or as the last one that is set within the interval.

        It may be called anywhere, with or without `await`, as `publish`.

        Args:
            value: text, a number, or FT. It is rendered in this call.
            exclude: tabs (`this_tab()`) and connections that do not get it.

        Returns:
            A `Publication`. Its id is empty if the value is sent later.

        Raises:
            NotRunning, MessageTooLarge, ChannelError: as `publish`.

        Example:
            `sse.text('cpu').set('42 %')`
        """
        html = NotStr(render(value))
        return self._manager.run_after_commit(partial(self._show, html, as_set(exclude), calling_place()))

    def _show(self, html: NotStr, exclude: frozenset[str], place: str) -> Publication:
        self._html = html
        return self._throttle.request(exclude, place)

    def _send(self, exclude: frozenset[str]) -> Publication:
        return self._publish_out_of_band(self._html, target=self.id, swap="innerHTML", exclude=exclude)


def LiveText(
    value: Any = "",
    *,
    id: Text | str | None = None,
    channel: str | None = None,
    live: str = "polite",
    label: str | None = None,
    announced: float = ANNOUNCED,
    tag: str = "span",
    cls: str = "",
    **kwargs: Any,
) -> FT:
    """Show one value that is the same in every tab; `sse.text(id).set(value)` changes it.

    Sighted readers see each change. A screen reader announces the latest value now and then, so that it does not read
    without a pause.

    Args:
        value: what it shows at first: text, a number, or FT.
        id: its id, or its handle (`sse.text('cpu')`). Required.
        channel: the channel that it follows; by default the handle's, which is the id by default.
        live: when a screen reader announces it: `'polite'` in a pause, `'assertive'` at once, `'off'` never.
        label: what a screen reader says before the value, such as `'Load'`.
        announced: seconds between two announcements, at least.
        tag: the name of its tag.
        cls: classes beside `sse-live-text`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for a missing id, an id that a selector cannot name, or an unknown `live`.
        HandleError: for another channel than the handle's.
        ValueError: if `announced` is negative.
        ChannelError, SetupError: as `SSE`.

    Example:
        `LiveText('0 %', id='cpu', label='Load')`
    """
    if live not in POLITENESS:
        raise MarkupError(f"live must be one of {', '.join(POLITENESS)}, not {live!r}")
    check_positive(zero=True, announced=announced)
    id, channel = address(Text, id, channel, "LiveText")
    if live != "off":
        announcer = {LIVE_TEXT_ATTRIBUTE: live, LABEL_ATTRIBUTE: label, PAUSE_ATTRIBUTE: round(announced * 1000)}
        kwargs = announcer | kwargs
    return live_tag(tag, value, id=id, channel=channel, cls=f"sse-live-text {cls}", **kwargs)
