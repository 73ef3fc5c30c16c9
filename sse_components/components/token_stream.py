"""`TokenStream`: the answer of a language model, in every tab, as it is generated."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterable, Iterator
from typing import Any

from fasthtml.common import FT, Button, Div, NotStr, P, Section, Span

from ..html.oob import oob, render
from ..manager import BroadcastManager
from ..publication import Outcome, Publication
from .element import following
from .handle import Exclude
from .handle_registry import bind
from .work import IDLE, Reason, Work, Works, hide_reason

# Seconds between two messages of one answer.
INTERVAL = 0.05
# Characters of a block: what a message replaces at the end of the text.
BLOCK = 1_000
# Blocks that one message carries, such that it stays far below what a message may have.
BLOCKS = 100
# Seconds between two announcements, and characters of one.
QUIET, ANNOUNCED = 2.0, 1_000

SENTENCES = re.compile(r".*(?:[.!?…][\"')\]\u00bb\u201d\u2019]*(?=\s)|[\u3002\uff01\uff1f]|\n)", re.DOTALL)
WORDS = {"streaming": "Writing …", "stopped": "Stopped", "failed": "Failed"}
ENDINGS = {"done": "Answer complete", "stopped": "Answer stopped", "failed": "Answer failed"}


class Answer(Work):
    """The server side of a `TokenStream`: a text that grows in an `async with` block. `sse.tokens(id)` returns it.

    It is done when the block ends, failed if the block raises, and stopped if somebody calls `stop()`. An error that
    the block raises reaches the caller. The text is known to this process for an hour after the end.

    Pages get it in blocks of about a thousand characters, and the last one anew whenever it has grown: what comes twice
    does no harm, and the page's elements stay few.

    Attributes:
        id: the id of the `TokenStream`.
        channel: the channel that the `TokenStream` follows.
        state: `'idle'`, `'streaming'`, `'done'`, `'stopped'` or `'failed'`.

    Args:
        manager: publishes the text.
        works: where it is known by its id.
        id: the id of the `TokenStream`.
        channel: the channel that the `TokenStream` follows; by default the id.
        reason: returns what pages show of an error that the block raises: `str` for the error's own text. By default
            they show no details.

    Raises:
        MarkupError: for an id that a selector cannot name.

    Example:
        `await sse.tokens('answer').stream(model(prompt))`
    """

    KIND = "an answer"
    RUNNING = "streaming"
    INTERRUPTED = "stopped"

    blocks: list[str]
    _sent: int
    _told: str
    _unsaid: str
    _announced: float

    def __init__(
        self,
        manager: BroadcastManager,
        works: Works,
        id: str,
        *,
        channel: str | None = None,
        reason: Reason = hide_reason,
    ) -> None:
        super().__init__(manager, works, id, channel=channel, reason=reason, interval=INTERVAL)
        self._guard = threading.Lock()
        self._restart()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.blocks)

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped it. Code in threads has to look, because it cannot be interrupted."""
        return self._interrupted

    def stop(self) -> Outcome[bool]:
        """Stop what runs under this id: `asyncio.CancelledError` ends its block. It is not raised after the block.

        It may be called anywhere, with or without `await`, as `publish`.

        Returns:
            An `Outcome`, whose result is whether something was running.

        Example:
            `sse.tokens('answer').stop()`
        """
        return self._interrupt()

    def write(self, token: str, *, exclude: Exclude = None) -> Publication:
        """Append text. Pages are updated at most twenty times a second.

        It may be called anywhere, with or without `await`, as `publish`. It does not wait for `after_commit`. A task
        that awaits it lets other tasks run.

        Args:
            token: any text, from a part of a word to a megabyte.
            exclude: tabs (`this_tab()`) and connections that do not get it, unless it is sent with others.

        Returns:
            A `Publication` that is done, with an empty id: the text is sent with what follows.

        Raises:
            NotRunning: outside of the answer's block.

        Example:
            `answer.write('Hello')`
        """
        self._check_running()
        with self._guard:
            *full, rest = blocks_of(self.blocks[-1] + token)
            self.blocks[-1:] = [*full, rest]
            self._unsaid = (self._unsaid + token)[-ANNOUNCED:]
        return self._publish_soon(exclude)

    async def stream(self, tokens: AsyncIterable[str]) -> str:
        """Write what an iterator yields, in its own `async with` block. When it is stopped, it closes the iterator.

        Args:
            tokens: texts, one after the other.

        Returns:
            The text, as far as it was generated.

        Raises:
            AlreadyRunning: while another answer with its id runs.
            Exception: what the iterator raises.

        Example:
            `await sse.tokens('answer').stream(model(prompt))`
        """
        try:
            async with self:
                async for token in tokens:
                    await self.write(token)
        finally:
            if (close := getattr(tokens, "aclose", None)) is not None:
                await close()
        return self.text

    def elements(self) -> list[FT]:
        """Return the text so far as elements."""
        return [self._block(number, len(self.blocks)) for number in range(len(self.blocks))]

    def _block(self, number: int, count: int) -> FT:
        busy = "true" if self.running and number == count - 1 else None
        return Span(self.blocks[number], id=f"{self.id}-{number}", aria_busy=busy)

    def _restart(self) -> None:
        self.blocks = [""]
        self._sent, self._told, self._unsaid, self._announced = 0, "", "", 0.0

    async def _publish(self) -> None:
        count = len(self.blocks)
        news = [self._shown(number, count) for number in range(max(0, self._sent - 1), count)]
        self._sent = count
        if self.state != self._told:
            self._told = self.state
            news.append(oob(answer_state(self)))
        if said := self._to_announce():
            news.append(oob(said, f"{self.id}-said", "innerHTML"))
        for start in range(0, len(news), BLOCKS):
            await self._manager.publish(self.channel, *news[start : start + BLOCKS], exclude=self._exclude)

    def _shown(self, number: int, count: int) -> NotStr:
        """Return what brings a block into a page: the first begins the text anew, a new one is added."""
        block = self._block(number, count)
        if number < self._sent:
            return oob(block)
        return oob(block, f"{self.id}-text", "beforeend" if number else "innerHTML")

    def _to_announce(self) -> str:
        """Return what those are told who do not see the text: sentences that are complete, and how it ends."""
        with self._guard:
            if not self.running:
                return f"{self._unsaid} {ENDINGS[self.state]}".strip()
            found, now = SENTENCES.match(self._unsaid), self._works.clock()
            if found is None or now - self._announced < QUIET:
                return ""
            self._unsaid, self._announced = self._unsaid[found.end() :], now
            return found[0].strip()


def TokenStream(
    answer: Answer | str, *children: Any, stop: Any = None, label: str = "Answer", cls: str = "", **kwargs: Any
) -> FT:
    """Show a text that grows by itself, such as the answer of a language model. It is shown as text, never as HTML.

    Args:
        answer: the handle (`sse.tokens('answer')`) or its id, which becomes the id of the element. The text so far is
            shown.
        children: the content until there is an answer.
        stop: where the button to stop it posts to: a path, or a handler. The handler decides whether to call
            `sse.tokens('answer').stop()`. Without it there is no button.
        label: its name for screen readers.
        cls: classes beside `sse-token-stream`.
        kwargs: attributes of the tag.

    Returns:
        The element.

    Raises:
        MarkupError: for an id that a selector cannot name.
        ChannelError, SetupError: as `SSE`.

    Example:
        `TokenStream('answer', P('Ask me something'), stop='/stop')`
    """
    answer = bind(Answer, answer).present
    # As one string: the page's pretty white space would show between the blocks.
    text = children if answer.state == IDLE else [NotStr(render(*answer.elements()))]
    button = Button("Stop", type="button", hx_post=str(stop), hx_swap="none", cls="sse-token-stream-stop secondary")
    parts = [
        Div(*text, id=f"{answer.id}-text", cls="sse-token-stream-text", dir="auto"),
        answer_state(answer),
        button if stop is not None else None,
        P(id=f"{answer.id}-said", role="status", cls="sse-unseen"),
    ]
    attributes = {**following(answer.channel), "aria_label": label, **kwargs}
    return Section(*parts, id=answer.id, cls=f"sse-token-stream {cls}".strip(), **attributes)


def answer_state(answer: Answer) -> FT:
    """Return the line that tells how an answer stands."""
    word = WORDS.get(answer.state, "")
    text = f"{word}: {answer.reason}" if answer.reason else word
    return P(text, id=f"{answer.id}-state", cls="sse-token-stream-state", data_answer=answer.state)


def blocks_of(text: str) -> Iterator[str]:
    """Yield a text in blocks, cut after white space where there is some; the last may be empty."""
    start = 0
    while len(text) - start > BLOCK:
        full = start + BLOCK
        space = max(text.rfind(" ", start, full), text.rfind("\n", start, full))
        yield text[start : (end := full if space < 0 else space + 1)]
        start = end
    yield text[start:]
