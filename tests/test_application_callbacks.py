"""Every function that an application gives the kit: it may be sync or async, block, and raise."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from fasthtml.common import FT, FastHTML, P, to_xml

from sse_components import (
    Answer,
    Job,
    Kit,
    PresenceList,
    create_broadcast_handler,
    create_progress_stream,
    create_throttled_stream,
    setup_sse,
    sse_generator,
)
from sse_components.access.identity import Principal
from sse_components.compat import HTMXSSEConnector, sse_element
from sse_components.presence import Tab
from tests.support.live_app import LiveApp, run_live_app
from tests.support.patience import patient
from tests.support.published import out_of_band, published_html
from tests.support.rendering import rendering
from tests.support.running import running
from tests.support.serving import until
from tests.support.streams import collect

pytestmark = pytest.mark.anyio

Give = Callable[[Any], Callable[..., Any]]
KINDS = ["sync", "async", "sync, returning an awaitable"]

caller: ContextVar[str] = ContextVar("caller")


class Probe:
    """Makes functions that need the event loop, as a query over a pool of connections does: it must not be blocked."""

    def __init__(self, kind: str) -> None:
        self.loop, self.kind = asyncio.get_running_loop(), kind
        self.calls: list[tuple[bool, str]] = []

    def __call__(self, result: Any) -> Callable[..., Any]:
        """Return a function that needs the loop, and returns a result, or raises it."""

        def answer() -> Any:
            if isinstance(result, Exception):
                raise result
            return result

        def blocking(*args: Any) -> Any:
            answered = threading.Event()
            self.loop.call_soon_threadsafe(answered.set)
            self.calls.append((answered.wait(patient(5)), caller.get("")))
            return answer()

        async def awaiting(*args: Any) -> Any:
            await asyncio.sleep(0)
            self.calls.append((True, caller.get("")))
            return answer()

        return {"sync": blocking, "async": awaiting, KINDS[2]: lambda *args: awaiting(*args)}[self.kind]


# ---------------------------------------------------------------------- where the kit calls an application


async def use_authorize(give: Give) -> Any:
    async with run_live_app(authorize=give(True)) as app:
        browser = app.browser()
        stream = await browser.follow(await browser.grants("todos,news"))
        return stream.status


async def use_authorize_admin(give: Give) -> Any:
    async with run_live_app(authorize_admin=give(True)) as app:
        return "connections" in json.loads(await app.browser().get("/sse/connections"))


async def use_user(give: Give) -> Any:
    async with run_live_app(user=give("ann")) as app:
        browser = app.browser()
        await browser.follow(await browser.grants())
        [connection] = app.streams
        assert connection.subscriber is not None
        return connection.subscriber.principal.user


async def use_element_builder(give: Give) -> Any:
    async with run_live_app(element_builder=give(P("built")), public_broadcast=True) as app:
        browser = app.browser()
        page = await browser.follow(await browser.grants())
        every = await (await browser.open("/sse/broadcast")).until("sse:open")
        await app.sse.broadcast("note", {})
        assert await app.sse.send_to(app.streams[0].connection_id, "note", {})
        return [(await stream.until("<p>built</p>")).status for stream in (page, every)]


async def use_the_builder_of_a_handler(give: Give) -> Any:
    app = FastHTML(secret_key="tests")
    sse = setup_sse(app)
    app.route("/feed")(create_broadcast_handler(sse, give(P("built"))))
    async with running(app) as site:
        streams = [await (await site.open("/feed")).until("sse:open") for _ in range(2)]
        for _ in range(3):
            await sse.broadcast("note", {})
        return [(await stream.until("-3\ndata: <p>built</p>")).texts for stream in streams]


async def use_transform(give: Give) -> Any:
    return await collect(sse_generator(["x"], 0, transform=give("transformed")))


async def use_region(give: Give) -> Any:
    async with Kit() as sse:
        await sse.region("board")(give(P("rendered"))).refresh()
        return published_html(sse, "board")


async def use_reason(give: Give) -> Any:
    async with Kit() as sse:
        job = sse.job("import", reason=give("out of paper"))
        with pytest.raises(OSError, match="secret"):
            async with job:
                raise OSError("secret")
        return job.state, job.reason, "Failed: out of paper" in published_html(sse, "import")[-1]


async def use_the_reason_of_an_answer(give: Give) -> Any:
    async with Kit() as sse:
        answer = sse.tokens("answer", reason=give("no model"))
        with pytest.raises(OSError, match="secret"):
            async with answer:
                raise OSError("secret")
        return answer.state, answer.reason


async def use_ended(give: Give) -> Any:
    frames = create_progress_stream("job", lambda: {"progress": 1}, 0, ended=give(True))()
    return [frame async for frame in frames][-2:]


async def use_on_drop(give: Give) -> Any:
    return [item async for item in create_throttled_stream([1, 2, 3], 0.01, 1, on_drop=give(None))]


PLACES: dict[str, tuple[Callable[[Give], Awaitable[Any]], Any]] = {
    "authorize": (use_authorize, 200),
    "authorize_admin": (use_authorize_admin, True),
    "user": (use_user, "ann"),
    "element_builder": (use_element_builder, [200, 200]),
    "the builder of a handler": (use_the_builder_of_a_handler, [["<p>built</p>"] * 3] * 2),
    "transform": (use_transform, [": Connected\n\n", "data: transformed\n\n", ": Connection closed\n\n"]),
    "region": (use_region, [out_of_band("<template data-sse-morph><p>rendered</p></template>", into="board")]),
    "reason": (use_reason, ("failed", "out of paper", True)),
    "the reason of an answer": (use_the_reason_of_an_answer, ("failed", "no model")),
    "ended": (use_ended, ['id: done\nevent: done\ndata: {"job_id": "job"}\n\n', ": Connection closed\n\n"]),
    "on_drop": (use_on_drop, None),
}  # fmt: skip
# Their tasks belong to the application or to a response, or begin without a context on purpose.
OWN_CONTEXT = {
    "authorize",
    "authorize_admin",
    "user",
    "element_builder",
    "the builder of a handler",
    "region",
    "transform",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_function_may_be_sync_or_async_and_does_not_block_the_event_loop(place: str, kind: str) -> None:
    use, expected = PLACES[place]
    probe = Probe(kind)
    caller.set("me")
    result = await use(probe)
    assert probe.calls
    assert all(loop_was_free for loop_was_free, _ in probe.calls), "the event loop was blocked"
    if place not in OWN_CONTEXT:
        assert {seen for _, seen in probe.calls} == {"me"}
    if expected is not None:
        assert result == expected


async def test_authorize_sees_the_context_of_the_request_and_runs_for_several_channels_at_once() -> None:
    together, seen = threading.Barrier(4), set[str]()

    def authorize(request: Any, channel: str) -> bool:
        seen.add(caller.get("none"))
        together.wait(patient(15))
        return channel != "channel-7"

    class Asks:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            caller.set(f"request of {scope['type']}")
            await self.app(scope, receive, send)

    async with run_live_app(authorize=authorize, middleware=Asks) as app:
        browser = app.browser()
        stream = await browser.follow(await browser.grants(",".join(f"channel-{number}" for number in range(40))))
        assert stream.body.count(b'"channels"') == 40
        assert b'"reason": "forbidden"' in stream.body
    assert seen == {"request of http"}


async def test_broadcasts_keep_their_order_although_their_builder_runs_in_threads() -> None:
    def build(kind: str, data: dict[str, Any]) -> FT:
        threading.Event().wait(0.002 * (5 - data["number"]))
        return P(data["number"])

    async with Kit(element_builder=build) as sse:
        await asyncio.gather(*[sse.broadcast("note", {"number": number}) for number in range(5)])
        assert published_html(sse, "sse:broadcast") == [f"<p>{number}</p>" for number in range(5)]


# ---------------------------------------------------------------------- what raises


@asynccontextmanager
async def no_trouble(caplog: pytest.LogCaptureFixture) -> AsyncIterator[list[str]]:
    """Yield the lines that the kit logs. Fail if asyncio has an error that nobody has looked at."""
    unseen: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    lines = list[str]()
    try:
        yield lines
        gc.collect()
        await asyncio.sleep(0)
        lines += [record.getMessage() for record in caplog.records if record.name == "sse_components"]
    finally:
        loop.set_exception_handler(None)
    assert unseen == []
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def broken_builder(give: Give) -> Any:
    app = FastHTML(secret_key="tests")
    sse = setup_sse(app)
    app.route("/feed")(create_broadcast_handler(sse, give(ValueError("broken"))))
    async with running(app) as site:
        stream = await (await site.open("/feed")).until("sse:open")
        for _ in range(3):
            await sse.broadcast("note", {})
        await until(lambda: all(not connection.busy for connection in sse.registry.get_connections()))  # type: ignore[attr-defined]
        assert stream.status == 200
        assert sse.get_connection_count() == 1


async def broken_region(give: Give) -> Any:
    async with Kit() as sse:
        board = sse.region("board", interval=0.001)(give(ValueError("broken")))
        with pytest.raises(ValueError, match="broken"):
            await board.refresh()
        for _ in range(3):
            board.refresh()
            await asyncio.sleep(0.01)
        board.render = lambda: "mended"
        await until(lambda: refreshed(sse, board))


async def refreshed(sse: Kit, board: Any) -> bool:
    await board.refresh()
    return "mended" in "".join(published_html(sse, "board"))


def reason(give: Give) -> Callable[..., Any]:
    return give(ValueError("broken"))


async def broken_reason(give: Give) -> Any:
    async with Kit() as sse:
        works: list[Job | Answer] = [sse.job("import", reason=reason(give)), sse.tokens("import", reason=reason(give))]
        for work in works:
            with pytest.raises(OSError, match="secret"):
                async with work:
                    raise OSError("secret")
            assert (work.state, work.reason) == ("failed", "something went wrong")
            assert "something went wrong" in published_html(sse, "import")[-1]


async def broken_on_drop(give: Give) -> Any:
    dropping = create_throttled_stream(list(range(9)), 0.001, 1, on_drop=give(ValueError("broken")))
    assert [item async for item in dropping][-1] == 8


async def broken_transform(give: Give) -> Any:
    frames = await collect(sse_generator(["x"], 0, transform=give(ValueError("broken"))))
    assert any("event: sse:error" in frame for frame in frames)


BROKEN: dict[str, tuple[Callable[[Give], Awaitable[Any]], int, str]] = {
    "the builder of a handler": (broken_builder, 1, "an event of channel 'sse:broadcast' could not be rendered"),
    "region": (broken_region, 1, "failed that was called at"),
    "reason": (broken_reason, 2, "reason= of"),
    "on_drop": (broken_on_drop, 1, "on_drop= of a throttled stream failed"),
    "transform": (broken_transform, 1, "the source of a stream failed"),
}


@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("place", BROKEN)
async def test_a_function_that_raises_is_named_in_the_log_once_and_the_kit_goes_on(
    place: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    use, times, words = BROKEN[place]
    async with no_trouble(caplog) as lines:
        await use(Probe(kind))
    named = [line for line in lines if words in line]
    assert named
    assert len(named) <= times + (place == "region"), named  # the first refresh, and those that are sent later


async def test_an_authorize_that_raises_refuses_for_the_moment_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with run_live_app(authorize=Probe("sync")(OSError("no database"))) as app:
        browser = app.browser()
        stream = await (await browser.post(await browser.grants("todos,news"))).to_end()
        assert stream.status == 503
        assert "retry-after" in stream.headers
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "authorize failed for 2 channels" in line


async def test_a_job_whose_task_is_cancelled_while_its_reason_is_asked_for_shows_that_it_has_failed() -> None:
    asked = asyncio.Event()

    async def ask(error: BaseException) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    async with Kit() as sse:
        job = sse.job("import", reason=ask)

        async def work() -> None:
            async with job:
                raise OSError("secret")

        task = asyncio.create_task(work())
        await asked.wait()
        task.cancel()
        await asyncio.wait([task])
        assert (job.state, job.running) == ("failed", False)
        await until(lambda: "Failed" in published_html(sse, "import")[-1])


# ---------------------------------------------------------------------- who is here


def enter(sse: Kit, room: str, *users: str) -> None:
    for number, user in enumerate(users):
        tab = Tab(f"tab_{number:08}", True, frozenset([room]))
        sse.presence.report(f"conn-{number}", Principal(user, f"session-{number}"), [tab])


async def listed(sse: Kit, room: str) -> str:
    channel = f"sse:here/{room}"
    await until(lambda: len(published_html(sse, channel)) > 0)
    return published_html(sse, channel)[-1]


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async with Kit() as sse:
        sse.here.name = str
        yield sse


async def test_the_names_of_people_do_not_block_the_event_loop(kit: Kit) -> None:
    probe = Probe("sync")
    kit.here.name = probe("Ada L.")
    enter(kit, "hall", "ada")
    assert "Ada L." in await listed(kit, "hall")
    assert probe.calls == [(True, "")]


async def test_a_name_that_cannot_be_found_is_the_user_and_the_others_have_theirs(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    def name(person: Any) -> str:
        return {"ada": "Ada L."}[person.user]

    kit.here.name = name
    async with no_trouble(caplog) as lines:
        enter(kit, "hall", "ada", "bob")
        html = await listed(kit, "hall")
        with rendering():
            page = to_xml(PresenceList(kit.here, "hall"))
        enter(kit, "hall", "ada", "bob", "bill")
        await until(lambda: "bill" in published_html(kit, "sse:here/hall")[-1])
    for shown in (html, page):
        assert "Ada L." in shown
        assert "bob" in shown
    assert lines == ["here.name failed for a person in room 'hall'"]


async def test_an_async_name_is_refused_at_once_and_an_awaitable_is_not_shown(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    async def name(person: Any) -> str:
        return "Ada"

    with pytest.raises(TypeError, match=r"^here\.name must be a plain function"):
        kit.here.name = name
    kit.here.name = lambda person: name(person)
    enter(kit, "hall", "ada")
    html = await listed(kit, "hall")
    assert "coroutine" not in html
    assert "ada" in html
    assert "must return a name, not an awaitable" in caplog.text


async def test_a_list_that_is_too_long_for_a_message_shows_some_people_and_how_many_more_there_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Kit(max_message_bytes=5_000) as sse, no_trouble(caplog) as lines:
        assert sse.here.tabs("hall") == 0
        enter(sse, "hall", *[f"user-{number:03}" for number in range(200)])
        html = await listed(sse, "hall")
        assert 'data-count="200"' in html
        assert "user-000" in html
        shown = html.count('class="sse-person"')
        assert 10 < shown < 100
        assert f"and {200 - shown} more" in html
        enter(sse, "hall", "somebody else")
        await until(lambda: "somebody else" in published_html(sse, "sse:here/hall")[-1])
    assert lines == ["the PresenceList of room 'hall' was cut, because it is too long for a message"]


async def test_changes_of_a_room_are_published_in_order_and_the_last_one_wins(kit: Kit) -> None:
    release, calls = threading.Event(), list[str]()

    def name(person: Any) -> str:
        calls.append(person.user)
        if len(calls) == 1:
            release.wait(patient(15))
        return str(person.user)

    kit.here.name = name
    enter(kit, "hall", "ada")
    await until(lambda: calls == ["ada"])
    enter(kit, "hall", "ada", "bob")
    await until(lambda: kit.here._due.get("hall") is True)
    release.set()
    await until(lambda: "bob" in "".join(published_html(kit, "sse:here/hall")[-1:]))
    assert kit.here._due == {}


async def test_a_listener_that_raises_does_not_keep_the_others_from_hearing(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    heard = list[str]()

    def fail(room: str) -> None:
        raise ValueError("broken")

    kit.presence.listen(fail)
    kit.presence.listen(heard.append)
    async with no_trouble(caplog) as lines:
        enter(kit, "hall", "ada")
        await until(lambda: heard == ["hall"])
        await listed(kit, "hall")
    assert lines == ["a listener failed for the presence in room 'hall'"]


# ---------------------------------------------------------------------- the rest


async def test_the_old_decorator_takes_async_functions(kit: Kit) -> None:
    @sse_element(HTMXSSEConnector, "/stream")
    async def panel() -> FT:
        return P("panel")

    with rendering():
        assert "/stream" in to_xml(await panel())


async def test_an_unexpected_error_of_a_stream_ends_it_and_is_logged(
    live: LiveApp, caplog: pytest.LogCaptureFixture
) -> None:
    browser = live.browser()
    stream = await browser.follow(await browser.grants())

    def since(*args: Any) -> Any:
        raise OSError("the disk is gone")

    [connection] = live.streams
    live.sse.fanout.backend.since = since  # type: ignore[method-assign, assignment]
    connection.busy = True
    async with no_trouble(caplog) as lines:
        live.sse.fanout._spawn(live.sse.fanout.catch_up(connection))
        with pytest.raises(ConnectionError):
            await stream.to_end()
    assert lines == ["sending to a stream failed"]
    assert logging.ERROR in [record.levelno for record in caplog.records]


@pytest.fixture
async def live() -> AsyncIterator[LiveApp]:
    async with run_live_app() as app:
        yield app
