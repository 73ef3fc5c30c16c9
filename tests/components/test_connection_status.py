from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import I, to_xml

from sse_components import ConnectionStatus
from sse_components.errors import MarkupError
from sse_components.protocol import STALE_REASONS, STATES

PAGE = Path(__file__).parents[2] / "static" / "page"
HOSTILE = '"><script>alert(1)</script>'


def test_a_status_starts_as_connecting_with_words_for_every_state() -> None:
    status = ConnectionStatus(I("icon"), live="Verbunden", id="status", cls="wide", data_live_since="2026")
    assert status.attrs["data-sse-state"] == "connecting"
    assert {f"data-{state}" for state in STATES} < set(status.attrs)
    assert status.attrs["data-live"] == "Verbunden"
    assert status.attrs["class"] == "sse-connection-status wide"
    html = to_xml(status)
    assert html.count('role="status"') == 1
    assert '<span role="status">Connecting</span>' in html
    assert '<span aria-hidden="true" class="sse-countdown"></span>' in html
    assert "<i>icon</i>" in html
    assert "<noscript>Live updates need JavaScript</noscript>" in html
    assert "style=" not in html


@pytest.mark.parametrize("name", ["live", "connecting", "countdown", "retry", "noscript"])
def test_words_are_escaped(name: str) -> None:
    words: dict[str, Any] = {name: HOSTILE}
    assert HOSTILE not in to_xml(ConnectionStatus(**words))
    assert "script&gt;alert(1)" in to_xml(ConnectionStatus(**words))


def test_given_attributes_override_the_defaults() -> None:
    assert ConnectionStatus(tabindex="0").attrs["tabindex"] == "0"


def test_a_status_has_words_for_every_reason_why_a_page_is_stale() -> None:
    attributes = ConnectionStatus(reasons={"signed-out": "Sign in"}, reload="Neu laden").attrs
    assert {f"data-reason-{reason}" for reason in STALE_REASONS} < set(attributes)
    assert attributes["data-reason-signed-out"] == "Sign in"
    assert attributes["data-reason-no-get"] == "Out of date"
    assert attributes["data-reload"] == "Neu laden"


def test_a_reason_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MarkupError, match=r"reasons= has \['tired'\]; the reasons are no-get, "):
        ConnectionStatus(reasons={"tired": "Tired"})


def test_the_reasons_are_those_that_the_browser_gives() -> None:
    code = "".join((PAGE / name).read_text() for name in ("heal.js", "fresh-page.js"))
    given = {name for value in re.findall(r"\breason: ([^,}]+)", code) for name in re.findall(r'"([\w-]+)"', value)}
    assert given == {*STALE_REASONS}
