"""What the gallery's pages have in common: header, navigation, cards, and an example beside its source."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from fasthtml.common import (
    FT,
    H1,
    H2,
    A,
    Article,
    Button,
    Code,
    Div,
    Figcaption,
    Figure,
    Footer,
    Header,
    Link,
    Main,
    Meta,
    Nav,
    P,
    Pre,
    Section,
    Small,
    Title,
)
from starlette.requests import Request

from .. import __version__, components
from .examples import EXAMPLES, connection, fields, presence, sign_in, toasts
from .source import highlighted

NAME = "sse_components"
PROMISE = "A handler publishes a piece of HTML, and every tab that shows it is up to date."
HELLO = """\
SSE(channels="todos")  # on the page

await sse.publish(     # in a handler
    "todos",
    Li("Milk"),
    target="todos",
    swap="beforeend",
)"""
# What an example's page names of the kit, if its source does.
NAMED = (*components.__all__, "after_commit")
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<circle cx='8' cy='8' r='6' fill='%2318a06b'/></svg>"
)


def head(stylesheet: str) -> list[FT]:
    """Return what all pages load, beside htmx and the kit."""
    return [
        Meta(name="color-scheme", content="light dark"),
        Meta(name="description", content="Live pages for FastHTML and htmx, each example beside its source."),
        Link(rel="icon", href=ICON),
        Link(rel="stylesheet", href=stylesheet),
    ]


def index(request: Request) -> tuple[FT, ...]:
    """Show a card for each example, live."""
    return shell(
        request,
        "Gallery",
        Section(
            hero("Live pages, in every tab", PROMISE, "/"),
            code(HELLO, "The two calls that it takes"),
            cls="opening",
        ),
        Section(*(card(example, request) for example in EXAMPLES), aria_label="Examples", cls="cards"),
    )


def card(example: ModuleType, request: Request) -> FT:
    """Make the card that leads to an example, and shows something of it."""
    title, about = words(example)
    glance = Div(example.glance(request), cls=f"glance {path(example)[1:]}")
    return Article(H2(A(title, href=path(example))), P(about), glance)


def example_page(example: ModuleType, request: Request) -> tuple[FT, ...]:
    """Show an example beside the source that it runs."""
    title, about = words(example)
    stage = Section(example.page(request), aria_label="The example", cls=f"stage {path(example)[1:]}")
    return shell(
        request,
        title,
        hero(title, about, path(example), *parts(example)),
        Div(stage, listing(example), cls="beside"),
        here=path(example),
    )


def hero(title: str, about: str, href: str, *parts: FT) -> FT:
    """Say what a page is about, and offer to open it once more."""
    again = A("Open in another tab", href=href, target="_blank", cls="button")
    return Div(H1(title), P(about), P(again, *parts, cls="row"), cls="hero")


def parts(example: ModuleType) -> list[FT]:
    """Name what an example has of the kit."""
    source = source_of(example).read_text("utf-8")
    return [Code(name) for name in NAMED if re.search(rf"\b{name}\b", source)]


def shell(request: Request, title: str, *content: Any, here: str = "/") -> tuple[FT, ...]:
    """Put a page's content between the gallery's header and footer. What is live there are the examples' own parts."""
    links = [nav_link(words(example)[0], path(example), here) for example in EXAMPLES]
    return (
        Title(f"{title} · {NAME}"),
        A("Skip to the content", href="#content", cls="skip"),
        Header(
            nav_link(NAME, "/", here, cls="brand"),
            presence.tabs(request),
            connection.status(),
            fields.theme(),
            Button("Break it", popovertarget="breaking", cls="break"),
            Section(connection.controls(), id="breaking", popover="auto", aria_label="Break the connection"),
            Button("Pages", popovertarget="pages", cls="pages"),
            Nav(*links, id="pages", popover="auto", aria_label="Gallery"),
        ),
        Main(*content, id="content", tabindex="-1"),
        Footer(P(f"{NAME} {__version__} on htmx {request.app.state.htmx}")),
        toasts.stack(),
        sign_in.guard(),
    )


def nav_link(text: str, href: str, here: str, **attrs: Any) -> FT:
    """Make a link that tells whether it leads to the page that it is on."""
    return A(text, href=href, aria_current="page" if href == here else None, **attrs)


def listing(example: ModuleType) -> FT:
    """Show the file that an example runs from."""
    source = source_of(example)
    caption = Figcaption(Code(source.name), Small("the file that runs here"))
    return Figure(caption, code(source.read_text("utf-8"), f"Source of {source.name}"), cls="source")


def code(source: str, label: str) -> FT:
    """Show source in a region that can be scrolled with the keyboard, too."""
    return Pre(Code(highlighted(source)), role="region", aria_label=label, tabindex="0")


def source_of(example: ModuleType) -> Path:
    """Return the file that an example runs from."""
    return Path(str(example.__file__))


def path(example: ModuleType) -> str:
    """Return the address of an example."""
    return f"/{source_of(example).stem.replace('_', '-')}"


def words(example: ModuleType) -> tuple[str, str]:
    """Return the title of an example and what it is about, from its docstring."""
    title, _, about = str(example.__doc__).partition(": ")
    return title, about[0].upper() + about[1:]
