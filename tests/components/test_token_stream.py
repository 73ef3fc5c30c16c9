from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fasthtml.common import P, to_xml
from hypothesis import given
from hypothesis import strategies as st

from sse_components import AlreadyRunning, Kit, MarkupError, NotRunning, TokenStream
from sse_components.components.token_stream import BLOCK, Answer, blocks_of
from sse_components.html.oob import render
from tests.support.serving import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def sent(sse: Kit) -> list[str]:
    """Return a list that collects the data of all published events."""
    data: list[str] = []
    enqueue = sse.fanout.enqueue

    def collect(event: Any) -> None:
        data.append("\n".join(re.findall(r"^data: ?(.*)", event.frame.decode(), re.MULTILINE)))
        enqueue(event)

    sse.fanout.enqueue = collect  # type: ignore[method-assign]
    return data


PART = re.compile(
    r'<span(?: aria-busy="true")?(?: data-sse-text)? id="answer-(\d+)"(?: hx-swap-oob="outerHTML:#answer-\d+")?>([^<]*)'
)


class Tab:
    """Applies updates as a browser does; insertions are idempotent by id, as `dedupe-by-id.js` has it."""

    def __init__(self, page: str = "") -> None:
        self.blocks = dict(PART.findall(page))

    def apply(self, messages: list[str]) -> Tab:
        for message in messages:
            if 'hx-swap-oob="innerHTML:#answer-text"' in message:
                self.blocks.clear()
            for id, text in PART.findall(message):
                if f'hx-swap-oob="outerHTML:#answer-{id}"' not in message:
                    self.blocks.pop(id, None)
                    self.blocks[id] = text
                elif id in self.blocks:
                    self.blocks[id] = text
        return self

    @property
    def text(self) -> str:
        return html.unescape("".join(self.blocks.values()))


async def words(*tokens: str) -> AsyncIterator[str]:
    for token in tokens:
        yield token


async def test_an_answer_is_published_as_it_is_written(sse: Kit, sent: list[str]) -> None:
    async with sse.tokens("answer") as answer:
        assert answer.state == "streaming"
        assert 'aria-busy="true"' in sent[0]
        assert ">Writing …</p>" in sent[0]
        for token in ["  Two ", " spaces,\n", "<b>no</b> & bold"]:
            await answer.write(token)
        await until(lambda: len(sent) == 2)
        assert Tab().apply(sent).text == answer.text == "  Two  spaces,\n<b>no</b> & bold"
    assert (answer.state, Tab().apply(sent).text) == ("done", answer.text)
    assert "aria-busy" not in sent[-1]
    assert 'data-answer="done"' in sent[-1]


async def test_a_long_answer_is_sent_in_few_messages_and_elements(sse: Kit, sent: list[str]) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    tokens = [*(f"{number} " for number in range(5_000)), "<" * 1_000_000, *(f"{number} " for number in range(5_000))]
    assert await sse.tokens("answer").stream(words(*tokens)) == "".join(tokens)
    tab = Tab().apply(sent)
    assert tab.text == "".join(tokens)
    assert len(tab.blocks) < 1_100
    assert len(sent) <= 3 + 1_100 / 100 + (clock() - began) / 0.05 + 1


@pytest.mark.usefixtures("rendered_page")
async def test_a_page_rendered_during_an_answer_gets_each_token_once(sse: Kit, sent: list[str]) -> None:
    pages: list[tuple[int, str, str]] = []

    def look(answer: Answer, cursor: int) -> None:
        pages.append((cursor, to_xml(TokenStream(sse.tokens("answer"))), answer.text))

    async with sse.tokens("answer") as answer:
        for number in range(40):
            cursor = len(sent)  # the request begins
            await answer.write(f"  word {number} {'x' * number * 10}\n")
            look(answer, cursor)
            if number % 5 == 0:
                await until(lambda: len(sent) > cursor)  # noqa: B023
                look(answer, cursor)
    look(answer, 0)
    for cursor, page, text in pages:
        tab = Tab(page)
        assert tab.text == text
        assert tab.apply(sent[cursor:]).text == answer.text


@given(st.lists(st.text(alphabet="a \n", max_size=2 * BLOCK), max_size=5))
def test_blocks_add_up_to_the_text(tokens: list[str]) -> None:
    blocks = [""]
    for token in tokens:
        blocks[-1:] = blocks_of(blocks[-1] + token)
    assert "".join(blocks) == "".join(tokens)
    assert all(len(block) <= BLOCK for block in blocks)
    assert all(blocks[:-1])


def test_blocks_end_at_a_line_end_if_possible() -> None:
    text = "a line of some words\n" * 1_000
    assert all(block.endswith("\n") for block in list(blocks_of(text))[:-1])


async def test_each_block_of_a_paragraph_has_a_separate_element(sse: Kit, sent: list[str]) -> None:
    long = "word " * 300
    async with sse.tokens("answer") as answer:
        await answer.write(f"{'line ' * 100}\n" * 2 + long)
        await until(lambda: len(sent) > 1)
        await answer.write("more")
        await until(lambda: len(sent) > 2)
        assert re.findall(r'hx-swap-oob="(\S+)"', sent[1]) == [
            *("outerHTML:#answer-0", "beforeend:#answer-text", "beforeend:#answer-text"),
        ]
        assert re.findall(r'id="answer-from-\d"', render(*answer.elements())) == [
            f'id="answer-from-{number}"' for number in (0, 1, 2)
        ]
        # If a block only grows, a page has nothing to swap.
        assert sent[2].count("<span") == 1
        assert sent[2].startswith('<span aria-busy="true" data-sse-text id="answer-3"')


def test_blocks_end_after_white_space_if_possible() -> None:
    text = "word " * 1_000
    assert all(block.endswith(" ") for block in list(blocks_of(text))[:-1])


async def test_stop_ends_the_iteration(sse: Kit, sent: list[str]) -> None:
    closed: list[str] = []

    async def model(*, waits: bool) -> AsyncIterator[str]:
        try:
            while True:
                yield "word "
                if waits:
                    await asyncio.Event().wait()
        finally:
            closed.append("closed")

    for waits in (True, False):
        sent.clear()
        task = asyncio.create_task(sse.tokens("answer").stream(model(waits=waits)))
        await until(lambda: Tab().apply(sent).text.startswith("word "))
        assert await asyncio.to_thread(lambda: sse.tokens("answer").stop().result()) is True
        assert (await task).startswith("word ")
        assert closed.pop() == "closed"
        assert 'data-answer="stopped"' in "".join(sent[-2:])  # the last part of a long text may be a separate message
        assert sse.tokens("answer").present.stopped
    assert sse.tokens("answer").stop().result() is False


async def test_an_error_of_the_model_is_published_and_raised(sse: Kit, sent: list[str]) -> None:
    async def model() -> AsyncIterator[str]:
        yield "word "
        raise ConnectionError("key <sk-1> is refused")

    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "something went wrong"),
        ({"reason": str}, "key &lt;sk-1&gt; is refused"),
    ]
    for options, told in cases:
        with pytest.raises(ConnectionError):
            await sse.tokens("answer", **options).stream(model())
        assert f">Failed: {told}</p>" in sent[-1]
        assert Tab().apply(sent).text == "word "


async def test_a_second_answer_is_an_error_while_the_first_runs(sse: Kit, sent: list[str]) -> None:
    left = words("never")
    async with sse.tokens("answer") as answer:
        await answer.write("first " * 1_000)
        with pytest.raises(AlreadyRunning, match="Answer 'answer' is running"):
            await sse.tokens("answer").stream(left)
        async with sse.job("answer"):
            pass  # a job with the same id is independent
    assert [token async for token in left] == []
    with pytest.raises(NotRunning, match="Answer 'answer' is done"):
        await answer.write("late")
    await sse.tokens("answer").stream(words("second"))
    assert Tab().apply(sent).text == "second"
    async with answer:
        assert answer.text == ""


async def test_sentences_are_announced_rarely_and_the_end_at_once(sse: Kit, sent: list[str]) -> None:
    now = 100.0
    sse.works.clock = lambda: now

    async def announced(text: str) -> str:
        before = len(sent)
        await answer.write(text)
        await until(lambda: len(sent) > before)
        found = re.search(r'hx-swap-oob="innerHTML:#answer-said">([^<]*)', sent[-1])
        return found[1] if found else ""

    async with sse.tokens("answer") as answer:
        assert await announced("One. Two? Thr") == "One. Two?"
        assert await announced("ee. Four! 3.1") == ""
        now += 2
        assert await announced("4 ") == "Three. Four!"
        now += 2
        assert await announced("and") == ""
        assert await announced(" so on\n") == "3.14 and so on"
        assert await announced("at last") == ""
    assert ">at last Answer complete<" in sent[-1]


async def test_threads_write(sse: Kit, sent: list[str]) -> None:
    async with sse.tokens("answer") as answer:
        await asyncio.gather(*[asyncio.to_thread(answer.write, "x" * 700) for _ in range(20)])
    assert Tab().apply(sent).text == "x" * 14_000


@pytest.mark.usefixtures("rendered_page")
def test_children_are_shown_until_there_is_an_answer() -> None:
    stream = TokenStream(Kit().tokens("answer"), P("Ask <me>"), stop="/stop", label="Reply", cls="wide", title="A")
    page = to_xml(stream)
    assert "<p>Ask &lt;me&gt;</p>" in page
    assert 'hx-post="/stop"' in page
    assert (stream.attrs["class"], stream.attrs["aria-label"]) == ("sse-token-stream wide", "Reply")
    assert (stream.attrs["title"], stream.attrs["data-sse-swap"]) == ("A", "message")


@pytest.mark.usefixtures("rendered_page")
async def test_a_page_contains_the_text_unchanged(sse: Kit) -> None:
    text = "  a\n\n  b </textarea><script>" + "long " * 1_000
    await sse.tokens("answer").stream(words(text))
    page = to_xml(TokenStream(sse.tokens("answer"), P("Ask me")))
    found = re.search(r'id="answer-text"[^>]*>(.*?)</div>', page, re.DOTALL)
    assert found is not None
    assert html.unescape(re.sub(r"<[^>]*>", "", found[1])) == text
    assert "<button" not in page
    assert "Ask me" not in page


def test_an_id_that_selectors_cannot_name_is_refused() -> None:
    with pytest.raises(MarkupError, match=r"^an answer needs an id of letters, digits, - and _"):
        Kit().tokens("a b")
