"""`wire.py` writes what any conforming parser reads back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sse_components import protocol
from sse_components.errors import ChannelError, WireError
from sse_components.events import wire

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "wire.json").read_text())

# Every line end there is and every one that only looks like it, and what else has tripped parsers.
TRICKY = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\0\ufeff \t:🐨"
TEXT = st.text(st.sampled_from(TRICKY) | st.characters(codec="utf-8"))
NOT_ALLOWED = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xD800, 0xDFFF)]
ONE_LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))
NAME = ONE_LINE.filter(bool)


def read(chunks: Iterable[bytes]) -> Iterator[httpx_sse.ServerSentEvent]:
    """Read a stream with a parser that is not ours."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    yield from httpx_sse.EventSource(httpx.Response(200, headers=headers, content=iter(chunks))).iter_sse()


def in_bytes(frame: bytes) -> list[bytes]:
    return [frame[at : at + 1] for at in range(len(frame))]


def normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def written(fields: dict[str, Any]) -> bytes:
    return wire.comment(fields["comment"]) if "comment" in fields else wire.encode(**fields)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_golden_frame(case: dict[str, Any]) -> None:
    assert written(case["fields"]) == case["frame"].encode()


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_another_parser_reads_a_golden_frame_and_ignores_its_channel(case: dict[str, Any]) -> None:
    events = [(event.event, event.data, event.id) for event in read([case["frame"].encode()])]
    assert events == [(event["type"], event["data"], event["lastEventId"]) for event in case["events"]]


@given(TEXT)
def test_any_data_comes_back_with_its_line_ends_as_lf(data: str) -> None:
    (event,) = read([wire.encode(data)])
    assert event.data == normalised(data)


@given(TEXT, NAME, ONE_LINE, ONE_LINE, st.integers(min_value=0, max_value=2**53))
def test_all_fields_come_back_wherever_the_frame_is_cut(
    data: str, name: str, id: str, channel: str, retry: int
) -> None:
    frame = wire.encode(data, event=name, id=id, channel=channel, retry=retry)
    (event,) = read(in_bytes(frame))
    assert (event.event, event.id, event.retry) == (name, id, retry)
    assert event.data == normalised(data)


@given(st.lists(TEXT))
def test_frames_do_not_run_into_each_other(texts: list[str]) -> None:
    stream = b"".join(wire.encode(text, event="text") for text in texts)
    assert [event.data for event in read([stream])] == [normalised(text) for text in texts]


@given(ONE_LINE)
def test_a_comment_is_no_event(text: str) -> None:
    assert list(read([wire.comment(text)])) == []


@pytest.mark.parametrize("field", ["event", "id", "channel"])
@pytest.mark.parametrize("character", NOT_ALLOWED, ids=ascii)
def test_a_field_with_a_control_character_or_lone_surrogate_is_refused(field: str, character: str) -> None:
    fields: dict[str, Any] = {field: f"a{character}b"}
    with pytest.raises(WireError, match=f"^{field} "):
        wire.encode("", **fields)


@pytest.mark.parametrize("character", NOT_ALLOWED, ids=ascii)
def test_a_comment_with_a_control_character_or_lone_surrogate_is_refused(character: str) -> None:
    with pytest.raises(WireError, match=r"^comment "):
        wire.comment(f"a{character}b")


@pytest.mark.parametrize("field", ["exclude", "only"])
@pytest.mark.parametrize("name", ["", "tab_a tab_b", "tab\nid: 7", "tab_\x00"])
def test_a_tab_that_would_be_another_or_another_field_is_refused(field: str, name: str) -> None:
    fields: dict[str, Any] = {field: ["tab_a", name]}
    with pytest.raises(WireError, match=f"^{field} "):
        wire.encode("", **fields)


@pytest.mark.parametrize("field", ["event", "id", "channel"])
def test_a_field_that_is_no_text_is_refused(field: str) -> None:
    fields: dict[str, Any] = {field: 7}
    with pytest.raises(WireError, match=f"^{field} must be a str, not int"):
        wire.encode("", **fields)


def test_data_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(WireError, match=r"^data .* lone surrogate '\\ud800'"):
        wire.encode("a\ud800b", id="1")


@pytest.mark.parametrize("retry", [-1, 1.5, "1", True])
def test_a_retry_that_is_no_whole_number_from_0_is_refused(retry: Any) -> None:
    with pytest.raises(WireError, match=r"^retry must be a whole number"):
        wire.encode("", retry=retry)


@pytest.mark.parametrize("name", ["todos", "Room", "room 1", "a,b", "user:7", "zoo 🐨", "x" * wire.MAX_NAME_LENGTH])
def test_a_channel_is_what_it_was(name: str) -> None:
    assert wire.check_channel(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a ", "a\u00a0", "x" * (wire.MAX_NAME_LENGTH + 1), protocol.BROADCAST_CHANNEL, "sse:", 7, None],
)
def test_a_channel_that_is_empty_too_long_padded_or_the_kits_own_is_refused(name: Any) -> None:
    with pytest.raises(ChannelError, match=r"^channel "):
        wire.check_channel(name)


def test_the_kits_own_channels_have_its_prefix() -> None:
    name = wire.KitChannel("sse:user/7")
    assert wire.check_channel(name) is name
    with pytest.raises(ChannelError):
        wire.check_channel(str(name))
    with pytest.raises(ChannelError):
        wire.check_channel(wire.KitChannel("sse:a\nb"))


@pytest.mark.parametrize("character", NOT_ALLOWED, ids=ascii)
def test_a_channel_or_event_that_no_frame_can_carry_is_refused_by_name(character: str) -> None:
    with pytest.raises(ChannelError, match=r"^channel "):
        wire.check_channel(f"a{character}b")
    with pytest.raises(WireError, match=r"^event "):
        wire.check_event(f"a{character}b")


@pytest.mark.parametrize("name", ["progress", "todo:added", "Open", "message2", "🐨", "x" * wire.MAX_NAME_LENGTH])
def test_an_event_is_what_it_was(name: str) -> None:
    assert wire.check_event(name) == name


@pytest.mark.parametrize("name", [None, "message"])
def test_message_is_no_event_name_on_the_wire(name: str | None) -> None:
    assert wire.check_event(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a,b", "a\u00a0b", " a", "x" * (wire.MAX_NAME_LENGTH + 1), "open", "error", protocol.OPEN_EVENT, 7],
)
def test_an_event_that_no_page_can_listen_to_is_refused(name: Any) -> None:
    with pytest.raises(WireError, match=r"^event "):
        wire.check_event(name)


@given(NAME.filter(lambda name: name == name.strip()))
def test_a_channel_that_is_allowed_can_be_written(name: str) -> None:
    assume(len(name) <= wire.MAX_NAME_LENGTH and not name.startswith(protocol.CONTROL_PREFIX))
    frame = wire.encode("", id="1", channel=wire.check_channel(name))
    assert f"\nchannel: {name}\n" in frame.decode()


BROWSER, OTHER = 22 * "b", 22 * "c"


@pytest.mark.parametrize(
    ("fields", "own", "others"),
    [
        ({}, b"", b""),
        ({"exclude": [f"tab_one.{BROWSER}"]}, b"exclude: tab_one\n", b""),
        (
            {"exclude": [f"tab_one.{BROWSER}", f"tab_two.{BROWSER}", f"tab_x.{OTHER}"]},
            b"exclude: tab_one tab_two\n",
            b"",
        ),
        ({"exclude": [f"tab_x.{OTHER}"]}, b"", b""),
        ({"only": [f"tab_one.{BROWSER}"]}, b"only: tab_one\n", None),
        ({"only": [f"tab_x.{OTHER}"]}, None, None),
        ({"exclude": [f"tab_x.{OTHER}"], "only": [f"tab_one.{BROWSER}"]}, b"only: tab_one\n", None),
    ],
)
@pytest.mark.parametrize("data", ["x", "exclude: tab_y\nonly: tab_z", ""])
def test_a_browser_gets_the_names_of_its_own_tabs_only(
    fields: dict[str, Any], own: bytes | None, others: bytes | None, data: str
) -> None:
    frame = wire.encode(data, id="e-1", channel="only: todos", event="note", **fields)
    plain = wire.encode(data, id="e-1", channel="only: todos", event="note")
    for browser, line in ((BROWSER, own), (None, others), (22 * "d", others)):
        expected = b"" if line is None else plain.replace(b"event: note", line + b"event: note")
        assert wire.for_browser(frame, browser) == expected
    assert wire.browsers_of(frame) == {name.partition(".")[2] for names in fields.values() for name in names}
    assert wire.browsers_of(wire.encode(data)) == frozenset()
