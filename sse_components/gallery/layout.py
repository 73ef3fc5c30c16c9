"""What the gallery's pages have in common: header, navigation, cards, and an example beside its source."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from fasthtml.common import (
    FT,
    H1,
    H2,
    A,
    Article,
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
    Strong,
    Title,
)
from starlette.datastructures import State

from sse_components import SSE, __version__

from .examples import EXAMPLES
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


def index(state: State) -> tuple[FT, ...]:
    """Show a card for each example, live."""
    return shell(
        state,
        "Gallery",
        SSE(channels=[example.CHANNEL for example in EXAMPLES]),
        Section(
            hero("Live pages, in every tab", PROMISE, "/"),
            code(HELLO, "The two calls that it takes"),
            cls="opening",
        ),
        Section(*(card(example, state) for example in EXAMPLES), aria_label="Examples", cls="cards"),
    )


def card(example: ModuleType, state: State) -> FT:
    """Make the card that leads to an example, and shows something of it."""
    title, about = words(example)
    return Article(H2(A(title, href=path(example))), P(about), Div(example.glance(state), cls="glance"))


def example_page(example: ModuleType, state: State) -> tuple[FT, ...]:
    """Show an example beside the source that it runs."""
    title, about = words(example)
    return shell(
        state,
        title,
        hero(title, about, path(example)),
        Div(
            Section(*example.page(state), aria_label="The example", cls="stage"),
            listing(example),
            cls="beside",
        ),
        here=path(example),
    )


def hero(title: str, about: str, href: str) -> FT:
    """Say what a page is about, and offer to open it once more."""
    again = A("Open in another tab", href=href, target="_blank", cls="button")
    return Div(H1(title), P(about), again, cls="hero")


def shell(state: State, title: str, *content: Any, here: str = "/") -> tuple[FT, ...]:
    """Put a page's content between the gallery's header and footer."""
    links = [nav_link(words(example)[0], path(example), here) for example in EXAMPLES]
    return (
        Title(f"{title} · {NAME}"),
        A("Skip to the content", href="#content", cls="skip"),
        Header(
            nav_link(NAME, "/", here, cls="brand"),
            Nav(*links, aria_label="Gallery"),
            tabs(state.sse.get_connection_count()),
        ),
        Main(*content, id="content", tabindex="-1"),
        Footer(P(f"{NAME} {__version__} on htmx {state.htmx}")),
    )


def nav_link(text: str, href: str, here: str, **attrs: Any) -> FT:
    """Make a link that tells whether it leads to the page that it is on."""
    return A(text, href=href, aria_current="page" if href == here else None, **attrs)


def tabs(count: int) -> FT:
    """Show how many tabs are open."""
    return P(Strong(count), f" tab{'' if count == 1 else 's'} open", id="tabs")


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
