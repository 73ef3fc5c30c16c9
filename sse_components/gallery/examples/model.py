"""Language model: a toy. It has read Python's documentation, and knows which words follow each other."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from pydoc_data.topics import topics
from random import choice
from typing import Any

from fasthtml.common import FT, APIRouter, Button, Form, Input, Label, P
from starlette.datastructures import State
from starlette.requests import Request

from ... import AlreadyRunning, LiveText, TokenStream

WORDS = 150
# Seconds between two words.
PAUSE = 0.05
rt = APIRouter("/model")


def setup(state: State) -> None:
    """Start without a question."""
    state.question = ""


def page(request: Request) -> tuple[FT, ...]:
    """Show a form, the last question, and its answer with a stop button."""
    prompt = Input(id="prompt", value="What is a class?", required=True, maxlength=200, autocomplete="off")
    form = Form(Label("Ask it about Python", fr="prompt"), prompt, Button("Ask"), hx_post=ask, hx_swap="none")
    return form, *glance(request, stop=stop)


def glance(request: Request, **options: Any) -> tuple[FT, ...]:
    """Show the last question, and the answer so far."""
    state = request.app.state
    question = P(LiveText(state.question, id="question", live="off"), cls="question")
    return question, TokenStream("answer", P("Nobody has asked anything yet."), **options)


@rt.post
async def ask(state: State, prompt: str) -> None:
    """Stream an answer to every tab, unless one is running."""
    answer = state.sse.tokens("answer")
    with suppress(AlreadyRunning):
        if not answer.present.running:
            state.question = prompt[:200]
            state.sse.text("question").set(state.question)
        await answer.stream(think(prompt))


@rt.post
def stop(state: State) -> None:
    """Stop the answer. Any tab may do so."""
    state.sse.tokens("answer").stop()


async def think(prompt: str) -> AsyncIterator[str]:
    """Start with a word of the prompt, and continue with words that follow it in the documentation."""
    keywords = {word for word in re.findall(r"\w+", prompt.lower()) if len(word) > 4}
    pair = choice([pair for pair in read() if pair[0].lower() in keywords] or [*read()])
    for _ in range(WORDS):
        yield f"{pair[0]} "
        pair = pair[1], choice(read().get(pair, ["\N{HORIZONTAL ELLIPSIS}"]))
        await asyncio.sleep(PAUSE)


@cache
def read() -> dict[tuple[str, str], list[str]]:
    """Return the words that follow each pair of words in the documentation."""
    following, words = defaultdict(list), re.findall(r"[A-Za-z][\w'-]*[.,:;?]*", " ".join(topics.values()))
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        following[first, second].append(third)
    return following
