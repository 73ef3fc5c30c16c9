"""Vote: the list stays sorted in every tab, also when an item is added."""

from __future__ import annotations

from typing import Any

from fasthtml.common import FT, APIRouter, Button, Form, Input, Label, Li, Span, Strong
from starlette.datastructures import State
from starlette.requests import Request

from ... import LiveList

MOST = 8
rt = APIRouter("/vote")


def setup(state: State) -> None:
    """Start with some options, and the number of votes of each."""
    state.votes = {"Mountains": 3, "The sea": 2, "A very long book": 1}


def page(request: Request) -> tuple[FT, ...]:
    """Show a form for a new option, and the list."""
    return new_option(), glance(request)


def glance(request: Request) -> FT:
    """Show the list."""
    items = [item(name, votes) for name, votes in ranked(request.app.state.votes)]
    return LiveList(*items, id="votes", tag="ol", max_length=MOST, empty="Nothing to vote on")


@rt.post
async def up(state: State, name: str) -> None:
    """Count a vote. The item changes, and moves to its new place."""
    if name in state.votes:
        state.votes[name] += 1
        state.sse.list("votes").update(item(name, state.votes[name]))


@rt.post
async def add(state: State, option: str) -> FT:
    """Add an option, and clear the form. A ninth option replaces the last one."""
    if (name := option.strip()[:40]) and name not in state.votes:
        state.votes = dict(ranked(state.votes)[: MOST - 1]) | {name: 1}
        state.sse.list("votes").insert(item(name, 1))
    return new_option(autofocus=True)


@rt.post
async def remove(state: State, name: str) -> None:
    """Remove an option."""
    if state.votes.pop(name, None) is not None:
        state.sse.list("votes").remove(item(name, 0))


def new_option(**attrs: Any) -> FT:
    """Return the form for a new option."""
    title = Input(id="option", required=True, maxlength=40, autocomplete="off", **attrs)
    return Form(Label("Something else", fr="option"), title, Button("Add"), hx_post=add, hx_swap="outerHTML")


def ranked(votes: dict[str, int]) -> list[tuple[str, int]]:
    """Return the options, those with the most votes first."""
    return sorted(votes.items(), key=lambda vote: -vote[1])


def item(name: str, votes: int) -> FT:
    """Return the list item of an option, with its sort key."""
    more = {"hx_post": up.to(name=name), "hx_swap": "none", "aria_label": f"+1 for {name}"}
    less = {"hx_post": remove.to(name=name), "hx_swap": "none", "aria_label": f"Remove {name}"}
    buttons = Button("+1", **more), Button("Remove", **less, cls="quiet")
    return Li(Strong(votes), Span(name), *buttons, id=f"vote-{name.encode().hex()}", data_sse_key=-votes)
