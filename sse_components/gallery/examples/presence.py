"""Who is here: everyone in the gallery, with their number of tabs, and whether they are looking at one."""

from __future__ import annotations

from fasthtml.common import FT, H2, A, P
from starlette.requests import Request

from ... import PresenceList, TabCount


def tabs(request: Request) -> FT:
    """Count the tabs on all pages of the gallery. The count is in the header of every page."""
    return TabCount(id="tabs")


def page(request: Request) -> tuple[FT, ...]:
    """Show everyone in the gallery, and count the tabs on this page, which is a room."""
    return (
        H2("In the gallery"),
        PresenceList(),
        H2("On this page"),
        TabCount(room="presence", one="tab", many="tabs"),
        P("Switch to another tab, and this one becomes away. ", A("Sign in", href="/sign-in"), " to get a name."),
    )


def glance(request: Request) -> FT:
    """Show everyone in the gallery."""
    return PresenceList()
