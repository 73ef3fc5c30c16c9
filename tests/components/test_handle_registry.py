from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable
from typing import Any

import pytest
from fasthtml.common import FT, FastHTML, Li, to_xml
from starlette.testclient import TestClient

from sse_components import (
    AlreadyRunning,
    BroadcastManager,
    HandleError,
    ItemList,
    Job,
    Kit,
    LiveList,
    LiveText,
    Log,
    LogTail,
    MarkupError,
    PresenceList,
    ProgressBar,
    SetupError,
    Sparkline,
    SyncedInput,
    TabCount,
    TokenStream,
    setup_sse,
)
from sse_components.components.handle_registry import HandleRegistry
from tests.support.rendering import rendering

pytestmark = pytest.mark.anyio


def in_app(make: Callable[[Kit], Any]) -> str:
    """Return what a handler of an application with a kit renders."""
    app = FastHTML(secret_key="tests")
    sse = setup_sse(app)

    @app.route("/")
    def index() -> Any:
        return make(sse)

    with TestClient(app) as client:
        return client.get("/", headers={"hx-request": "true"}).text


# ---------------------------------------------------------------------- options


def test_an_option_with_another_value_is_refused() -> None:
    sse = Kit()
    log = sse.log("build", max_lines=5)
    assert sse.log("build") is sse.log("build", max_lines=5) is log
    message = r"^Log 'build' has max_lines=5 already, and cannot have max_lines=9: give an option once, or the same"
    with pytest.raises(HandleError, match=message):
        sse.log("build", max_lines=9)
    assert log.max_lines == 5


def test_an_option_may_be_given_later() -> None:
    sse = Kit()
    log, spark, text = sse.log("a"), sse.sparkline("a"), sse.text("a")
    log.remember(["1", "2", "3"], "info")
    spark.values.extend([1, 2, 3])
    sse.log("a", max_lines=2, interval=1, channel="logs")
    sse.sparkline("a", length=2, label="Load", low=0, interval=2)
    assert sse.text("a", interval=3, channel="texts") is text
    assert ([line.text for line in log.lines], log.interval, log.channel) == (["2", "3"], 1, "logs")
    assert (list(spark.values), spark.look.label, spark.look.low, spark.interval) == ([2, 3], "Load", 0, 2)
    assert (text.interval, text.channel) == (3, "texts")
    with pytest.raises(HandleError, match="label='Load' already, and cannot have label='CPU'"):
        sse.sparkline("a", label="CPU")


def test_an_invalid_option_is_not_remembered() -> None:
    sse = Kit()
    with pytest.raises(ValueError, match="max_lines must be a whole number of at least 1, not 0"):
        sse.log("build", max_lines=0)
    assert sse.log("build", max_lines=7).max_lines == 7


@pytest.mark.parametrize("method", ["text", "list", "synced", "job", "tokens"])
def test_the_channel_of_a_handle_without_data_is_remembered_too(method: str) -> None:
    get: Any = getattr(Kit(), method)
    assert get("a", channel="one").channel == "one"
    assert get("a").channel == "one"
    with pytest.raises(HandleError, match="has channel='one' already, and cannot have channel='two'"):
        get("a", channel="two")


def test_handles_of_different_kinds_may_have_the_same_id() -> None:
    sse = Kit()
    sse.list("a", channel="lists")
    assert sse.text("a").channel == "a"


# ---------------------------------------------------------------------- life


def test_a_handle_with_data_is_kept_until_forget() -> None:
    sse = Kit()
    sse.log("build", max_lines=2).remember(["1"], "info")
    for number in range(2_000):
        sse.log(f"log-{number}")
    gc.collect()
    assert [line.text for line in sse.log("build").lines] == ["1"]
    sse.forget(sse.log("build"))
    assert (sse.log("build").lines, sse.log("build").max_lines) == ([], 500)


def test_too_many_handles_with_data_are_refused_with_the_limit() -> None:
    sse, handles = Kit(), HandleRegistry(max_handles=2)

    def get(id: str) -> Log:
        return handles.get(Log, id, lambda **options: Log(sse, id, **options))

    first = get("a")
    get("b")
    with pytest.raises(HandleError, match=r"^there are 2 handles that hold data already: forget\(handle\) frees one"):
        get("c")
    assert get("a") is first
    handles.forget(first)
    get("c")


def test_handles_without_data_are_not_limited() -> None:
    sse, handles = Kit(), HandleRegistry(max_handles=2, max_options=3)
    for number in range(10):
        handles.get(ItemList, f"of-{number}", lambda id=f"of-{number}", **options: ItemList(sse, id, **options))
        handles.agree(Job, f"job-{number}", channel="jobs")
    assert handles.options(Job, "job-9") == {"channel": "jobs"}
    assert handles.options(Job, "job-0") == {}


async def test_a_job_is_forgotten_when_it_has_ended(sse: Kit) -> None:
    async with sse.job("export", total=2) as job:
        await job.step()
        with pytest.raises(AlreadyRunning, match="Job 'export' is running"):
            sse.forget(job)
    assert sse.job("export").present is job
    sse.forget(sse.job("export"))
    assert sse.job("export").present.state == "idle"


async def test_threads_get_the_same_handle() -> None:
    sse = Kit()
    found = await asyncio.gather(*[asyncio.to_thread(sse.log, "build") for _ in range(20)])
    assert len(set(map(id, found))) == 1


# ---------------------------------------------------------------------- binding


@pytest.mark.parametrize(
    ("by_handle", "by_id"),
    [
        (lambda sse: ProgressBar(sse.job("a"), "Job"), lambda sse: ProgressBar("a", "Job")),
        (lambda sse: TokenStream(sse.tokens("a"), "Ask"), lambda sse: TokenStream("a", "Ask")),
        (lambda sse: LogTail(sse.log("a", max_lines=7)), lambda sse: LogTail("a")),
        (lambda sse: LogTail(sse.log("a")), lambda sse: LogTail(id="a")),
        (lambda sse: Sparkline(sse.sparkline("a", label="L")), lambda sse: Sparkline("a", label="L")),
        (lambda sse: Sparkline(sse.sparkline("a", label="L")), lambda sse: Sparkline(id=sse.sparkline("a"))),
        (lambda sse: LiveText(1, id=sse.text("a", channel="c")), lambda sse: LiveText(1, id="a")),
        (lambda sse: LiveList(id=sse.list("a", channel="c")), lambda sse: LiveList(id="a")),
        (
            lambda sse: SyncedInput("a", id=sse.synced("a", channel="c"), scope="server"),
            lambda sse: SyncedInput("a", id="a", scope="server"),
        ),
        (lambda sse: TabCount(sse.here, "room"), lambda sse: TabCount(room="room")),
        (lambda sse: PresenceList(sse.here), lambda sse: PresenceList()),
    ],
)
def test_a_component_takes_its_handle_or_its_id(by_handle: Any, by_id: Any) -> None:
    def both(sse: Kit) -> FT:
        sse.log("a").remember(["a line"], "info")
        html = [re.sub(r"sub=[^\"]*", "", to_xml(make(sse))) for make in (by_handle, by_id)]
        return Li(html[0] == html[1], id="same")

    assert ">True</li>" in in_app(both)


def test_an_option_of_a_component_that_conflicts_with_the_handle_is_refused() -> None:
    sse = Kit()
    log, spark = sse.log("a", channel="logs"), sse.sparkline("a", label="Load")
    with rendering():
        makes: list[Callable[[], FT]] = [
            lambda: LogTail(log, channel="other"),
            lambda: LogTail(log, id="b"),
            lambda: Sparkline(spark, label="CPU"),
            lambda: Sparkline(spark, channel="other"),
        ]
        for make in makes:
            with pytest.raises(HandleError, match="already, and cannot have"):
                make()


def test_an_id_needs_the_kit_of_a_request() -> None:
    with pytest.raises(SetupError, match="granted to the page of a request"):
        ProgressBar("export")
    with rendering() as page:
        page.manager = BroadcastManager()
        with pytest.raises(SetupError, match="stands for a handle of a Kit"):
            ProgressBar("export")
        with pytest.raises(SetupError, match=r"pass sse\.here"):
            TabCount()
        assert "a line" in to_xml(LogTail("a line", id="log"))


def test_a_component_refuses_another_kind_of_handle() -> None:
    with rendering(), pytest.raises(MarkupError, match="shows a job, not a log"):
        ProgressBar(Kit().log("a"))  # type: ignore[arg-type]


def test_a_kit_returns_handles_by_class() -> None:
    sse = Kit()
    assert sse.handle(Log, "build", max_lines=3) is sse.log("build")
    with pytest.raises(TypeError, match="an id stands for one of Job, Answer, Log, Spark, Text, ItemList, Synced"):
        sse.handle(HandleRegistry, "a")  # type: ignore[type-var]
