from __future__ import annotations

import asyncio
import gc
import logging
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import FT, to_xml

from sse_components import (
    ConnectionClosed,
    ConnectionRegistry,
    ConnectionState,
    MarkupError,
    SSEConnection,
    WireError,
    cleanup_sse_on_unload,
    create_connection_manager_script,
    create_reconnection_script,
    create_sse_element,
    protocol,
)
from sse_components.delivery.connection import ConnectionQueue
from sse_components.html.assets import version
from tests.support.rendering import rendering

pytestmark = pytest.mark.anyio

STATIC = Path(__file__).parents[2] / "static"
CLOSED = "^the connection is closed$"


def connection(size: int = 1, **options: Any) -> SSEConnection:
    return SSEConnection("id", ConnectionQueue(size), **options)


# ---------------------------------------------------------------------- the queue


async def test_a_closed_queue_gives_what_it_holds_and_then_says_that_it_is_closed() -> None:
    queue = ConnectionQueue(2)
    queue.put_nowait("a")
    await queue.put("b")
    queue.close()
    assert [await queue.get(), queue.get_nowait()] == ["a", "b"]
    for _ in range(2):
        with pytest.raises(ConnectionClosed, match=CLOSED):
            await queue.get()
        with pytest.raises(ConnectionClosed, match=CLOSED):
            queue.get_nowait()


async def test_nothing_goes_into_a_closed_queue_even_a_full_one() -> None:
    for items in ([], ["a"]):
        queue = ConnectionQueue(1)
        for item in items:
            queue.put_nowait(item)
        queue.close()
        queue.close()
        with pytest.raises(ConnectionClosed, match=CLOSED):
            queue.put_nowait("b")
        with pytest.raises(ConnectionClosed, match=CLOSED):
            await queue.put("b")


async def test_all_who_wait_at_a_queue_are_told_that_it_is_closed() -> None:
    queue = ConnectionQueue(1)
    readers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.put_nowait("a")
    queue.close()
    first, *others = await asyncio.gather(*readers, return_exceptions=True)
    assert first == "a"
    assert [type(other) for other in others] == [ConnectionClosed, ConnectionClosed]


async def test_a_queue_that_is_open_is_as_asyncio_has_it() -> None:
    queue = ConnectionQueue(1)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait("a")
    assert queue.full()
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait("b")


# ---------------------------------------------------------------------- a connection


async def test_sending_puts_data_into_the_queue_and_counts() -> None:
    client = connection(2)
    before = client.last_activity
    assert [await client.send("a"), client.offer("b")] == [True, True]
    assert [client.queue.get_nowait(), client.queue.get_nowait()] == ["a", "b"]
    assert client.message_count == 2
    assert client.last_activity >= before


@pytest.mark.parametrize("timeout", [0, 0.001])
async def test_sending_waits_for_room_no_longer_than_it_is_told(timeout: float) -> None:
    client = connection(1)
    assert await client.send("a", timeout=timeout)
    assert not await client.send("b", timeout=timeout)
    assert not client.offer("b")
    assert client.message_count == 1


async def test_sending_goes_on_when_there_is_room() -> None:
    client = connection(1)
    await client.send("a")
    waiting = asyncio.create_task(client.send("b", timeout=60))
    await asyncio.sleep(0)
    assert await client.queue.get() == "a"
    assert await waiting
    assert await client.queue.get() == "b"


async def test_sending_to_a_closed_connection_fails() -> None:
    client = connection()
    client.close()
    assert [await client.send("a"), client.offer("a"), client.message_count] == [False, False, 0]


async def test_sending_fails_when_the_connection_is_closed_meanwhile() -> None:
    client = connection(1)
    await client.send("a")
    waiting = asyncio.create_task(client.send("b", timeout=60))
    await asyncio.sleep(0)
    client.close()
    assert await client.queue.get() == "a"
    assert not await waiting


async def test_any_queue_will_do() -> None:
    client = SSEConnection("id", asyncio.Queue(1))
    assert await client.send("a")
    assert not await client.send("b", timeout=0)
    client.close()
    assert not await client.send("c")


async def test_a_heartbeat_is_a_comment_and_an_activity() -> None:
    client = connection()
    beat = await client.heartbeat()
    assert beat == f": heartbeat {client.last_activity.isoformat()}\n\n"
    assert client.message_count == 0


def test_a_connection_says_where_it_stands() -> None:
    assert connection().state is ConnectionState.CONNECTING
    assert [state for state in ConnectionState if connection(state=state).is_active()] == [
        ConnectionState.CONNECTING,
        ConnectionState.CONNECTED,
    ]


def test_what_has_failed_is_known_to_have_failed() -> None:
    client, states = connection(), []
    for state in (ConnectionState.DISCONNECTED, ConnectionState.ERROR, ConnectionState.DISCONNECTED):
        client.close(state=state)
        states.append(client.state)
    assert states == [ConnectionState.DISCONNECTED, ConnectionState.ERROR, ConnectionState.ERROR]


def test_times_are_told_with_their_zone() -> None:
    client = connection()
    assert client.created_at.utcoffset() == client.last_activity.utcoffset() == timedelta(0)
    assert abs(datetime.now().astimezone() - client.created_at) < timedelta(minutes=1)


def test_connections_are_told_apart_whatever_they_hold() -> None:
    queue = ConnectionQueue()
    assert SSEConnection("id", queue) != SSEConnection("id", queue)
    assert len({SSEConnection("id", queue), SSEConnection("id", queue)}) == 2
    assert SSEConnection("a", queue).metadata is not SSEConnection("b", queue).metadata


# ---------------------------------------------------------------------- the registry


async def test_a_connection_is_added_and_found_and_removed() -> None:
    registry, metadata = ConnectionRegistry(), {"user": "ann"}
    client = await registry.add_connection("one", "user", 3, metadata)
    assert (client.connection_id, client.connection_type, client.queue.maxsize) == ("one", "user", 3)
    assert (client.metadata, client.state) == (metadata, ConnectionState.CONNECTED)
    assert client.metadata is not metadata
    assert registry.get_connection("one") is client
    assert len(registry) == 1
    await registry.remove_connection("one")
    assert (registry.get_connection("one"), len(registry), client.state) == (None, 0, ConnectionState.DISCONNECTED)
    with pytest.raises(ConnectionClosed):
        await client.queue.get()


async def test_removing_what_is_not_there_is_no_error() -> None:
    await ConnectionRegistry().remove_connection("nobody")


@pytest.mark.parametrize("wanted", [None, ""])
async def test_an_id_that_is_not_given_cannot_be_guessed(wanted: str | None) -> None:
    registry = ConnectionRegistry()
    ids = {(await registry.add_connection(wanted)).connection_id for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"conn_[\w-]{16}", id) for id in ids)


async def test_an_id_addresses_the_newest_connection_and_the_older_ones_stay() -> None:
    registry = ConnectionRegistry()
    old, new = await registry.add_connection("ann"), await registry.add_connection("ann")
    assert registry.get_connection("ann") is new
    ids = {found.connection_id for found in (old, new)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"ann\.[\w-]{8}", id) for id in ids)
    assert [registry.get_connection(found.connection_id) for found in (old, new)] == [old, new]
    assert {found.connection_id for found in registry.get_connections()} == ids
    await registry.remove_connection("ann")
    assert not old.is_active(), "it was told this id, the newer one was not"
    assert registry.get_connection("ann") is new


async def test_an_id_addresses_the_connection_before_when_the_newest_has_gone() -> None:
    registry = ConnectionRegistry()
    old, new = await registry.add_connection("ann"), await registry.add_connection("ann")
    registry.remove(new)
    assert registry.get_connection("ann") is old
    third = await registry.add_connection("ann")
    assert registry.get_connection("ann") is third
    for gone in (old, third):
        registry.remove(gone)
    assert (registry.get_connection("ann"), registry.free_id("ann")) == (None, "ann")


async def test_removing_an_old_connection_leaves_the_new_one_with_its_id() -> None:
    registry = ConnectionRegistry()
    old = await registry.add_connection("ann")
    registry.remove(old)
    new = await registry.add_connection("ann")
    registry.remove(old)
    assert registry.get_connection("ann") is new
    assert new.is_active()


async def test_a_connection_that_was_made_elsewhere_is_taken_in_once() -> None:
    registry, client = ConnectionRegistry(), connection()
    registry.add(client)
    registry.add(client)
    assert client.state is ConnectionState.CONNECTED
    with pytest.raises(ValueError, match=r"^connection id 'id' is taken; free_id\(\) gives one that is not$"):
        registry.add(connection())
    assert registry.get_connections() == [client]


async def test_an_id_is_reserved_as_long_as_its_connection_may_still_come() -> None:
    registry, client = ConnectionRegistry(), connection()
    registry.reserve(client)
    assert registry.free_id("id") != "id"
    del client
    gc.collect()
    assert registry.free_id("id") == "id"


async def test_an_id_is_free_again_when_its_connection_has_gone() -> None:
    registry, client = ConnectionRegistry(), connection()
    registry.reserve(client)
    registry.add(client)
    registry.remove(client)
    assert registry.free_id("id") == "id"


async def test_connections_are_listed_by_type_and_by_being_active() -> None:
    registry = ConnectionRegistry()
    job, user = await registry.add_connection(conn_type="job"), await registry.add_connection(conn_type="user")
    user.state = ConnectionState.ERROR
    assert [registry.get_connections(kind) for kind in (None, "job", "user", "")] == [[job, user], [job], [user], []]
    assert [registry.get_active_connections(kind) for kind in (None, "job", "user")] == [[job], [job], []]


async def test_statistics_count_connections_and_their_messages() -> None:
    registry = ConnectionRegistry()
    job, user = await registry.add_connection(conn_type="job"), await registry.add_connection(conn_type="user")
    for addressed in (job, job, user):
        await addressed.send("x")
    user.state = ConnectionState.RECONNECTING
    assert registry.get_stats() == {
        "total": 2,
        "active": 1,
        "by_type": {"job": 1, "user": 1},
        "by_state": {"connected": 1, "reconnecting": 1},
        "message_count": 3,
        "waiting_bytes": 0,
    }


async def test_a_queue_may_be_unlimited() -> None:
    connection = await ConnectionRegistry().add_connection(queue_size=0)
    assert all(connection.offer(number) for number in range(1_000))


async def test_a_queue_has_no_negative_size() -> None:
    with pytest.raises(ValueError, match=r"^queue_size must be a whole number of at least 0, not -1$"):
        await ConnectionRegistry().add_connection(queue_size=-1)


@pytest.mark.parametrize("debug", [True, False])
async def test_comings_and_goings_are_logged_with_their_ids_at_debug_level_only(
    debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    registry = ConnectionRegistry(debug)
    with caplog.at_level(logging.DEBUG, "sse_components"):
        await registry.add_connection("one")
        await registry.remove_connection("one")
    logged = {
        level: [record.message for record in caplog.records if record.levelno == level]
        for level in (logging.DEBUG, logging.INFO)
    }
    assert logged == {
        logging.DEBUG: ["connection added: one", "connection removed: one"],
        logging.INFO: ["connection added: 1 in all", "connection removed: 0 in all"] if debug else [],
    }


# ---------------------------------------------------------------------- create_sse_element


def test_one_element_connects_on_htmx_2_and_on_htmx_4() -> None:
    assert create_sse_element("/jobs/7").attrs == {
        "hx-ext": "sse",
        "data-sse-connect": "/jobs/7",
        "hx-sse-connect": "/jobs/7",
        "hx-sse:connect": "/jobs/7",
        "data-sse-swap": "message",
    }


def test_a_swap_strategy_is_a_way_to_swap_messages() -> None:
    element = create_sse_element("/jobs/7", swap_strategy="beforeend")
    assert (element.attrs["hx-swap"], element.attrs["data-sse-swap"]) == ("beforeend", "message")


@pytest.mark.parametrize(
    ("strategy", "swapped"), [("message", "message"), ("done", "done"), ("a, b ,message", "a,b,message")]
)
def test_a_swap_strategy_is_the_events_to_swap(strategy: str, swapped: str) -> None:
    element = create_sse_element("/jobs/7", swap_strategy=strategy)
    assert element.attrs["data-sse-swap"] == swapped
    assert "hx-swap" not in element.attrs


def test_an_element_takes_an_id_and_any_attribute_and_can_be_hidden() -> None:
    element = create_sse_element("/x?a=1&b=2", "feed", hidden=True, cls="wide", hx_swap="none", hx_ext="sse,ws")
    expected = {
        "hx-ext": "sse,ws",
        "data-sse-connect": "/x?a=1&b=2",
        "hx-sse-connect": "/x?a=1&b=2",
        "hx-sse:connect": "/x?a=1&b=2",
        "data-sse-swap": "message",
        "hidden": True,
        "id": "feed",
        "class": "wide",
        "hx-swap": "none",
    }
    assert element.attrs.items() >= expected.items()
    assert "style" not in element.attrs, "a Content-Security-Policy may forbid it"


@pytest.mark.parametrize("endpoint", ["", "  ", None, 7])
def test_an_element_needs_an_endpoint(endpoint: Any) -> None:
    message = f"endpoint must be the path of an SSE endpoint, not {endpoint!r}"
    with pytest.raises(MarkupError, match=f"^{re.escape(message)}$"):
        create_sse_element(endpoint)


@pytest.mark.parametrize("strategy", ["", "a,,b", "two words", "a\nb", "sse:open"])
def test_an_element_swaps_only_events_that_can_come(strategy: str) -> None:
    with pytest.raises(WireError, match=r"^event "):
        create_sse_element("/x", swap_strategy=strategy)


@pytest.mark.parametrize("name", ["error", "open"])
def test_an_element_swaps_events_that_only_other_streams_can_send(name: str) -> None:
    assert create_sse_element("/x", swap_strategy=f"{name},message").attrs["data-sse-swap"] == f"{name},message"


@pytest.mark.parametrize(
    ("strategy", "swap"),
    [("beforeend show:bottom", "beforeend show:bottom"), ("morph", "morph"), ("append", "beforeend")],
)
def test_a_swap_strategy_may_have_modifiers(strategy: str, swap: str) -> None:
    attrs = create_sse_element("/x", swap_strategy=strategy).attrs
    assert (attrs["hx-swap"], attrs["data-sse-swap"]) == (swap, "message")


def test_a_swap_strategy_may_have_a_target() -> None:
    attrs = create_sse_element("/x", swap_strategy="outerHTML:#y").attrs
    assert (attrs["hx-swap"], attrs["hx-target"]) == ("outerHTML", "#y")


def test_an_event_may_close_the_stream_on_both_generations() -> None:
    attrs = create_sse_element("/x", sse_close="done").attrs
    assert {attrs[name] for name in ("data-sse-close", "hx-sse-close", "hx-sse:close")} == {"done"}
    assert "sse-close" not in attrs, "htmx 4 warns of it"


# ---------------------------------------------------------------------- the scripts

SCRIPTS = {
    "unload.js": cleanup_sse_on_unload,
    "reconnect.js": create_reconnection_script,
    "monitor.js": create_connection_manager_script,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_a_tag_that_loads_a_file_and_has_no_code(name: str) -> None:
    with rendering("/sse"):
        script: FT = SCRIPTS[name]().__ft__()
    assert script.attrs["src"] == f"/sse/assets/{version()}/{name}"
    assert script.attrs["type"] == "module"
    assert "".join(map(str, script.children)) == ""
    assert (STATIC / name).is_file()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_comes_from_where_the_apps_assets_are(name: str) -> None:
    with rendering("/mounted/live"):
        assert SCRIPTS[name]().__ft__().attrs["src"] == f"/mounted/live/assets/{version()}/{name}"
        assert create_connection_manager_script().__ft__().attrs["data-endpoint"] == "/mounted/live/connections"
        assert create_connection_manager_script("/my/own").__ft__().attrs["data-endpoint"] == "/my/own"


def test_settings_travel_in_attributes() -> None:
    assert settings(create_reconnection_script()) == {
        "data-sse-reconnect": True,
        "data-check-interval": 5000,
        "data-max-retries": 5,
        "data-debug": False,
    }
    assert settings(create_reconnection_script(1, 0, True)) == {
        "data-sse-reconnect": True,
        "data-check-interval": 1,
        "data-max-retries": 0,
        "data-debug": True,
    }
    assert settings(create_connection_manager_script()) == {
        "data-sse-monitor": True,
        "data-endpoint": "/sse/connections",
        "data-update-interval": 10000,
    }
    assert settings(create_connection_manager_script("/c", 250)) == {
        "data-sse-monitor": True,
        "data-endpoint": "/c",
        "data-update-interval": 250,
    }


def settings(script: FT) -> dict[str, Any]:
    return {name: value for name, value in script.attrs.items() if name.startswith("data-")}


@pytest.mark.parametrize("name", ["reconnect.js", "monitor.js"])
def test_a_script_reads_the_settings_that_its_tag_has(name: str) -> None:
    # The settings of the one stand in a file of their own, which its sources read, too.
    source = (STATIC / "page" / "limits.js").read_text() + (STATIC / name).read_text()
    ((marker, inline),) = re.findall(r"scriptOptions\(([A-Z_]+), (limits|\{.*?\})\)", source, re.DOTALL)
    options = inline if inline != "limits" else re.findall(r"limits = (\{.*?\});", source, re.DOTALL)[0]
    read = {f"data-{dashed(option)}" for option in re.findall(r"(\w+):", options)}
    assert {getattr(protocol, marker), *read} == set(settings(SCRIPTS[name]()))


def dashed(name: str) -> str:
    """Return the attribute's name for a property of `dataset`."""
    return re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", name)


def test_hostile_settings_stay_in_their_attributes() -> None:
    with rendering():
        markup = to_xml(create_connection_manager_script("\"'></script><script>alert(1)//"), indent=False)
    assert markup.count("<script") == markup.count("</script>") == 1


@pytest.mark.parametrize("value", [0, -1, True, "5000", None])
def test_an_interval_is_a_number_of_milliseconds_above_0(value: Any) -> None:
    message = f"must be a number above 0, not {value!r}$"
    with pytest.raises(ValueError, match=f"^check_interval {message}"):
        create_reconnection_script(check_interval=value)
    with pytest.raises(ValueError, match=f"^update_interval {message}"):
        create_connection_manager_script(update_interval=value)


@pytest.mark.parametrize("value", [-1, 1.5, False, "5", None])
def test_retries_are_a_whole_number_of_at_least_0(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^max_retries must be a whole number of at least 0, not {value!r}$"):
        create_reconnection_script(max_retries=value)


@pytest.mark.parametrize("endpoint", ["", " ", None])
def test_the_monitor_needs_an_endpoint(endpoint: Any) -> None:
    with pytest.raises(MarkupError, match=f"^registry_endpoint must be the path of an SSE endpoint, not {endpoint!r}$"):
        create_connection_manager_script(endpoint)
