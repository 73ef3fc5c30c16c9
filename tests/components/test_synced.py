from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from fasthtml.common import FT, to_xml

from sse_components import Kit, MarkupError, SetupError, SyncedInput, SyncedToggle
from sse_components.protocol import FIELD_KEY
from tests.support.rendering import rendering

pytestmark = pytest.mark.anyio

HOSTILE = "</textarea>\"><script>alert('1')</script>&amp;"


def attributes(component: FT, tag: str = "input") -> dict[str, str | None]:
    """Return what a browser reads as the attributes of the first element with a tag."""
    found: list[dict[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
            if name == tag:
                found.append(dict(attrs))

    Reader().feed(to_xml(component))
    return found[0]


def test_a_browser_field_needs_no_server() -> None:
    component = SyncedInput("title", "Title", value=HOSTILE, cls="wide", maxlength=9)
    field = attributes(component)
    assert component.tag == "label"
    assert field["name"] == "title"
    assert field["value"] == HOSTILE
    assert field["class"] == "sse-synced-input wide"
    assert field["data-sse-synced"] == f"{FIELD_KEY}:title"
    assert field["maxlength"] == "9"
    assert (attributes(component, "script")["src"] or "").endswith("/synced-early.js")
    assert "hx-" not in to_xml(component)


def test_a_textarea_keeps_its_first_newline_and_its_text() -> None:
    html = to_xml(SyncedInput("note", rows=4, value="\n" + HOSTILE, aria_label="Note", key="draft"))
    assert ">\n\n&lt;/textarea&gt;" in html
    assert html.startswith("<div")
    assert f'data-sse-synced="{FIELD_KEY}:draft"' in html


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("component", "said", "trigger"),
    [
        (lambda **options: SyncedInput("text", "Text", value="x", **options), "x", "input delay:300ms"),
        (lambda **options: SyncedToggle("Lamp", name="on", checked=True, **options), "true", "change"),
    ],
)
def test_a_server_field_follows_a_channel_and_sends_its_value(component: Any, said: str, trigger: str) -> None:
    made = component(scope="server", id="it", hx_post="/save")
    assert str(made.attrs["data-sse-connect"]).startswith("/live/stream?sub=")
    field = attributes(made)
    assert (field["id"], field["hx-post"], field["hx-trigger"], field["hx-swap"]) == ("it", "/save", trigger, "none")
    assert attributes(made, "data")["value"] == said
    assert "data-sse-synced" not in field
    assert attributes(component(scope="server", id="it", hx_trigger="blur"))["hx-trigger"] == "blur"


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SyncedInput("a", scope="tab"), "scope must be 'browser' or 'server', not 'tab'"),  # type: ignore[arg-type]
        (lambda: SyncedInput("a", type="password"), "a password must not be sent to other tabs"),
        (lambda: SyncedInput("a", scope="server"), "scope='server' needs an id"),
        (lambda: SyncedInput("a", scope="server", id="a b"), "scope='server' needs an id"),
        (lambda: SyncedToggle("a", scope="server", name="a"), "scope='server' needs an id"),
        (lambda: SyncedToggle("a"), "a switch needs a name="),
        (lambda: SyncedToggle("a", attribute="onclick"), "a switch may set an attribute data-..., or class"),
    ],
)
def test_invalid_combinations_of_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(MarkupError, match=f"^{message}"):
        make()


def test_a_server_field_needs_a_request() -> None:
    with pytest.raises(SetupError):
        to_xml(SyncedInput("a", scope="server", id="a"))


def test_a_toggle_sets_an_attribute_of_html() -> None:
    theme = attributes(SyncedToggle("Dark", attribute="data-theme", on="dark", off="light"))
    assert (theme["role"], theme["type"]) == ("switch", "checkbox")
    assert theme["data-sse-synced"] == "sse:switch::data-theme"
    assert theme["data-sse-media"] == "(prefers-color-scheme: dark)"
    assert (theme["data-sse-on"], theme["data-sse-off"]) == ("dark", "light")
    assert "checked" not in theme
    dense = attributes(SyncedToggle("Dense", attribute="class", on="dense", off="", checked=True))
    assert "data-sse-media" not in dense
    assert "checked" in dense
    assert "data-sse-attribute" not in attributes(SyncedToggle("Plain", name="plain"))


@pytest.mark.parametrize(
    ("value", "said"), [("a\nb", "a\nb"), (True, "true"), (False, "false"), (7, "7"), (HOSTILE, HOSTILE)]
)
async def test_set_publishes_the_value_of_a_field(value: Any, said: str, sse: Kit) -> None:
    begin = sse.backend.cursor
    id = await sse.synced("title").set(value)
    (event,) = sse.backend.since({"title"}, begin)
    assert event.id == id
    html = b"\n".join(line.removeprefix(b"data: ") for line in event.frame.split(b"\n") if line.startswith(b"data: "))
    parsed = HTMLParser()
    assert b'hx-swap-oob="innerHTML:#title-said"' in html
    found: list[Any] = []
    parsed.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))  # type: ignore[method-assign]
    parsed.feed(html.decode())
    assert found[-1] == ("data", {"value": said})


async def test_a_server_field_needs_an_id_that_selectors_can_name(sse: Kit) -> None:
    with pytest.raises(MarkupError, match=r"^a synced field needs an id"):
        sse.synced("a b")


def test_a_browser_remembers_a_field_for_its_application_mount_and_user() -> None:
    keys = []
    for scope in ({"auth": "ann"}, {"auth": "bob"}, {}, {"auth": "ann", "root_path": "/a"}):
        with rendering(**scope) as page:
            field, theme = SyncedInput("title"), SyncedToggle(attribute="data-theme")
            plain = SyncedToggle(name="dense")
            assert attributes(field)["data-sse-synced"] == f"{FIELD_KEY}{page.namespace}:title"
            assert attributes(plain)["data-sse-synced"] == f"sse:switch:{page.namespace}:dense"
            keys.append((attributes(field)["data-sse-synced"], attributes(theme)["data-sse-synced"]))
    fields, themes = zip(*keys, strict=True)
    assert len(set(fields)) == 4
    # The theme belongs to the browser, whoever uses it.
    assert themes[0] == themes[1] == themes[2] != themes[3]


@pytest.mark.parametrize(
    "attributes",
    [
        {"type": "password"},
        {"type": "Password"},
        {"type": " PASSWORD "},
        {"_type": "passWord"},
        {"Type": "password"},
        {"autocomplete": "section-a Current-Password"},
        {"autocomplete": "new-password"},
        {"autocomplete": "one-time-code"},
        {"autocomplete": "cc-number"},
    ],
)
def test_secrets_are_not_synced_however_they_are_written(attributes: dict[str, str]) -> None:
    with pytest.raises(MarkupError, match="must not be sent to other tabs"):
        SyncedInput("secret", "Secret", **attributes)  # type: ignore[arg-type]
