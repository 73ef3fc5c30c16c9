"""Fields: the same in all tabs as you type, for everybody or only in this browser."""

from __future__ import annotations

from fasthtml.common import FT, APIRouter, Small
from starlette.datastructures import State
from starlette.requests import Request

from ... import SyncedInput, SyncedToggle

rt = APIRouter("/fields")


def setup(state: State) -> None:
    """Set a headline, and switch the lamp off."""
    state.headline, state.lamp = "Everybody may edit this", False


def theme() -> FT:
    """Return the theme switch. It is in the header of every page, and never reaches the server."""
    return SyncedToggle(aria_label="Dark theme", attribute="data-theme", on="dark", off="light")


def page(request: Request) -> tuple[FT, ...]:
    """Show two fields that everybody shares, and one that only this browser has."""
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
    about = Small("The theme switch in the header is a SyncedToggle, too.")
    return headline, lamp(state), note, about


def glance(request: Request) -> FT:
    """Show the lamp's switch."""
    return lamp(request.app.state)


def lamp(state: State) -> FT:
    """Return the lamp's switch. It is the same for everybody."""
    return SyncedToggle("Lamp, for everybody", name="on", checked=state.lamp, id="lamp", scope="server", hx_post=switch)


@rt.post
async def write(state: State, text: str = "") -> None:
    """Store the headline, and publish it."""
    state.headline = text[:100]
    state.sse.synced("headline").set(state.headline)


@rt.post
async def switch(state: State, on: bool = False) -> None:
    """Store the state of the lamp, and publish it."""
    state.lamp = on
    state.sse.synced("lamp").set(on)
