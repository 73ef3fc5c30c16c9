"""The layout of the gallery's pages: header, navigation, cards, and an example beside its source."""

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
from .source import highlight

NAME = "sse_components"
PROMISE = "A handler publishes a piece of HTML, and every tab that shows it is up to date."
HELLO = """\
SSE(channels="todos")  # on the page

sse.publish(           # in a handler
    "todos",
    Li("Milk"),
    target="todos",
    swap="beforeend",
)"""
# Names of the kit that the page of an example lists if its source uses them.
LISTED_NAMES = (*components.__all__, "after_commit")
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<circle cx='8' cy='8' r='6' fill='%2318a06b'/></svg>"
)


def head(stylesheet: str) -> list[FT]:
    """Return the head elements of all pages, without those of htmx and the kit."""
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
            code(HELLO, "The two calls that you need"),
            cls="opening",
        ),
        Section(*(card(example, request) for example in EXAMPLES), aria_label="Examples", cls="cards"),
    )


def card(example: ModuleType, request: Request) -> FT:
    """Return the card of an example: a link to it, and a part of it, live."""
    title, about = title_and_summary(example)
    glance = Div(example.glance(request), cls=f"glance {path(example)[1:]}")
    return Article(H2(A(title, href=path(example))), P(about), glance)


def example_page(example: ModuleType, request: Request) -> tuple[FT, ...]:
    """Show an example beside the source that it runs."""
    title, about = title_and_summary(example)
    stage = Section(example.page(request), aria_label="The example", cls=f"stage {path(example)[1:]}")
    return shell(
        request,
        title,
        hero(title, about, path(example), *names_used(example)),
        Div(stage, listing(example), cls="beside"),
        here=path(example),
    )


def hero(title: str, about: str, href: str, *names: FT) -> FT:
    """Return the title and summary of a page, and a link that opens it in another tab."""
    again = A("Open in another tab", href=href, target="_blank", cls="button")
    return Div(H1(title), P(about), P(again, *names, cls="row"), cls="hero")


def names_used(example: ModuleType) -> list[FT]:
    """Return the names of the kit that an example uses."""
    source = source_of(example).read_text("utf-8")
    return [Code(name) for name in LISTED_NAMES if re.search(rf"\b{name}\b", source)]


def shell(request: Request, title: str, *content: Any, here: str = "/") -> tuple[FT, ...]:
    """Put a page's content between the gallery's header and footer. Their live parts come from the examples."""
    links = [nav_link(title_and_summary(example)[0], path(example), here) for example in EXAMPLES]
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
    """Return a link. `aria-current` marks it if it points to `here`."""
    return A(text, href=href, aria_current="page" if href == here else None, **attrs)


def listing(example: ModuleType) -> FT:
    """Show the source file of an example."""
    source = source_of(example)
    caption = Figcaption(Code(source.name), Small("the file that runs here"))
    return Figure(caption, code(source.read_text("utf-8"), f"Source of {source.name}"), cls="source")


def code(source: str, label: str) -> FT:
    """Show source code in a region that the keyboard can scroll, too."""
    return Pre(Code(highlight(source)), role="region", aria_label=label, tabindex="0")


def source_of(example: ModuleType) -> Path:
    """Return the source file of an example."""
    return Path(str(example.__file__))


def path(example: ModuleType) -> str:
    """Return the URL path of an example."""
    return f"/{source_of(example).stem.replace('_', '-')}"


def title_and_summary(example: ModuleType) -> tuple[str, str]:
    """Return the title and summary of an example, from its docstring."""
    title, _, about = str(example.__doc__).partition(": ")
    return title, about[0].upper() + about[1:]
