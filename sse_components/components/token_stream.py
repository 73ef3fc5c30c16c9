"""`TokenStream`: the answer of a language model, in every tab, as it is generated."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from fasthtml.common import FT, Button, Div, NotStr, P, Section, Span

from ..forks import Guard
from ..html.oob import oob, render
from ..manager import BroadcastManager
from ..protocol import TEXT_ATTRIBUTE
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

    Pages get it in blocks of at most a thousand characters; the last block is sent again whenever it has grown. So a
    message may come twice, and a page has few elements. A block ends at a line end if there is one. Each paragraph is
    an element, so that a browser lays out only the last paragraph again.

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
    _shown_state: str
    _unannounced: str
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
        self._guard = Guard()
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
            self._unannounced = (self._unannounced + token)[-ANNOUNCED:]
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
        count = len(self.blocks)
        return [self._paragraph(*numbers, count) for numbers in self._paragraphs(0, count)]

    def _paragraphs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield for each paragraph the number of its first block, and the number after its last."""
        begins = [number for number in range(start + 1, end) if self.blocks[number - 1].endswith("\n")]
        return pairwise([start, *begins, end])

    def _block(self, number: int, count: int, **attributes: Any) -> FT:
        busy = "true" if self.running and number == count - 1 else None
        return Span(self.blocks[number], id=f"{self.id}-{number}", aria_busy=busy, **attributes)

    def _paragraph(self, start: int, end: int, count: int) -> FT:
        blocks = [self._block(number, count) for number in range(start, end)]
        return Span(*blocks, id=f"{self.id}-from-{start}", cls="sse-token-stream-paragraph")

    def _restart(self) -> None:
        self.blocks = [""]
        self._sent, self._shown_state, self._unannounced, self._announced = 0, "", "", 0.0

    async def _publish(self) -> None:
        known, count = self._sent, len(self.blocks)
        self._sent = count
        messages = [self._added(start, min(start + BLOCKS, count), count) for start in range(known, count, BLOCKS)]
        messages = messages or [[]]
        messages[0][:0] = self._grown(known, count)
        messages[-1] += self._ending()
        for message in messages:
            await self._manager.publish(self.channel, *message, exclude=self._exclude)

    def _grown(self, known: int, count: int) -> list[NotStr]:
        """Return the part that updates the last block that pages have."""
        only_text = self.running and known == count
        return [oob(self._block(known - 1, count, **{TEXT_ATTRIBUTE: only_text}))] if known else []

    def _added(self, start: int, end: int, count: int) -> list[NotStr]:
        """Return the parts that add blocks to a page."""
        return [self._addition(*numbers, count) for numbers in self._paragraphs(start, end)]

    def _addition(self, start: int, end: int, count: int) -> NotStr:
        """Return the part that adds blocks of one paragraph: to the paragraph, if pages have it, or as a new one.

        The first paragraph replaces the previous text.
        """
        if (first := first_of_paragraph(self.blocks, start)) < start:
            blocks = tuple(self._block(number, count) for number in range(start, end))
            return oob(blocks, f"{self.id}-from-{first}", "beforeend")
        return oob(self._paragraph(start, end, count), f"{self.id}-text", "beforeend" if start else "innerHTML")

    def _ending(self) -> list[NotStr]:
        """Return the parts that show a new state, and that screen readers announce."""
        parts = []
        if self.state != self._shown_state:
            self._shown_state = self.state
            parts.append(oob(answer_state(self)))
        if announcement := self._to_announce():
            parts.append(oob(announcement, f"{self.id}-said", "innerHTML"))
        return parts

    def _to_announce(self) -> str:
        """Return what screen readers announce: complete sentences, and the end."""
        with self._guard:
            if not self.running:
                return f"{self._unannounced} {ENDINGS[self.state]}".strip()
            found, now = SENTENCES.match(self._unannounced), self._works.clock()
            if found is None or now - self._announced < QUIET:
                return ""
            self._unannounced, self._announced = self._unannounced[found.end() :], now
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
    # One string, because the white space between elements of a page would show between the blocks.
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
    """Return the line with the state of an answer."""
    word = WORDS.get(answer.state, "")
    text = f"{word}: {answer.reason}" if answer.reason else word
    return P(text, id=f"{answer.id}-state", cls="sse-token-stream-state", data_answer=answer.state)


def first_of_paragraph(blocks: Sequence[str], number: int) -> int:
    """Return the number of the first block in the paragraph of a block."""
    while number and not blocks[number - 1].endswith("\n"):
        number -= 1
    return number


def blocks_of(text: str) -> Iterator[str]:
    """Yield a text in blocks, cut after a line end, or else after a space, if there is one. The last may be empty."""
    start = 0
    while len(text) - start > BLOCK:
        full = start + BLOCK
        cuts = text.rfind("\n", start, full) + 1 or text.rfind(" ", start, full) + 1
        yield text[start : (end := cuts or full)]
        start = end
    yield text[start:]
