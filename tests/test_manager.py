from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from fasthtml.common import Div, FastHTML, Li, NotStr, Span
from hypothesis import given
from hypothesis import strategies as st

from sse_components import (
    BroadcastManager,
    BroadcastMessage,
    ChannelError,
    ConnectionClosed,
    ConnectionState,
    MarkupError,
    MemoryBackend,
    MessageTooLarge,
    NotRunning,
    WireError,
    create_broadcast_endpoint,
    create_broadcast_handler,
    setup_broadcast_routes,
    setup_sse,
)
from sse_components.backends import Listener
from sse_components.delivery.response import StreamResponse
from sse_components.events.log import Cursor, Event
from tests.support.running import running
from tests.support.serving import Site, Stream, until

pytestmark = pytest.mark.anyio

# What a JSON document can hold, and nothing that changes on the way.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@dataclass
class Item:
    """Data of an application's own."""

    name: str


def data_of(frame: str | bytes) -> str:
    """Return the data of a frame as a page gets it."""
    text = frame.decode() if isinstance(frame, bytes) else frame
    return "\n".join(line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: "))


def published(manager: BroadcastManager, channel: str = "todos") -> list[Event]:
    return manager.backend.since([channel], Cursor(manager.backend.cursor.epoch, 0))


def run_elsewhere(step: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in an event loop of its own, as some do in a thread."""
    return asyncio.run(step)


def finish(step: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        step.send(None)
    except StopIteration as stop:
        return stop.value
    step.close()
    raise AssertionError("it waits for something")


# ---------------------------------------------------------------------- BroadcastMessage


def test_a_message_is_a_dictionary() -> None:
    message = BroadcastMessage("note", {"items": [Item("milk")]}, "2026-01-01T00:00:00", {"priority": "high"})
    assert message.to_dict() == {
        "type": "note",
        "data": {"items": [{"name": "milk"}]},
        "timestamp": "2026-01-01T00:00:00",
        "metadata": {"priority": "high"},
    }


def test_a_message_knows_when_it_was_made() -> None:
    made = datetime.fromisoformat(BroadcastMessage("note", {}).timestamp)
    assert abs(datetime.now().astimezone() - made) < timedelta(minutes=1)


@given(st.dictionaries(st.text(), JSON))
def test_a_message_is_json(data: dict[str, Any]) -> None:
    message = BroadcastMessage("note", data)
    assert json.loads(message.to_json()) == message.to_dict()


@pytest.mark.parametrize("data", [{"x": b"1"}, {"x": object()}, {"x": float("inf")}, {"x": float("nan")}, {(1, 2): 3}])
def test_what_json_has_no_form_for_is_told(data: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        BroadcastMessage("note", data).to_json()


def test_a_message_goes_out_as_json_and_not_as_pythons_repr() -> None:
    message = BroadcastMessage("note", {"done": True, "left": None, "text": 'it\'s "ü"'})
    assert message.to_sse() == f"data: {message.to_json()}\n\n"
    assert '"done": true, "left": null, "text": "it\'s \\"ü\\""' in message.to_sse()


def test_a_message_may_go_out_under_a_name() -> None:
    message = BroadcastMessage("note", {"text": "a\nb"})
    assert message.to_sse("history") == f"event: history\ndata: {message.to_json()}\n\n"
    assert message.to_sse("message") == message.to_sse()


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\ndata: forged", "\0"])
def test_a_newline_in_an_events_name_injects_nothing(name: str) -> None:
    with pytest.raises(WireError, match=r"^event .* anything but control characters and surrogates is allowed$"):
        BroadcastMessage("note", {}).to_sse(name)


# ---------------------------------------------------------------------- making, starting, stopping


@pytest.mark.parametrize(("name", "least"), [("max_queue_size", 0), ("history_limit", 0), ("max_message_bytes", 1)])
@pytest.mark.parametrize("value", [-1, 1.5, float("nan")])
def test_counts_are_whole_numbers(name: str, least: int, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least {least}, not {value!r}$"):
        BroadcastManager(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "range"), [("queue_timeout", "of at least 0"), ("heartbeat", "above 0"), ("grant_seconds", "above 0")]
)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_times_are_numbers_in_their_range(name: str, range: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a number {range}, not {value!r}$"):
        BroadcastManager(**{name: value})  # type: ignore[arg-type]


async def test_a_manager_of_ones_own_starts_when_it_is_first_used() -> None:
    manager = BroadcastManager()
    assert not manager.running
    await manager.publish("todos", "x")
    assert manager.running
    await manager.stop()


async def test_starting_and_stopping_twice_is_allowed() -> None:
    async with BroadcastManager() as manager:
        await manager.start()
        assert (manager.running, manager.closing) == (True, False)
    await manager.stop()
    assert not manager.running


async def test_what_is_stopped_publishes_no_more_until_it_is_started() -> None:
    async with BroadcastManager() as manager:
        await manager.publish("todos", "1")
    for attempt in (manager.broadcast("note", {}), manager.register()):
        with pytest.raises(NotRunning, match=r"^the manager does not run"):
            await attempt
    with pytest.raises(NotRunning, match=r"^the manager does not run"):
        manager.publish("todos", "x")
    async with manager:
        await manager.publish("todos", "2")
        assert [data_of(event.frame) for event in published(manager)] == ["1", "2"]


async def test_stopping_lets_every_reader_go() -> None:
    async with BroadcastManager() as manager:
        _, queue = await manager.register()
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
    with pytest.raises(ConnectionClosed):
        await waiting
    assert manager.get_connection_count() == len(manager.registry) == 0


async def test_a_manager_can_be_used_from_the_loops_of_other_threads() -> None:
    async with BroadcastManager() as manager:
        id, queue = await asyncio.to_thread(asyncio.run, manager.register("mine"))
        assert await asyncio.to_thread(asyncio.run, manager.broadcast("note", {"n": 1})) == 1
        assert await asyncio.to_thread(asyncio.run, manager.send_to(id, "note", {"n": 2}))
        assert [(await queue.get()).data["n"] for _ in range(2)] == [1, 2]
        await asyncio.to_thread(asyncio.run, manager.unregister(id))
        assert manager.get_connection_count() == 0


def test_a_manager_goes_on_in_another_loop_when_its_own_has_ended() -> None:
    manager = BroadcastManager()
    asyncio.run(manager.publish("todos", "1"))
    asyncio.run(manager.publish("todos", "2"))
    assert [data_of(event.frame) for event in published(manager)] == ["1", "2"]


# ---------------------------------------------------------------------- publish


@pytest.mark.parametrize(
    ("elements", "options", "html"),
    [
        ((), {}, ""),
        (("<b>",), {}, "&lt;b&gt;"),
        ((NotStr("<b>x</b>"), Li(1), [Li(2)]), {}, "<b>x</b><li>1</li><li>2</li>"),
        ((Li("a\nb"),), {}, "<li>a\nb</li>"),
        ((Li(1, id="a"),), {"swap": True}, '<li id="a" hx-swap-oob="outerHTML:#a">1</li>'),
        ((Li(1),), {"target": "a"}, '<li id="a" hx-swap-oob="outerHTML:#a">1</li>'),
        ((), {"target": "a", "swap": "delete"}, '<div hx-swap-oob="delete:#a"></div>'),
        (
            (Li(1), Li(2)),
            {"target": "a", "swap": "beforeend"},
            '<div hx-swap-oob="beforeend:#a"><li>1</li><li>2</li></div>',
        ),
        (
            (Li(1, id="a"), Li(2, id="b")),
            {"swap": "outerHTML"},
            '<li id="a" hx-swap-oob="outerHTML:#a">1</li><li id="b" hx-swap-oob="outerHTML:#b">2</li>',
        ),
    ],
)
async def test_elements_are_published_as_html(elements: tuple[Any, ...], options: dict[str, Any], html: str) -> None:
    async with BroadcastManager() as manager:
        id = await manager.publish("todos", *elements, **options)
        (event,) = published(manager)
    assert (event.id, event.channel, data_of(event.frame)) == (id, "todos", html)


async def test_a_message_may_have_an_event_of_its_own() -> None:
    async with BroadcastManager() as manager:
        for name in ("progress", "message", None):
            await manager.publish("todos", "x", event=name)
        assert [b"event: " in event.frame for event in published(manager)] == [True, False, False]


@pytest.mark.parametrize(
    ("exclude", "ids"), [(None, set()), ("me", {"me"}), ({"me", "you"}, {"me", "you"}), (["me"], {"me"})]
)
async def test_connections_can_be_left_out(exclude: Any, ids: set[str]) -> None:
    async with BroadcastManager() as manager:
        await manager.publish("todos", "x", exclude=exclude)
        assert published(manager)[0].exclude_connections == ids


@pytest.mark.parametrize(
    ("channel", "elements", "options", "error", "message"),
    [
        ("a\nb", (), {}, ChannelError, r"channel 'a\\nb' has '\\n'"),
        ("", (), {}, ChannelError, "channel '' must have 1 to 200 characters"),
        ("sse:x", (), {}, ChannelError, "channel 'sse:x' must not start with 'sse:'"),
        ("todos", (), {"event": "a b"}, WireError, "event 'a b' must have 1 to 200 characters, without spaces"),
        ("todos", (), {"event": "sse:open"}, WireError, "event 'sse:open' is taken"),
        ("todos", (Li(1),), {"swap": "inside"}, MarkupError, "unknown swap 'inside'; allowed are: outerHTML, "),
        ("todos", (Li(1),), {"swap": "beforeend"}, MarkupError, "<li> has no id to swap by"),
        ("todos", (Li(1), Li(2)), {"target": "x"}, MarkupError, "outerHTML, and wrap=False, need one FT element"),
        ("todos", (Li(1),), {"target": ""}, MarkupError, "target must be an id, a selector or an element"),
        ("todos", ("\ud800",), {}, WireError, "data is not Unicode text"),
        ("todos", (1_000 * "ü",), {}, MessageTooLarge, "the message has 2000 bytes; max_message_bytes is 1999"),
    ],
)
@pytest.mark.parametrize("threaded", [False, True], ids=["in the loop", "in a thread"])
async def test_what_cannot_be_published_is_told(
    channel: str, elements: Any, options: Any, error: type[Exception], message: str, threaded: bool
) -> None:
    async with BroadcastManager(max_message_bytes=1_999) as manager:
        publish = partial(manager.publish, channel, *elements, **options)
        with pytest.raises(error, match=f"^{message}"):
            await (asyncio.to_thread(publish) if threaded else publish())
        assert manager.backend.cursor.sequence == 0


TAB, OTHER = f"tab_12345678.{22 * 'b'}", f"tab_abcdefgh.{22 * 'c'}"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"exclude": TAB}, f"exclude: {TAB}\n"),
        ({"exclude": [OTHER, TAB, "conn_7", None]}, f"exclude: {TAB} {OTHER}\n"),
        ({"exclude": None, "only": None}, ""),
        ({"exclude": [None]}, ""),
        ({"only": TAB}, f"only: {TAB}\n"),
        ({"only": {TAB, OTHER}}, f"only: {TAB} {OTHER}\n"),
    ],
)
async def test_tabs_can_be_left_out_or_meant_alone(options: dict[str, Any], fields: str) -> None:
    async with BroadcastManager() as manager:
        await manager.publish("todos", "x", **options)
        await asyncio.to_thread(lambda: manager.publish("todos", "x", **options).result(5))
        for event in published(manager):
            assert event.frame.decode() == f"id: {event.id}\nchannel: todos\n{fields}data: x\n\n"


@pytest.mark.parametrize("only", ["ann", "conn_12345678", "tab_12345678", [], [None], [TAB, "ann"]])
async def test_only_tabs_can_be_meant_alone_and_not_nobody(only: Any) -> None:
    async with BroadcastManager() as manager:
        with pytest.raises(WireError, match=r"^only takes tabs, as this_tab\(\) names them, not "):
            await manager.publish("todos", "x", only=only)
        assert published(manager) == []


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 20))
async def test_a_message_has_no_more_bytes_than_it_may(text: str, limit: int) -> None:
    async with BroadcastManager(max_message_bytes=limit) as manager:
        size = len(text.encode())
        if size <= limit:
            await manager.publish("todos", NotStr(text))
        else:
            with pytest.raises(MessageTooLarge, match=f"^the message has {size} bytes; max_message_bytes is {limit}$"):
                await manager.publish("todos", NotStr(text))


# ---------------------------------------------------------------------- publishing in threads


async def test_a_thread_publishes_what_it_had_rendered() -> None:
    async with BroadcastManager() as manager:
        element = Li("before", id="a")

        def job() -> str:
            future = manager.publish("todos", element, event="progress", swap=True, exclude="me")
            element.children = ("after",)
            return future.result(5)

        id = await asyncio.to_thread(job)
        (event,) = published(manager)
    assert (event.id, event.exclude_connections) == (id, frozenset({"me"}))
    assert b"event: progress\n" in event.frame
    assert data_of(event.frame) == '<li id="a" hx-swap-oob="outerHTML:#a">before</li>'


def test_where_nothing_runs_a_call_waits_for_its_await_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    manager = BroadcastManager()
    with pytest.raises(NotRunning, match=r"without an application, await the call$"):
        manager.publish("todos", "x").result()
    assert caplog.messages == []
    manager.publish("todos", "never awaited")
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"a publication was not awaited at {__file__}:")


# ---------------------------------------------------------------------- broadcast, to queues


async def test_a_broadcast_reaches_every_queue_in_order() -> None:
    async with BroadcastManager() as manager:
        queues = [(await manager.register())[1] for _ in range(3)]
        for number in range(3):
            assert await manager.broadcast("note", {"n": number}, {"priority": "high"}) == 3
        for queue in queues:
            messages = [queue.get_nowait() for _ in range(3)]
            assert [(message.type, message.data, message.metadata) for message in messages] == [
                ("note", {"n": number}, {"priority": "high"}) for number in range(3)
            ]


async def test_a_broadcast_leaves_out_whom_it_is_told_to() -> None:
    async with BroadcastManager() as manager:
        (me, mine), (_, yours) = await manager.register("me"), await manager.register("you")
        assert await manager.broadcast("note", {}, exclude={me, "nobody"}) == 1
        assert (mine.empty(), yours.qsize()) == (True, 1)


async def test_a_broadcast_waits_for_nobody() -> None:
    async with BroadcastManager(max_queue_size=1) as manager:
        for _ in range(10):
            await manager.register()
        assert [finish(manager.broadcast("note", {"n": number})) for number in range(2)] == [10, 0]


async def test_a_client_that_does_not_read_is_told_and_the_others_get_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with BroadcastManager(max_queue_size=2) as manager:
        (deaf, full), (_, read) = await manager.register(), await manager.register()
        connection = manager.registry.get_connection(deaf)
        got = []
        for number in range(4):
            await manager.broadcast("note", {"n": number})
            got.append(read.get_nowait().data["n"])
        assert got == [0, 1, 2, 3]
        assert manager.get_connection_count() == 1
        assert connection is not None
        assert connection.state is ConnectionState.ERROR
        assert [full.get_nowait().data["n"] for _ in range(2)] == [0, 1]
        with pytest.raises(ConnectionClosed):
            await full.get()
    assert caplog.messages == ["a connection has not read 2 messages and is closed"]


async def test_a_queue_that_the_registry_has_closed_gets_nothing_and_nobody_complains(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with BroadcastManager() as manager:
        id, queue = await manager.register()
        await manager.registry.remove_connection(id)
        assert await manager.broadcast("note", {}) == 0
        with pytest.raises(ConnectionClosed):
            await queue.get()
    assert caplog.messages == []


async def test_what_is_published_on_a_channel_is_no_broadcast() -> None:
    async with BroadcastManager() as manager:
        _, queue = await manager.register()
        await manager.publish("todos", "x")
        assert (queue.empty(), manager.get_history()) == (True, [])


async def test_a_broadcast_is_an_event_with_the_message_as_json() -> None:
    async with BroadcastManager() as manager:
        await manager.broadcast("note", {"n": 1}, {"priority": "high"})
        (event,) = published(manager, "sse:broadcast")
    assert b"event: note\n" in event.frame
    assert json.loads(data_of(event.frame)) == json.loads(event.message or "")


async def test_an_element_builder_makes_what_pages_get() -> None:
    def build(kind: str, data: dict[str, Any]) -> Any:
        return Span(data["n"]) if kind == "count" else None

    async with BroadcastManager(element_builder=build) as manager:
        _, queue = await manager.register()
        await manager.broadcast("count", {"n": "<3"})
        await manager.broadcast("note", {"n": 4})
        count, note = published(manager, "sse:broadcast")
        assert data_of(count.frame) == "<span>&lt;3</span>"
        assert b"event: " not in count.frame
        assert b"event: note\n" in note.frame, "what it makes nothing of goes out as it is"
        assert [queue.get_nowait().data["n"] for _ in range(2)] == ["<3", 4]


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("note", {"x": 500 * "x"}, MessageTooLarge),
        ("long", {}, MessageTooLarge),
        ("fails", {}, KeyError),
    ],
)
async def test_what_cannot_be_broadcast_is_told(kind: str, data: dict[str, Any], error: type[Exception]) -> None:
    def build(kind: str, data: dict[str, Any]) -> Any:
        return {"long": 500 * "x", "note": "x"}[kind]

    async with BroadcastManager(max_message_bytes=400, element_builder=build) as manager:
        id, queue = await manager.register()
        with pytest.raises(error):
            await manager.broadcast(kind, data)
        with pytest.raises(error):
            await manager.send_to(id, kind, data)
        assert (queue.empty(), manager.get_history()) == (True, [])


# ---------------------------------------------------------------------- history


async def test_the_history_has_the_latest_broadcasts() -> None:
    async with BroadcastManager(history_limit=3) as manager:
        for number in range(5):
            await manager.broadcast("note", {"n": number})
        found = {limit: [message.data["n"] for message in manager.get_history(limit)] for limit in (None, 0, 1, 3, 9)}
        assert found == {None: [2, 3, 4], 0: [], 1: [4], 3: [2, 3, 4], 9: [2, 3, 4]}
        manager.get_history().clear()
        assert len(manager.get_history()) == 3


# ---------------------------------------------------------------------- send_to, to queues


async def test_a_message_goes_to_one_connection_only() -> None:
    async with BroadcastManager() as manager:
        (me, mine), (_, yours) = await manager.register(), await manager.register()
        assert await manager.send_to(me, "note", {"n": 1}, {"priority": "high"})
        message = mine.get_nowait()
        assert (message.type, message.data, message.metadata) == ("note", {"n": 1}, {"priority": "high"})
        assert (yours.empty(), manager.get_history()) == (True, [])


async def test_nobody_is_no_recipient() -> None:
    async with BroadcastManager() as manager:
        assert not await manager.send_to("nobody", "note", {})


async def test_a_full_queue_is_waited_for_no_longer_than_the_time_out() -> None:
    async with BroadcastManager(max_queue_size=1, queue_timeout=0.01) as manager:
        id, queue = await manager.register()
        assert await manager.send_to(id, "note", {"n": 1})
        assert not await manager.send_to(id, "note", {"n": 2})
        assert queue.get_nowait().data == {"n": 1}
        assert await manager.send_to(id, "note", {"n": 3}), "it is not forgotten"


# ---------------------------------------------------------------------- register, unregister


async def test_registering_gives_an_id_and_a_queue() -> None:
    async with BroadcastManager(max_queue_size=7) as manager:
        given = {"user": "ann"}
        id, queue = await manager.register("ann", given)
        connection = manager.registry.get_connection(id)
        assert connection is not None
        assert (id, queue.maxsize) == ("ann", 7)
        assert connection.metadata["user"] == "ann"
        assert datetime.fromisoformat(connection.metadata["connected_at"]).utcoffset() == timedelta(0)
        assert given == {"user": "ann"}
        assert manager.get_connection_count() == 1


async def test_an_id_that_is_taken_addresses_the_newest_connection() -> None:
    async with BroadcastManager() as manager:
        (old, first), (new, second) = await manager.register("ann"), await manager.register("ann")
        assert old == "ann"
        assert re.fullmatch(r"ann\.[\w-]{8}", new)
        await manager.send_to("ann", "note", {})
        assert (first.qsize(), second.qsize()) == (0, 1)


async def test_unregistering_an_old_connection_leaves_the_new_one() -> None:
    async with BroadcastManager() as manager:
        (old, _), (new, queue) = await manager.register("ann"), await manager.register("ann")
        await manager.unregister(old)
        await manager.unregister(old)
        assert manager.get_connection_count() == 1
        assert await manager.broadcast("note", {}) == 1
        assert await manager.send_to(new, "note", {})
        assert queue.qsize() == 2


async def test_unregistering_closes_the_queue() -> None:
    async with BroadcastManager() as manager:
        id, queue = await manager.register()
        await manager.unregister(id)
        await manager.unregister("nobody")
        with pytest.raises(ConnectionClosed):
            await queue.get()
        assert manager.get_connection_count() == 0


async def test_queues_that_are_gone_are_let_go_of() -> None:
    async with BroadcastManager(max_queue_size=1) as manager:
        (leaves, left), (_, full) = await manager.register(), await manager.register()
        gone = [weakref.ref(left), weakref.ref(full)]
        await manager.unregister(leaves)
        del left
        gc.collect()
        assert [ref() is None for ref in gone] == [True, False]
        del full
        for _ in range(2):
            await manager.broadcast("note", {})
        gc.collect()
        assert [ref() is None for ref in gone] == [True, True]


@pytest.mark.parametrize(("debug", "level"), [(True, logging.INFO), (False, logging.DEBUG)])
async def test_broadcasts_are_logged(debug: bool, level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "sse_components"):
        async with BroadcastManager(debug=debug) as manager:
            await manager.register("ann")
            await manager.broadcast("note", {})
    (record,) = [record for record in caplog.records if record.message.startswith("broadcast")]
    assert (record.levelno, record.message) == (level, "broadcast to 1 connections")


# ---------------------------------------------------------------------- streams


def make_app() -> FastHTML:
    return FastHTML(secret_key="tests")


async def opened(site: Site, path: str) -> tuple[Stream, str]:
    """Open a stream, and return it with the id that its connection has."""
    stream = await (await site.open(path)).until("sse:open")
    return stream, str(json.loads(data_of(stream.frames[0]))["connection"])


async def test_the_references_routes_stream_broadcasts_and_tell_their_number() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager)
    async with running(app) as site, manager:
        assert json.loads(await site.get("/sse/status")) == {"connections": 0, "history_size": 0}
        stream, _ = await opened(site, "/sse/broadcast")
        for number in range(3):
            assert await manager.broadcast("note", {"n": number}) == 1
        await stream.until('"n": 2')
        assert [json.loads(text)["data"] for text in stream.texts] == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert [json.loads(text)["type"] for text in stream.texts] == ["note"] * 3
        assert json.loads(await site.get("/sse/status")) == {"connections": 1, "history_size": 3}


async def test_the_references_routes_may_have_another_prefix_and_a_builder() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager, "/live", lambda kind, data: Div(kind) if data else None)
    async with running(app) as site, manager:
        stream, id = await opened(site, "/live/broadcast")
        await manager.broadcast("left-out", {})
        await manager.broadcast("count", {"n": 1})
        assert (await stream.until("count")).texts == ["<div>count</div>"]
        assert not await manager.send_to(id, "left-out", {})
        assert await manager.send_to(id, "for-one", {"n": 1})
        assert (await stream.until("for-one")).texts[1:] == ["<div>for-one</div>"]


async def test_a_stream_is_left_out_as_a_queue_is() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager)
    async with running(app) as site, manager:
        (_, me), (yours, _) = await opened(site, "/sse/broadcast"), await opened(site, "/sse/broadcast")
        assert await manager.broadcast("note", {"n": 1}, exclude={me}) == 1
        await yours.until('"n": 1')


async def test_a_stream_that_leaves_is_counted_no_more() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager)
    async with running(app) as site, manager:
        stream, _ = await opened(site, "/sse/broadcast")
        await stream.close()
        await until(lambda: manager.get_connection_count() == 0)
        assert await manager.broadcast("note", {}) == 0


async def test_the_followers_of_a_channel_are_counted() -> None:
    app, manager = make_app(), BroadcastManager()

    @app.get("/follow/{channel}")
    async def follow(channel: str) -> StreamResponse:
        return await manager.stream([channel, "all"])

    async with running(app) as site, manager:
        stream, _ = await opened(site, "/follow/one")
        await opened(site, "/follow/other")
        counts = [manager.get_connection_count(channel=name) for name in ("one", "other", "all", "none")]
        assert counts == [1, 1, 2, 0]
        await stream.close()
        await until(lambda: manager.get_connection_count(channel="one") == 0)
        with pytest.raises(ChannelError):
            manager.get_connection_count(channel="a\nb")


async def test_unregistering_ends_a_stream() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager)
    async with running(app) as site, manager:
        stream, id = await opened(site, "/sse/broadcast")
        await manager.broadcast("note", {"n": 1})
        await manager.unregister(id)
        assert len((await stream.to_end()).texts) == 1
        assert not await manager.send_to(id, "note", {})
        assert await manager.broadcast("note", {}) == 0


async def test_a_client_cannot_take_over_an_id() -> None:
    app, manager = make_app(), BroadcastManager()
    setup_broadcast_routes(app, manager)
    async with running(app) as site, manager:
        (first, one), (_, other) = [await opened(site, "/sse/broadcast?connection_id=ann") for _ in range(2)]
        assert "ann" not in (one, other)
        assert one != other
        assert not await manager.send_to("ann", "note", {})
        assert await manager.send_to(one, "note", {"n": 1})
        await first.until('"n": 1')
        found = manager.registry.get_connection(one)
        assert found is not None
        assert found.metadata == {"requested_id": "ann"}, "the application may look at it"


async def test_an_endpoint_may_have_an_id_of_the_applications() -> None:
    app, manager = make_app(), BroadcastManager()

    @app.route("/feed")
    async def feed() -> Any:
        return await create_broadcast_endpoint(manager, "ann")

    async with running(app) as site, manager:
        (first, one), (second, other) = await opened(site, "/feed"), await opened(site, "/feed")
        assert one == "ann"
        assert re.fullmatch(r"ann\.[\w-]{8}", other)
        await second.close()
        await until(lambda: manager.get_connection_count() == 1)
        assert await manager.send_to("ann", "note", {"n": 1})
        await first.until('"n": 1')


async def test_endpoints_that_are_made_at_the_same_time_have_ids_of_their_own() -> None:
    async with BroadcastManager() as manager:
        responses = [await create_broadcast_endpoint(manager, "ann") for _ in range(2)]
        assert [response.connection.connection_id == "ann" for response in responses] == [True, False]
        assert (await manager.register("ann"))[0] != "ann"
        del responses
        assert (await manager.register("ann"))[0] == "ann", "an endpoint that is never served frees its id"


async def test_an_endpoint_may_begin_with_recent_history() -> None:
    app, manager = make_app(), BroadcastManager()

    @app.route("/feed")
    async def feed() -> Any:
        return await create_broadcast_endpoint(manager, send_history=True, history_limit=2)

    async with running(app) as site, manager:
        for number in range(3):
            await manager.broadcast("note", {"n": number})
        stream, _ = await opened(site, "/feed")
        await manager.broadcast("note", {"n": 3})
        await stream.until('"n": 3')
        histories = [frame for frame in stream.frames if frame.startswith("event: history\n")]
        assert [json.loads(data_of(frame))["data"]["n"] for frame in histories] == [1, 2]
        assert [json.loads(text)["data"]["n"] for text in stream.texts] == [3]


async def test_an_endpoint_that_is_silent_has_heartbeats() -> None:
    app, manager = make_app(), BroadcastManager()

    @app.route("/feed")
    async def feed() -> Any:
        return await create_broadcast_endpoint(manager, heartbeat_interval=0.01)

    async with running(app) as site, manager:
        stream, _ = await opened(site, "/feed")
        await stream.until("\n\n:\n\n")
        await manager.broadcast("note", {"n": 1})
        await stream.until('"n": 1')


@pytest.mark.parametrize("interval", [0, -1])
async def test_a_heartbeat_interval_is_more_than_0(interval: float) -> None:
    with pytest.raises(ValueError, match=f"^heartbeat_interval must be a number above 0, not {interval}$"):
        await create_broadcast_endpoint(BroadcastManager(), heartbeat_interval=interval)


async def test_a_builder_that_fails_is_logged_and_leaves_the_message_out(caplog: pytest.LogCaptureFixture) -> None:
    app, manager = make_app(), BroadcastManager()
    app.route("/built", methods=["GET"])(create_broadcast_handler(manager, lambda kind, data: Div(data["n"])))
    app.route("/plain", methods=["GET"])(create_broadcast_handler(manager))
    async with running(app) as site, manager:
        (built, _), (plain, _) = await opened(site, "/built"), await opened(site, "/plain")
        await manager.broadcast("bad", {})
        await manager.broadcast("good", {"n": 1})
        assert (await built.until("<div>")).texts == ["<div>1</div>"]
        assert len((await plain.until("good")).texts) == 2
    assert "KeyError: 'n'" in caplog.text


async def test_a_page_gets_what_is_sent_to_it_as_it_gets_broadcasts() -> None:
    app = make_app()
    manager = setup_sse(app, element_builder=lambda kind, data: Span(data["n"]) if data else None)

    @app.route("/feed")
    async def feed() -> Any:
        return await manager.stream("todos", connection_type="page", metadata={"user": "ann"})

    async with running(app) as site:
        stream, id = await opened(site, "/feed")
        (connection,) = manager.registry.get_connections("page")
        assert (connection.connection_id, connection.metadata) == (id, {"user": "ann"})
        await manager.publish("todos", "0")
        await manager.broadcast("count", {"n": 1})
        await manager.send_to(id, "count", {"n": 2})
        await manager.send_to(id, "note", {})
        await stream.until("event: note")
        assert stream.texts == ["0", "<span>1</span>", "<span>2</span>"]
        assert connection.message_count == 4


async def test_a_backend_that_does_not_open_leaves_the_manager_stopped() -> None:
    class Closed(MemoryBackend):
        async def open(self, listener: Listener) -> None:
            raise ConnectionRefusedError("nobody there")

    manager = BroadcastManager(backend=Closed())
    with pytest.raises(ConnectionRefusedError):
        await manager.start()
    assert not manager.running
