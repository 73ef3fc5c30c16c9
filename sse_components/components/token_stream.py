"""The answer of a language model, in every tab, as it comes."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from fasthtml.common import FT, Button, Div, NotStr, P, Section, Span

from ..html.oob import oob, render
from ..manager import BroadcastManager
from ..protocol import TEXT_ATTRIBUTE
from .element import following
from .work import IDLE, Reason, Work, Works, unsaid

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
    """The server side of a `TokenStream`: a text that grows as long as an `async with` block.

    It is done at the block's end, failed if the block raises, which the caller gets as ever, and stopped if somebody
    calls `stop()`. The text so far is known to this process, for an hour after its end.

    Pages get it in blocks of at most a thousand characters, and the last one anew whenever it has grown: what comes
    twice does no harm, and the page's elements stay few. A block ends with a line where it can. The blocks of a
    paragraph stand in an element of their own, so that a browser lays out the last paragraph again, and no other.

    Args:
        publisher: tells the pages.
        works: where it is known by its id.
        id: of the `TokenStream`.
        channel: by default the id.
        reason: makes the words for pages when the block raises: `str` for the error's own text, of which nothing is
            told by default.

    Raises:
        MarkupError: for an id that selectors cannot name.

    Example:
        `await sse.tokens('answer').stream(model(prompt))`
    """

    CALLED = "an answer"
    RUNNING = "streaming"
    INTERRUPTED = "stopped"

    blocks: list[str]
    _sent: int
    _told: str
    _unsaid: str
    _announced: float

    def __init__(
        self, publisher: BroadcastManager, works: Works, id: str, *, channel: str | None = None, reason: Reason = unsaid
    ) -> None:
        super().__init__(publisher, works, id, channel=channel, reason=reason, interval=INTERVAL)
        self._guard = threading.Lock()
        self._restart()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.blocks)

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped it: for code in threads, which no cancellation reaches."""
        return self._interrupted

    def stop(self) -> bool:
        """Stop what runs under this id: `asyncio.CancelledError` ends the block, and no more. From any thread.

        Returns:
            Whether something was running.
        """
        return self.interrupt()

    async def write(self, token: str) -> None:
        """Append text. Pages are told at most twenty times a second.

        Args:
            token: any text: part of a word, or a megabyte.
        """
        self.write_threadsafe(token)
        await self._breathe()

    def write_threadsafe(self, token: str) -> None:
        """Append text, as `write` does, from a thread."""
        self._check_running()
        with self._guard:
            *full, rest = blocks_of(self.blocks[-1] + token)
            self.blocks[-1:] = [*full, rest]
            self._unsaid = (self._unsaid + token)[-ANNOUNCED:]
        self._changed()

    async def stream(self, tokens: AsyncIterable[str]) -> str:
        """Write what an iterator brings, in a block of its own. Stopped, it closes the iterator.

        Args:
            tokens: texts, one after the other.

        Returns:
            The text, as far as it came.
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
        """Yield the first number and the end of the blocks of each paragraph among some."""
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
        self._sent, self._told, self._unsaid, self._announced = 0, "", "", 0.0

    async def _publish(self) -> None:
        known, count = self._sent, len(self.blocks)
        self._sent = count
        messages = [self._added(start, min(start + BLOCKS, count), count) for start in range(known, count, BLOCKS)]
        messages = messages or [[]]
        messages[0][:0] = self._grown(known, count)
        messages[-1] += self._ending()
        for message in messages:
            await self._publisher.publish(self.channel, *message)

    def _grown(self, known: int, count: int) -> list[NotStr]:
        """Return what brings the last block that pages have up to date."""
        only_text = self.running and known == count
        return [oob(self._block(known - 1, count, **{TEXT_ATTRIBUTE: only_text}))] if known else []

    def _added(self, start: int, end: int, count: int) -> list[NotStr]:
        """Return what adds blocks to a page."""
        return [self._addition(*numbers, count) for numbers in self._paragraphs(start, end)]

    def _addition(self, start: int, end: int, count: int) -> NotStr:
        """Return what adds blocks of one paragraph: the first begins the text anew, a page may have others of it."""
        if (first := first_of_paragraph(self.blocks, start)) < start:
            blocks = tuple(self._block(number, count) for number in range(start, end))
            return oob(blocks, f"{self.id}-from-{first}", "beforeend")
        return oob(self._paragraph(start, end, count), f"{self.id}-text", "beforeend" if start else "innerHTML")

    def _ending(self) -> list[NotStr]:
        """Return what tells how the answer stands, if that is news."""
        news = []
        if self.state != self._told:
            self._told = self.state
            news.append(oob(answer_state(self)))
        if said := self._to_announce():
            news.append(oob(said, f"{self.id}-said", "innerHTML"))
        return news

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
    answer: Answer, *children: Any, stop: Any = None, label: str = "Answer", cls: str = "", **kwargs: Any
) -> FT:
    """Show a text that grows by itself, such as the answer of a language model. What it says is text, never HTML.

    Args:
        answer: the server's (`sse.tokens('answer')`), whose id becomes the element's, and whose text so far is shown.
        children: what is shown until there is an answer.
        stop: where its button posts to: the path of one of your handlers, or the handler, which calls
            `sse.tokens('answer').stop()` if it pleases. Without it there is no button.
        label: what it is called for those who do not see it.
        cls: further classes.
        kwargs: any attribute of the tag.

    Raises:
        ChannelError, SetupError: as `SSE`.

    Example:
        `TokenStream(sse.tokens('answer'), P('Ask me something'), stop='/stop')`
    """
    answer = answer.present
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


def first_of_paragraph(blocks: Sequence[str], number: int) -> int:
    """Return the number of the block with which the paragraph of a block begins."""
    while number and not blocks[number - 1].endswith("\n"):
        number -= 1
    return number


def blocks_of(text: str) -> Iterator[str]:
    """Yield a text in blocks, cut after a line or else after white space where there is some; the last may be empty."""
    start = 0
    while len(text) - start > BLOCK:
        full = start + BLOCK
        cuts = text.rfind("\n", start, full) + 1 or text.rfind(" ", start, full) + 1
        yield text[start : (end := cuts or full)]
        start = end
    yield text[start:]
