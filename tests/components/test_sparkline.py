from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest
from fasthtml.common import to_xml
from hypothesis import given
from hypothesis import strategies as st

from sse_components import Kit, MarkupError, NotRunning, Sparkline
from sse_components.components.sparkline import Look, Spark
from tests.support.rendering import rendering
from tests.support.serving import until

pytestmark = pytest.mark.anyio


def svg(values: Any, length: int = 0, **look: Any) -> ElementTree.Element:
    shown = Look(**{"label": "Load", "width": 106, "height": 26, **look}).drawing(values, max(length, len(values)))
    return ElementTree.fromstring(to_xml(shown[0], indent=False))


def path(drawn: ElementTree.Element, cls: str) -> str:
    (found,) = [element.attrib["d"] for element in drawn if element.get("class") == cls]
    return found


def title(drawn: ElementTree.Element) -> str | None:
    return drawn[0].text


def test_a_line_spans_the_drawing_and_has_a_text_alternative() -> None:
    drawn = svg([0, 5, 10], unit=" %")
    assert path(drawn, "sse-spark-line") == "M3.0,23.0 53.0,13.0 103.0,3.0h0"
    assert path(drawn, "sse-spark-area") == "M3.0,23.0 53.0,13.0 103.0,3.0 L103.0,26 3.0,26Z"
    assert path(drawn, "sse-spark-dot") == "M103.0,3.0h0"
    assert title(drawn) == "Load: latest 10 %, lowest 0 %, highest 10 %"


@pytest.mark.parametrize(
    ("values", "line", "said"),
    [
        ([], "", "Load: no values yet"),
        ([None], "", "Load: no values yet"),
        ([4.0], "M103.0,13.0h0", "Load: latest 4, lowest 4, highest 4"),
        ([1.0, None, 2.0], "M3.0,23.0h0M103.0,3.0h0", "Load: latest 2, lowest 1, highest 2"),
        ([1.0, 2.0, None], "M3.0,23.0 53.0,3.0h0", "Load: latest -, lowest 1, highest 2"),
        ([7.0, 7.0], "M3.0,13.0 103.0,13.0h0", "Load: latest 7, lowest 7, highest 7"),
        ([-1.5e308, 1.5e308], "M3.0,23.0 103.0,3.0h0", "Load: latest 1.5e+308, lowest -1.5e+308, highest 1.5e+308"),
    ],
)
def test_gaps_and_extremes_are_drawn(values: list[float | None], line: str, said: str) -> None:
    drawn = svg(values, 0)
    assert (path(drawn, "sse-spark-line"), title(drawn)) == (line, said)


def test_few_values_are_drawn_at_the_right_and_the_range_may_be_set() -> None:
    assert path(svg([50, 150], 3, low=0, high=100), "sse-spark-line") == "M53.0,13.0 103.0,3.0h0"


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=30), st.integers(0, 40))
def test_any_line_stays_inside_the_drawing(values: list[float | None], length: int) -> None:
    points = list(Look("any").points(values, max(length, len(values))))
    assert [point is None for point in points] == [value is None for value in values]
    assert all(3 <= x <= 157.001 and 3 <= y <= 37.001 for x, y in filter(None, points))


async def test_values_of_one_tick_are_sent_in_one_message(sse: Kit) -> None:
    spark, start = sse.sparkline("load", label="<Load>", length=3, interval=0.02), sse.backend.cursor
    await spark.push(1, Decimal("2.5"))
    await spark.push(Fraction(1, 2), math.nan)
    await until(lambda: sse.backend.cursor != start)
    (event,) = sse.backend.since(["load"], start)
    assert b'hx-swap-oob="innerHTML:#load"' in event.frame
    assert b"<title>&lt;Load&gt;: latest -, lowest 0.5, highest 2.5</title>" in event.frame
    assert list(spark.values) == [2.5, 0.5, None]
    with rendering():
        page = to_xml(Sparkline(spark, cls="wide", title="CPU"))
    assert "&lt;Load&gt;: latest -, lowest 0.5, highest 2.5" in page
    assert 'id="load"' in page
    assert 'class="sse-sparkline wide"' in page
    assert sse.sparkline("load") is spark


async def test_values_may_be_pushed_from_threads(sse: Kit) -> None:
    spark, start = sse.sparkline("load", length=1_000, interval=0.02), sse.backend.cursor
    await asyncio.gather(*[asyncio.to_thread(spark.push, *range(100)) for _ in range(10)])
    await until(lambda: sse.backend.cursor != start)
    assert len(spark.values) == 1_000


@pytest.mark.parametrize("value", ["7", b"7", [], object(), 10**400, 1j])
async def test_a_value_that_is_not_a_number_is_refused(sse: Kit, value: Any) -> None:
    spark = sse.sparkline("load")
    with pytest.raises(MarkupError) as caught:
        await spark.push(1, value)
    assert str(caught.value) == f"a sparkline's value must be a number or None, not {value!r}"
    assert not spark.values


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
async def test_a_value_that_is_not_finite_is_a_gap(sse: Kit, value: float | None) -> None:
    spark = sse.sparkline("load")
    await spark.push(value)
    assert list(spark.values) == [None]


def test_push_needs_a_running_manager() -> None:
    sse = Kit()
    sse.start_with_application()
    spark = sse.sparkline("load")
    with pytest.raises(NotRunning):
        spark.push(1)
    assert not spark.values


@pytest.mark.usefixtures("rendered_page")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "Load"}, "Sparkline needs an id of letters, digits, - and _ to be updated by, not None"),
        ({"id": "load"}, "a sparkline needs a label for those who cannot see it"),
        ({"id": "load", "label": "L", "low": 1, "high": 1}, "low must be less than high, not 1 and 1"),
        ({"id": "load", "label": "L", "values": ["a"]}, "a sparkline's value must be a number or None, not 'a'"),
    ],
)
def test_invalid_options_of_a_sparkline_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MarkupError) as caught:
        Sparkline(**options)
    assert str(caught.value) == message


def test_the_length_must_be_positive() -> None:
    with pytest.raises(ValueError, match="length must be a whole number of at least 1, not 0"):
        Spark(Kit(), "load", length=0)


@pytest.mark.usefixtures("rendered_page")
def test_values_may_be_passed_directly() -> None:
    html = to_xml(Sparkline([1, None, 3], id="load", label="Load", latest=False))
    assert "Load: latest 3, lowest 1, highest 3" in html
    assert "aria-hidden" not in html
