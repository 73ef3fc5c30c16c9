"""Names in users' HTML, such as `<input name=id>` in a form, do not reach the kit: see `static/dom.js`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.serving import ROOT

STATIC = ROOT / "static"
# Classic scripts, which can import nothing; they run before the page has anything of a user's, or have their own way.
CLASSIC = ("morph/early-changes.js", "components/synced-early.js")
# Modules that read elements which they have not made, and which so may be a form of a user's.
WALKERS = [
    *sorted({f"morph/{path.name}" for path in (STATIC / "morph").glob("*.js")} - {*CLASSIC}),
    *[f"htmx/{name}.js" for name in (
        "bridge copied-swaps copied-tasks dedupe-by-id endless-response event-source-shell first-receiver htmx2 htmx4"
        " lifecycle oob-parts process swap-place tab-header text-update"
    ).split()],
    *[f"components/{name}.js" for name in "live-list live-morphs live-order live-region presence registry".split()],
    *[f"page/{name}.js" for name in (
        "heal morph new-content page-source page-state parse-page replace-stale sources"
    ).split()],
]  # fmt: skip
PROPERTIES = (
    "id children parentElement parentNode attributes isConnected tagName localName nodeName nodeType nodeValue"
    " firstElementChild lastElementChild nextElementSibling previousElementSibling firstChild lastChild nextSibling"
    " previousSibling childNodes ownerDocument innerHTML outerHTML textContent"
).split()
METHODS = (
    "getAttribute setAttribute removeAttribute hasAttribute toggleAttribute closest matches querySelector"
    " querySelectorAll contains append prepend before after remove replaceWith replaceChildren insertBefore appendChild"
    " removeChild cloneNode addEventListener removeEventListener dispatchEvent getElementsByTagName"
    " insertAdjacentElement compareDocumentPosition getRootNode isEqualNode moveBefore getAttributeNames"
).split()
READ = re.compile(rf"(?<![\w#$)\]?])(?<!(?<!\.\.)\.)(this\.#\w+|[a-z_$][\w$]*)\??\.({'|'.join(PROPERTIES)})\b")
CALL = re.compile(rf"(?<![\w#$)\]?])(?<!(?<!\.\.)\.)(this\.#\w+|[a-z_$][\w$]*)\??\.({'|'.join(METHODS)})\(")
TAKEN_APART = re.compile(rf"\{{ ?(?:\w+, )*({'|'.join(PROPERTIES)})\b[^}}]*\}}\)? =>")
DOCUMENT = re.compile(r"(?:(?<![\w.#])|(?<=globalThis\.)|(?<=window\.))document\??\.(?=[a-z])|\} = document\b")
# A template that a module has made, a tree walker, and objects that are no nodes.
NO_FORM = ("this", "super", "template", "walker", "classList", "event", "detail", "style", "element.classList")


def code(path: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate((STATIC / path).read_text().splitlines(), 1):
        if not re.match(r"\s*(\*|//|/\*)", line):
            yield number, line


@pytest.mark.parametrize("path", WALKERS)
def test_a_module_reads_the_elements_of_a_page_as_their_interfaces_have_them(path: str) -> None:
    shadowed = [
        f"{path}:{number}: {found[0]}"
        for number, line in code(path)
        for found in [*READ.finditer(line), *CALL.finditer(line), *TAKEN_APART.finditer(line)]
        if found[1] not in NO_FORM and "no element" not in line
    ]
    assert shadowed == [], "write dom(element).id for element.id: a form's fields shadow its properties"


def test_every_module_reads_the_document_as_its_interface_has_it() -> None:
    modules = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")]
    shadowed = [
        f"{path}:{number}: {line.strip()}"
        for path in modules
        if path not in ("dom.js", *CLASSIC)
        for number, line in code(path)
        if DOCUMENT.search(line)
    ]
    assert shadowed == [], "write dom(document).body for document.body: names in HTML shadow the document's properties"


@pytest.mark.parametrize("line", ["a.id", "this.#list?.children", "[...a.childNodes]", "a.remove()", "({ id }) => id"])
def test_the_rule_finds_what_it_is_for(line: str) -> None:
    assert any(pattern.search(line) for pattern in (READ, CALL, TAKEN_APART))


@pytest.mark.parametrize(
    "line", ["dom(a).id", "dom(this.#list)?.children", "[...dom(a).childNodes]", "dom(a).remove()"]
)
def test_the_rule_accepts_what_is_safe(line: str) -> None:
    assert not any(pattern.search(line) for pattern in (READ, CALL, TAKEN_APART))
