from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from fasthtml.common import B

from sse_components import HandleError, Kit, LiveText, MarkupError, Text
from tests.support.published import out_of_band, published_html
from tests.support.serving import until

pytestmark = pytest.mark.anyio

TAB = f"tab_0123456789abcdef.{22 * 'b'}"


def swaps(*values: object, id: str = "cpu") -> list[str]:
    return [out_of_band(value, into=id, swap="innerHTML") for value in values]


@pytest.mark.usefixtures("rendered_page")
def test_a_text_has_the_attributes_for_screen_readers() -> None:
    names = ("data-sse-live-text", "data-sse-label", "data-sse-pause")
    announced = LiveText(42, id="cpu", live="assertive", label="Load", announced=0.5, tag="output")
    assert (announced.tag, announced.children) == ("output", (42,))
    assert [announced.attrs[name] for name in names] == ["assertive", "Load", 500]
    assert not any(name in LiveText(42, id="cpu", live="off").attrs for name in names)


def test_invalid_options_are_refused() -> None:
    with pytest.raises(MarkupError, match=r"^live must be one of polite, assertive, off, not 'loud'$"):
        LiveText(id="cpu", live="loud")
    with pytest.raises(ValueError, match=r"^announced must be a number of at least 0, not -1$"):
        LiveText(id="cpu", announced=-1)
    with pytest.raises(ValueError, match=r"^interval must be a number above 0, not 0$"):
        Kit().text("cpu", interval=0)


@pytest.mark.usefixtures("rendered_page")
def test_a_handle_may_be_passed_as_the_id() -> None:
    element = LiveText(1, id=Kit().text("cpu", channel="numbers"))
    assert element.attrs["id"] == "cpu"
    with pytest.raises(HandleError, match=r"^Text 'cpu' has channel='numbers' already, and cannot have channel='b'"):
        LiveText(1, id=Kit().text("cpu", channel="numbers"), channel="b")
    with pytest.raises(MarkupError, match=r"^LiveText shows a text, not a list$"):
        LiveText(1, id=Kit().list("cpu"))  # type: ignore[arg-type]


async def test_the_first_value_is_sent_at_once_and_of_a_burst_the_last(sse: Kit) -> None:
    text = sse.text("cpu", interval=0.05)
    ids = [await text.set(f"{number} %") for number in range(100)]
    assert published_html(sse, "cpu") == swaps("0 %")
    await until(lambda: len(published_html(sse, "cpu")) > 1)
    assert published_html(sse, "cpu") == swaps("0 %", "99 %")
    assert ids[0] != ""
    assert set(ids[1:]) == {""}


async def test_set_works_without_await(sse: Kit) -> None:
    sse.text("cpu").set(1)
    assert published_html(sse, "cpu") == swaps(1)
    sse.text("cpu").set(2)
    sse.text("cpu").set(3)
    await until(lambda: len(published_html(sse, "cpu")) > 1)
    assert published_html(sse, "cpu") == swaps(1, 3)


async def test_a_value_may_be_ft_and_go_to_another_channel(sse: Kit) -> None:
    await sse.text("a", channel="numbers").set(B("<1>"))
    await sse.text("b", channel="numbers").set(2)
    assert published_html(sse, "numbers") == [*swaps("<b>&lt;1&gt;</b>", id="a"), *swaps(2, id="b")]


async def test_it_is_set_from_threads_in_order(sse: Kit) -> None:
    def work() -> None:
        assert sse.text("cpu").set("thread").result(5) != ""
        sse.publish("cpu", "after").result(5)

    await asyncio.to_thread(work)
    assert published_html(sse, "cpu") == [*swaps("thread"), "after"]


async def test_a_tab_is_excluded_only_if_all_changes_of_a_message_exclude_it(sse: Kit) -> None:
    def frames() -> list[str]:
        return [event.frame.decode() for event in sse.backend.since(["cpu"], before)]

    before = sse.backend.cursor
    text = sse.text("cpu", interval=0.02)
    text.set(1, exclude=TAB)
    text.set(2, exclude=[TAB, None])
    text.set(3, exclude=[TAB, "tab_of_somebody_else"])
    await until(lambda: len(frames()) == 2)
    text.set(4, exclude=TAB)
    text.set(5)
    await until(lambda: ">5<" in frames()[-1])
    assert [f"\nexclude: {TAB}\n" in frame for frame in frames()] == [True, True, False]


async def test_a_value_that_cannot_be_sent_later_is_logged_with_its_place(
    sse: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    text = sse.text("cpu", interval=0.01)
    text.set("short")
    text.set("x" * sse.max_message_bytes)
    await until(lambda: bool(caplog.records))
    assert f"an update failed that was called at {__file__}:" in caplog.text
    assert "MessageTooLarge" in caplog.text
    text.set("short again")
    await until(lambda: "short again" in published_html(sse, "cpu")[-1])


def test_pending_changes_are_dropped_when_the_application_stops(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Kit() as sse:
            text = sse.text("cpu", interval=0.01)
            text.set(1)
            text.set(2)
        waits = weakref.ref(text)
        del text
        await until(lambda: gc.collect() >= 0 and waits() is None)  # its timer has fired

    asyncio.run(run())
    assert caplog.records == []


def test_a_handle_works_in_a_new_event_loop_after_the_first_has_ended() -> None:
    sse = Kit()
    text = Text(sse, "cpu", interval=60)

    async def run(value: int) -> list[str]:
        async with sse:
            text.set(value)
            return published_html(sse, "cpu")

    assert asyncio.run(run(1))[-1:] == swaps(1)
    assert asyncio.run(run(2))[-1:] == swaps(2)


async def test_many_threads_at_once_send_the_last_value(sse: Kit) -> None:
    text = sse.text("cpu", interval=0.01)

    def work() -> None:
        for number in range(100):
            text.set(number)

    await asyncio.gather(*[asyncio.to_thread(work) for _ in range(4)])
    await until(lambda: published_html(sse, "cpu")[-1:] == swaps(99))
