from __future__ import annotations

from typing import Any

import pytest
from fasthtml.common import Dd, I, to_xml

from sse_components import ConnectionStats, ConnectionStatus
from sse_components.protocol import STATES

HOSTILE = '"><script>alert(1)</script>'


def test_a_status_is_painted_as_connecting_with_words_for_every_state() -> None:
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
def test_its_words_are_text(name: str) -> None:
    words: dict[str, Any] = {name: HOSTILE}
    assert HOSTILE not in to_xml(ConnectionStatus(**words))
    assert "script&gt;alert(1)" in to_xml(ConnectionStatus(**words))


def test_an_attribute_of_the_users_has_the_last_word() -> None:
    assert ConnectionStatus(tabindex="0").attrs["tabindex"] == "0"
    assert ConnectionStats(data_ago="vor {} s").attrs["data-ago"] == "vor {} s"


def test_numbers_are_painted_as_they_are_known() -> None:
    html = to_xml(ConnectionStats(stats={"active": 3, "total": 4}))
    assert '<dd data-sse-stats="active">3</dd>' in html
    assert '<dd data-sse-stats="total">4</dd>' in html
    assert '<dd data-sse-stats="active">…</dd>' in to_xml(ConnectionStats())


def test_numbers_bring_the_monitor_and_take_more_pairs_and_other_words() -> None:
    stats = ConnectionStats(
        Dd(data_sse_stats="by_type.job"), interval=500, labels={"active": "Offen", "live": HOSTILE}, cls="wide"
    )
    html = to_xml(stats)
    assert 'data-update-interval="500"' in html
    assert 'data-endpoint="/sse/connections"' in html
    assert '<dd data-sse-stats="by_type.job"></dd>' in html
    assert "<dt>Offen</dt>" in html
    assert stats.attrs["data-live"] == HOSTILE
    assert HOSTILE not in html
    assert stats.attrs["class"] == "sse-connection-stats wide"
