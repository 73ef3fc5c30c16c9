from __future__ import annotations

import pytest
from fasthtml.common import Dd, to_xml

from sse_components import ConnectionStats

pytestmark = pytest.mark.usefixtures("rendered_page")
HOSTILE = '"><script>alert(1)</script>'


def test_stats_show_the_given_numbers() -> None:
    html = to_xml(ConnectionStats(stats={"active": 3, "total": 4}))
    assert '<dd data-sse-stats="active">3</dd>' in html
    assert '<dd data-sse-stats="total">4</dd>' in html
    assert '<dd data-sse-stats="active">…</dd>' in to_xml(ConnectionStats())


def test_stats_load_the_monitor_and_take_children_and_words() -> None:
    stats = ConnectionStats(
        Dd(data_sse_stats="by_type.job"), interval=0.5, labels={"active": "Offen", "live": HOSTILE}, cls="wide"
    )
    html = to_xml(stats)
    assert 'data-update-interval="500"' in html
    assert 'data-endpoint="/live/connections"' in html
    assert '<dd data-sse-stats="by_type.job"></dd>' in html
    assert "<dt>Offen</dt>" in html
    assert stats.attrs["data-live"] == HOSTILE
    assert HOSTILE not in html
    assert stats.attrs["class"] == "sse-connection-stats wide"
    assert ConnectionStats(data_ago="vor {} s").attrs["data-ago"] == "vor {} s"


@pytest.mark.parametrize("interval", [0, -1, float("inf"), "1"])
def test_an_interval_must_be_positive(interval: float) -> None:
    with pytest.raises(ValueError, match=r"^interval must be a number above 0, not"):
        ConnectionStats(interval=interval)
