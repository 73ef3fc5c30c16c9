"""Programs of the first API, cjm-fasthtml-sse 0.0.6, behave as they did: issue 11, row by row.

`e2e/test_job_queue.py`, `test_system_monitor.py` and `test_silent_chat.py` show the same in browsers.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from fasthtml.common import Div, FastHTML, NotStr, Span, fast_app, sse_message, to_xml
from starlette.routing import Mount
from starlette.testclient import TestClient

from sse_components import (
    BroadcastManager,
    ConnectionRegistry,
    OOBStreamBuilder,
    SetupError,
    StreamConfig,
    WireError,
    cleanup_sse_on_unload,
    create_broadcast_endpoint,
    create_broadcast_handler,
    create_connection_manager_script,
    create_progress_stream,
    create_reconnection_script,
    create_sse_endpoint,
    setup_broadcast_routes,
    setup_sse,
)
from sse_components.events.json_text import to_json_text
from sse_components.events.wire import Frame, frame_parts
from sse_components.html import assets
from tests.support.patience import patient
from tests.support.running import running
from tests.support.serving import Stream

pytestmark = pytest.mark.anyio

Build = Callable[[str, dict[str, Any]], Any]


def builder_of(text: Any) -> OOBStreamBuilder:
    return OOBStreamBuilder().add_element(Span(text), "n")


SWAPPED = '<div hx-swap-oob="innerHTML:#n"><span>&lt;3</span></div>'


# ---------------------------------------------------------------------- 1. what a builder returns


BUILDERS: dict[str, tuple[Build, str | None, str]] = {
    "build()": (lambda kind, data: builder_of(data["n"]).build(), None, SWAPPED),
    "a builder": (lambda kind, data: builder_of(data["n"]), None, SWAPPED),
    "sse_message": (lambda kind, data: sse_message(Span(data["n"]), event="told"), "told", "<span>&lt;3</span>"),
    "HTML": (lambda kind, data: "<b>3</b>", None, "<b>3</b>"),
    "NotStr": (lambda kind, data: NotStr("<b>3</b>"), None, "<b>3</b>"),
    "FT": (lambda kind, data: Div(data["n"]), None, "<div>&lt;3</div>"),
    "a tuple": (lambda kind, data: (Div(data["n"]), "<3"), None, "<div>&lt;3</div>&lt;3"),
}


def texts_of(stream: Stream) -> list[tuple[str | None, str]]:
    """Return the events of a stream and their data, without the kit's own."""
    parts = stream.body.decode().replace("\r\n", "\n").split("\n\n")
    frames = [part for part in parts if "data:" in part and "event: sse:open" not in part]
    return [frame_parts(f"{part}\n\n") for part in frames]


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("where", ["routes", "handler", "manager"])
async def test_what_a_builder_returns_is_sent_as_what_it_is(name: str, where: str) -> None:
    build, event, html = BUILDERS[name]
    app = FastHTML(secret_key="key")
    manager = BroadcastManager(element_builder=build if where == "manager" else None)
    if where == "manager":
        setup_sse(app, manager=manager, public_broadcast=True)
    else:
        setup_broadcast_routes(app, manager, element_builder=build if where == "routes" else None)
        app.route("/own")(create_broadcast_handler(manager, build))
    async with running(app) as site:
        stream = await (await site.open("/own" if where == "handler" else "/sse/broadcast")).until("sse:open")
        await manager.broadcast("note", {"n": "<3"})
        await manager.send_to(next(iter(manager.connections)), "note", {"n": "<3"})
        async with asyncio.timeout(patient(15)):
            while len(texts_of(stream)) < 2:
                await stream.read()
    assert texts_of(stream) == [(event, html)] * 2


@pytest.mark.parametrize("nothing", [None, "", OOBStreamBuilder().build()])
async def test_a_builder_that_makes_nothing_sends_nothing(nothing: Any) -> None:
    app, manager = FastHTML(secret_key="key"), BroadcastManager()
    setup_broadcast_routes(app, manager, element_builder=lambda kind, data: nothing if kind == "none" else "<b>x</b>")
    async with running(app) as site:
        stream = await (await site.open("/sse/broadcast")).until("sse:open")
        await manager.broadcast("none", {})
        await manager.broadcast("some", {})
        await stream.until("<b>x</b>")
    assert texts_of(stream) == [(None, "<b>x</b>")]


def test_the_frames_of_one_message_have_one_event() -> None:
    assert frame_parts("event: a\ndata: 1\n\nevent: a\r\ndata:2\r\n\r\n: a comment\n\n") == ("a", "1\n2")
    with pytest.raises(WireError, match=r"^the frames of one message have one event, not a, message$"):
        frame_parts("event: a\ndata: 1\n\ndata: 2\n\n")


# ---------------------------------------------------------------------- 2. script tags in any app


SCRIPTS = [cleanup_sse_on_unload, create_reconnection_script, create_connection_manager_script]


def loaded(client: TestClient, page: str) -> list[int]:
    """Return the statuses of the scripts that a page loads."""
    sources = [part.partition('"')[0] for part in page.split('src="')[1:]]
    return [client.get(source).status_code for source in sources if "/assets/" in source]


@pytest.mark.parametrize("make", SCRIPTS)
@pytest.mark.parametrize("place", ["headers", "handler", "async handler", "fragment"])
def test_a_tag_works_in_an_app_that_nobody_has_set_up(make: Callable[[], Any], place: str) -> None:
    app, rt = fast_app(secret_key="key", pico=False, hdrs=(make(),) if place == "headers" else ())

    @rt("/")
    def page() -> Any:
        return Div("x"), make() if place == "handler" else None

    @rt("/async")
    async def later() -> Any:
        return Div(make())

    client = TestClient(app)
    path = "/async" if place in ("async handler", "fragment") else "/"
    asked = client.get(path, headers={"hx-request": "1"} if place == "fragment" else {})
    assert loaded(client, asked.text) == [200]


@pytest.mark.parametrize("make", SCRIPTS)
def test_a_tag_works_in_a_mounted_app_and_below_another_prefix(make: Callable[[], Any]) -> None:
    tag = make()
    inner, outer = FastHTML(secret_key="key"), FastHTML(secret_key="key")
    inner.route("/")(lambda: Div(tag))
    outer.router.routes.insert(0, Mount("/inner", inner))
    setup_broadcast_routes(outer, BroadcastManager(), prefix="/live")
    outer.route("/")(lambda: Div(tag))
    client = TestClient(outer)
    pages = [client.get(path).text for path in ("/", "/inner/")]
    assert [loaded(client, page) for page in pages] == [[200], [200]]
    assert "/live/assets/" in pages[0]
    assert "/inner/sse/assets/" in pages[1]


def test_setup_takes_headers_that_have_the_tags() -> None:
    app = FastHTML(secret_key="key", hdrs=[make() for make in SCRIPTS])
    setup_sse(app, prefix="/live")
    app.route("/")(lambda: Div("x"))
    with TestClient(app) as client:
        page = client.get("/").text
        assert page.count("/live/assets/") > 3
        assert 'data-endpoint="/live/connections"' in page
        assert set(loaded(client, page)) == {200}


def test_a_tag_outside_of_any_app_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "mounted", [])
    tag = cleanup_sse_on_unload()
    with pytest.raises(SetupError, match=r"return it from a handler .* or call setup_sse\(app\) first$"):
        to_xml(tag)


# ---------------------------------------------------------------------- 5. connection_id


async def test_an_id_from_the_application_names_the_connection_and_one_from_the_query_is_a_wish() -> None:
    app, manager = FastHTML(secret_key="key"), BroadcastManager()
    setup_broadcast_routes(app, manager)
    handler = create_broadcast_handler(manager)
    app.route("/own")(handler)

    @app.route("/mine")
    async def mine(name: str) -> Any:
        return await handler(f"user-{name}")

    @app.route("/endpoint")
    async def endpoint(name: str) -> Any:
        return await create_broadcast_endpoint(manager, f"user-{name}")

    async with running(app) as site:
        for path in ("/own", "/sse/broadcast"):
            await (await site.open(f"{path}?connection_id=user-ann")).until("sse:open")
        assert not await manager.send_to("user-ann", "note", {})
        wishes = [metadata.get("requested_id") for metadata in manager.connection_metadata.values()]
        assert wishes == ["user-ann"] * 2

        streams = [await (await site.open(f"{path}?name=ann")).until("sse:open") for path in ("/mine", "/endpoint")]
        for stream, text in zip(reversed(streams), ("second", "third"), strict=True):
            assert await manager.send_to("user-ann", "note", {"text": text})
            await stream.until(text)
            await manager.unregister(json.loads(frame_of_open(stream))["connection"])
        assert not await manager.send_to("user-ann", "note", {})


def frame_of_open(stream: Stream) -> str:
    return stream.body.decode().partition("data: ")[2].partition("\n")[0]


async def test_exclude_leaves_out_the_newest_of_an_id() -> None:
    async with BroadcastManager() as manager:
        (first, old), (_, new) = await manager.register("user-1"), await manager.register("user-1")
        assert first == "user-1"
        assert await manager.broadcast("note", {}, exclude={"user-1"}) == 1
        assert (old.qsize(), new.qsize()) == (1, 0)
        for id, queue in manager.connections.items():
            assert await manager.send_to(id, "note", {}), "each has a unique id"
            assert queue.qsize() > 0
        await manager.unregister(first)
        await manager.unregister(first)
        assert await manager.send_to("user-1", "note", {}), "who is gone takes no other with it"


# ---------------------------------------------------------------------- 6. types and data


@pytest.mark.parametrize("kind", ["error", "open", "job progress", "a,b", "sse:open", "sse:x", "", "a\nb", "x" * 300])
async def test_a_broadcast_may_have_any_type(kind: str) -> None:
    app, manager = FastHTML(secret_key="key"), BroadcastManager()
    setup_sse(app, manager=manager, public_broadcast=True)
    async with running(app) as site:
        stream = await (await site.open("/sse/broadcast")).until("sse:open")
        _, queue = await manager.register()
        await manager.broadcast(kind, {"n": 1})
        await stream.until('"n": 1')
        assert (await queue.get()).type == manager.get_history()[0].type == kind
    ((event, text),) = texts_of(stream)
    assert (event, json.loads(text)["type"]) == (None, kind)


@dataclass
class Job:
    """Data of an application's own."""

    name: str


class Unknown:
    """Something that nobody knows."""

    def __str__(self) -> str:
        return "unknown"


DATA = {"at": datetime(2026, 1, 2, tzinfo=UTC), "on": date(2026, 1, 2), "tags": {"b", "a"}, "html": Span("<3")}
MORE: dict[Any, Any] = {
    "job": Job("copy"),
    "price": Decimal("1.50"),
    "id": UUID(int=1),
    "took": timedelta(seconds=2),
    UUID(int=2): (),
}


async def test_data_is_json_only_where_json_is_sent() -> None:
    built: list[dict[str, Any]] = []
    sent = {**DATA, **MORE, "unknown": Unknown()}

    def build(kind: str, data: dict[str, Any]) -> Any:
        built.append(data)
        return Div(f"{data['at']:%d %B}")

    for manager in (BroadcastManager(), BroadcastManager(element_builder=build)):
        app = FastHTML(secret_key="key")
        setup_broadcast_routes(app, manager, element_builder=build)
        async with running(app) as site:
            stream = await (await site.open("/sse/broadcast")).until("sse:open")
            _, queue = await manager.register()
            await manager.broadcast("note", sent)
            await stream.until("<div>02 January</div>")
            assert (await queue.get()).data == sent
        assert built == [sent] * len(built)


async def test_what_was_broadcast_does_not_change_with_the_applications_data() -> None:
    async with BroadcastManager() as manager:
        _, queue = await manager.register()
        data: dict[str, Any] = {"rows": [1], "tags": {"a"}}
        await manager.broadcast("note", data)
        data["rows"].append(2)
        data["tags"].add("b")
        assert (await queue.get()).data == {"rows": [1], "tags": {"a"}}
        manager.get_history()[0].data["rows"].append(3)


def test_json_has_a_form_for_what_programs_use() -> None:
    assert json.loads(to_json_text({**DATA, **MORE})) == {
        "at": "2026-01-02T00:00:00+00:00",
        "on": "2026-01-02",
        "tags": ["a", "b"],
        "html": "<span>&lt;3</span>",
        "job": {"name": "copy"},
        "price": "1.50",
        "id": str(UUID(int=1)),
        "took": 2.0,
        str(UUID(int=2)): [],
    }


@pytest.mark.parametrize("lenient", [False, True])
def test_what_json_has_no_form_for(lenient: bool) -> None:
    for value, text in ((Unknown(), '"unknown"'), ({(1, 2): 3}, '{"(1, 2)": 3}'), (float("inf"), '"inf"')):
        if lenient:
            assert to_json_text(value, lenient=True) == text
        else:
            with pytest.raises((TypeError, ValueError)):
                to_json_text(value)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        to_json_text(circle, lenient=lenient)


async def test_without_a_builder_unknown_data_is_told() -> None:
    async with BroadcastManager() as manager:
        with pytest.raises(TypeError, match=r"^JSON has no form for Unknown; allowed are JSON, dates and times, sets"):
            await manager.broadcast("note", {"x": Unknown()})


# ---------------------------------------------------------------------- 8. views


async def test_programs_read_the_connections_and_cannot_write_them() -> None:
    app = FastHTML(secret_key="key")
    manager = setup_sse(app, public_broadcast=True)
    async with running(app) as site:
        await (await site.open("/sse/broadcast")).until("sse:open")
        id, queue = await manager.register("ann", {"page": "board"})
        assert isinstance(manager.lock, asyncio.Lock)
        assert isinstance(manager.registry.lock, asyncio.Lock)
        async with manager.lock, manager.registry.lock:
            assert len(manager.connections) == len(manager.registry.connections) == 2
            assert manager.connections["ann"] is queue
            assert manager.connection_metadata["ann"]["page"] == "board"
            assert all(datetime.fromisoformat(kept["connected_at"]) for kept in manager.connection_metadata.values())
            assert {id: set(found) for id, found in manager.registry.connections_by_type.items()} == {
                "global": set(manager.connections)
            }
        for view in (manager.connections, manager.connection_metadata, manager.registry.connections):
            with pytest.raises(TypeError):
                view["x"] = 1  # type: ignore[index]
        for found in manager.registry.connections.values():
            found.page = "board"  # type: ignore[attr-defined]
            assert found.page == "board"  # type: ignore[attr-defined]
        for name in manager.connections:
            await manager.unregister(name)
        assert (id in manager.connections, dict(manager.connections)) == (False, {})


async def test_what_is_put_into_the_queue_of_a_stream_reaches_its_client() -> None:
    app = FastHTML(secret_key="key")
    manager = setup_sse(app, public_broadcast=True)
    async with running(app) as site:
        stream = await (await site.open("/sse/broadcast")).until("sse:open")
        (queue,) = manager.connections.values()
        await queue.put("hello")
        await stream.until("data: hello")
        assert (queue.qsize(), queue.empty(), queue.full(), queue.maxsize) == (0, True, False, 100)


# ---------------------------------------------------------------------- 9. times


async def test_times_subtract_and_compare_with_naive_and_aware_times() -> None:
    connection = await ConnectionRegistry().add_connection()
    for present in (datetime.now(), datetime.now(UTC), datetime.now().astimezone()):
        for time in (connection.created_at, connection.last_activity):
            assert timedelta(0) <= present - time < timedelta(minutes=1)
            assert -timedelta(minutes=1) < time - present <= timedelta(0)
            assert time <= present
            assert present >= time
            assert not time > present
            assert not present < time
            assert present < time + timedelta(minutes=5)
    assert connection.created_at.utcoffset() == timedelta(0)
    assert connection.created_at - timedelta(1) < connection.created_at


async def test_the_times_of_streams_are_such_times_too() -> None:
    app = FastHTML(secret_key="key")
    manager = setup_sse(app, public_broadcast=True)
    async with running(app) as site:
        await (await site.open("/sse/broadcast")).until("sse:open")
        (stream,) = manager.registry.get_connections()
        assert abs(datetime.now() - stream.created_at) < timedelta(minutes=1)
        assert abs(datetime.now() - stream.last_activity) < timedelta(minutes=1)


# ---------------------------------------------------------------------- 11. from threads


async def test_a_thread_broadcasts_by_its_separate_loop() -> None:
    """A worker's thread reports as before: `asyncio.run(manager.broadcast(...))`, also `send_to` and `register`."""
    app = FastHTML(secret_key="key")
    manager = BroadcastManager()
    setup_broadcast_routes(app, manager)
    reached: list[Any] = []

    def work() -> None:
        reached.append(asyncio.run(manager.broadcast("job", {"percent": 50})))
        id, queue = asyncio.run(manager.register("worker"))
        reached.append(asyncio.run(manager.send_to(id, "job", {"percent": 100})))
        reached.append(queue.qsize())

    async with running(app) as site:
        stream = await (await site.open("/sse/broadcast")).until("sse:open")
        thread = threading.Thread(target=work)
        thread.start()
        await stream.until('"percent": 50')
        await asyncio.to_thread(thread.join)
    assert reached == [1, True, 1]


# ---------------------------------------------------------------------- 12. progress


def states() -> Callable[[str], Any]:
    left = iter([{"progress": 1, "total": 7}, {"progress": 2, "completed": True}, {"progress": 3}])
    return lambda job_id: next(left)


async def test_a_progress_stream_is_a_handler_and_a_source() -> None:
    app = FastHTML(secret_key="key")
    app.route("/handler")(create_progress_stream("j", states(), 0))
    app.route("/source")(create_sse_endpoint(create_progress_stream("j", states(), 0)))
    iterated = [frame async for frame in create_progress_stream("j", states(), 0)()]
    async with running(app) as site:
        pages = [await (await site.open(path)).until("event: done") for path in ("/handler", "/source")]
    for frames in ("".join(iterated), *(page.body.decode() for page in pages)):
        assert [part for part in frames.split("\n\n") if "data:" in part] == [
            'data: {"progress": 1, "total": 7}',
            'data: {"progress": 2, "completed": true}',
            'id: done\nevent: done\ndata: {"job_id": "j"}',
        ]


# ---------------------------------------------------------------------- 14. numbers


async def test_an_unlimited_queue_takes_everything() -> None:
    async with BroadcastManager(max_queue_size=0, history_limit=0, queue_timeout=0) as manager:
        id, queue = await manager.register()
        for number in range(500):
            assert await manager.broadcast("note", {"n": number}) == 1
        assert await manager.send_to(id, "note", {})
        assert (queue.qsize(), manager.get_history()) == (501, [])


def test_scripts_take_intervals_with_a_fraction() -> None:
    assert create_reconnection_script(check_interval=1500.5).attrs["data-check-interval"] == 1500.5
    assert create_connection_manager_script(update_interval=250.0).attrs["data-update-interval"] == 250.0


# ---------------------------------------------------------------------- 4, 15. own streams


async def test_a_stream_says_its_heartbeat_in_a_header_and_in_each_heartbeat() -> None:
    waiting = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        await waiting.wait()
        yield "x"

    app = FastHTML(secret_key="key")
    app.route("/stream")(create_sse_endpoint(source))
    async with running(app) as site:
        stream = await (await site.open("/stream")).until("Connected")
        assert stream.headers["sse-heartbeat"] == "30"
        waiting.set()


@pytest.mark.parametrize(
    "pieces",
    [
        ["event: a\n", "data: 1\n\n"],
        ["event: a\n", "data: 1\n", "\n"],
        ["event: a\ndata: ", "1", "\n\n"],
        [b"event: a\r\n", b"data: 1\r\n\r\n"],
    ],
)
async def test_frames_in_pieces_stay_frames(pieces: list[Any]) -> None:
    async def source() -> AsyncIterator[Any]:
        for piece in pieces:
            yield piece
        yield Frame("event: done\ndata: \n\n")

    app = FastHTML(secret_key="key")
    app.route("/stream")(create_sse_endpoint(source))
    async with running(app) as site:
        stream = await (await site.open("/stream")).until("event: done")
    assert texts_of(stream)[0] == ("a", "1")


def test_a_heartbeat_of_a_minute_is_said() -> None:
    assert StreamConfig(heartbeat_interval=60, timeout=0).heartbeat_interval == 60
