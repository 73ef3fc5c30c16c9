"""Board game: one function draws the board, and each move draws it again in every tab."""

from __future__ import annotations

from functools import partial

from fasthtml.common import FT, APIRouter, Button, Div, P
from starlette.datastructures import State
from starlette.requests import Request

LINES = ["012", "345", "678", "036", "147", "258", "048", "246"]
rt = APIRouter("/board")


def setup(state: State) -> None:
    """Start with an empty board, and register the function that draws it as a region."""
    state.board = [""] * 9
    state.region = state.sse.region("board")(partial(draw, state.board))


def page(request: Request) -> tuple[FT, ...]:
    """Show the region, and a button that starts a new game."""
    return glance(request), Button("New game", hx_post=restart, hx_swap="none")


def glance(request: Request) -> FT:
    """Show the region: a `LiveRegion` that contains what the function returns."""
    region: FT = request.app.state.region()
    return region


def draw(board: list[str]) -> list[FT]:
    """Return the state of the game, and the squares."""
    return [P(score(board), role="status"), Div(*(square(at, mark) for at, mark in enumerate(board)), cls="squares")]


def square(at: int, mark: str) -> FT:
    """Return a square as a button. It keeps the focus when the board is drawn again."""
    label = f"Row {at // 3 + 1}, column {at % 3 + 1}: {mark or 'empty'}"
    return Button(mark, id=f"square-{at}", aria_label=label, hx_post=play.to(at=at), hx_swap="none")


@rt.post
async def play(state: State, at: int) -> None:
    """Make a move if the square is free."""
    if 0 <= at < 9 and not state.board[at] and not winner(state.board):
        state.board[at] = turn(state.board)
        state.region.refresh()


@rt.post
async def restart(state: State) -> None:
    """Empty the board."""
    state.board[:] = [""] * 9
    state.region.refresh()


def score(board: list[str]) -> str:
    """Return the state of the game as text."""
    return f"{won} has won" if (won := winner(board)) else f"{turn(board)} to move" if "" in board else "A draw"


def turn(board: list[str]) -> str:
    """Return the player who moves next."""
    return "O" if board.count("X") > board.count("O") else "X"


def winner(board: list[str]) -> str:
    """Return the player with three in a row, or an empty string."""
    rows = [{board[int(at)] for at in line} for line in LINES]
    return next((row.pop() for row in rows if len(row) == 1 and row != {""}), "")
