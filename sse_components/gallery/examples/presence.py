"""Who is here: everyone in the gallery, in how many tabs, and whether they look at one."""

from __future__ import annotations

from fasthtml.common import FT, H2, A, P
from starlette.requests import Request

from ... import PresenceList, TabCount


def tabs(request: Request) -> FT:
    """Count the gallery's tabs, whatever page they are on. It stands at the head of every page."""
    return TabCount(id="tabs")


def page(request: Request) -> tuple[FT, ...]:
    """Show everyone who is anywhere in the gallery, and count those who look at this page: a room of its own."""
    return (
        H2("In the gallery"),
        PresenceList(),
        H2("On this page"),
        TabCount(room="presence", one="tab", many="tabs"),
        P("Look at another tab for a while: this one is away. ", A("Sign in", href="/sign-in"), " to have a name."),
    )


def glance(request: Request) -> FT:
    """Show everyone who is anywhere in the gallery."""
    return PresenceList()
