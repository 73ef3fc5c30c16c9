"""Fields: the same in all tabs while one types, for everybody or just for this browser."""

from __future__ import annotations

from fasthtml.common import FT, APIRouter, Small
from starlette.datastructures import State
from starlette.requests import Request

from ... import SyncedInput, SyncedToggle

rt = APIRouter("/fields")


def setup(state: State) -> None:
    """Begin with a name for what all share, and a lamp that is off."""
    state.headline, state.lamp = "Everybody may edit this", False


def theme() -> FT:
    """Return the switch of the theme. It stands at the head of every page, and no server knows of it."""
    return SyncedToggle(aria_label="Dark theme", attribute="data-theme", on="dark", off="light")


def page(request: Request) -> tuple[FT, ...]:
    """Show two fields that everybody shares, and one that stays in this browser."""
    state = request.app.state
    headline = SyncedInput(
        "text",
        "Headline, the same for everybody",
        value=state.headline,
        id="headline",
        scope="server",
        hx_post=write,
        maxlength=100,
    )
    note = SyncedInput("note", "Note, in all tabs of this browser and nowhere else", rows=4)
    about = Small("The switch of the theme, at the head of the page, is a synced one, too.")
    return headline, lamp(state), note, about


def glance(request: Request) -> FT:
    """Show the lamp's switch."""
    return lamp(request.app.state)


def lamp(state: State) -> FT:
    """Make the lamp's switch: the same for everybody."""
    return SyncedToggle("Lamp, for everybody", name="on", checked=state.lamp, id="lamp", scope="server", hx_post=switch)


@rt.post
async def write(state: State, text: str = "") -> None:
    """Keep the headline, and tell everybody."""
    state.headline = text[:100]
    state.sse.synced("headline").set(state.headline)


@rt.post
async def switch(state: State, on: bool = False) -> None:
    """Switch the lamp, and tell everybody."""
    state.lamp = on
    state.sse.synced("lamp").set(on)
