from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup, Tag
from fasthtml.common import FastHTML
from hypothesis import given
from hypothesis import strategies as st

import sse_components
from sse_components import BroadcastManager
from sse_components.delivery.feed import StreamConnection
from sse_components.gallery import create_app
from sse_components.gallery.examples import EXAMPLES, access_log, connection, machine
from sse_components.gallery.layout import LISTED_NAMES, path, source_of
from sse_components.gallery.source import highlight
from tests.support.patience import patient
from tests.support.serving import serving, until

pytestmark = pytest.mark.anyio

PACKAGE = Path(sse_components.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = ["/", *map(path, EXAMPLES)]
HOSTILE = """<script>alert(1)</script><img src=x onerror="alert(2)">'&amp;"""


class Gallery:
    """The gallery, running in this event loop, and a client of it."""

    def __init__(self, app: FastHTML, client: httpx.AsyncClient) -> None:
        self.sse, self.client = app.state.sse, client

    async def page(self, address: str) -> BeautifulSoup:
        response = await self.client.get(address)
        assert response.status_code == 200
        return BeautifulSoup(response.text, "html.parser")

    async def post(self, address: str, **form: Any) -> None:
        response = await self.client.post(address, data=form, headers={"hx-request": "true"})
        assert response.status_code == 200

    async def todos(self) -> dict[str, bool]:
        """Return the titles on the page, and whether they are ticked."""
        items = (await self.page("/todos")).select("#todos li")
        return {find(item, "label").get_text(): find(item, "input").has_attr("checked") for item in items}

    def published(self, channel: str) -> list[str]:
        return [event.frame.decode() for event in self.sse.backend.log.latest(channel)]


def find(page: Tag, selector: str) -> Tag:
    element = page.select_one(selector)
    assert element is not None, selector
    return element


@asynccontextmanager
async def open_gallery(**options: Any) -> AsyncIterator[Gallery]:
    app = create_app(**options)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    async with app.state.sse, app.router.lifespan_context(app), client:
        yield Gallery(app, client)


@pytest.mark.parametrize("htmx", [2, 4])
@pytest.mark.parametrize("address", PAGES)
async def test_a_page_has_its_landmarks_and_nothing_inline(address: str, htmx: int) -> None:
    async with open_gallery(htmx=htmx) as gallery:
        page = await gallery.page(address)
    assert find(page, "html")["lang"] == "en"
    once = ("header", "nav", "main", "body > footer", "h1", "#tabs", "#status", "#breaking", ".sse-toasts")
    assert [len(page.select(selector)) for selector in once] == [1] * len(once)
    assert [link["href"] for link in page.select("a[target=_blank]")] == [address]
    assert page.select("[style], style, script:not([src])") == []
    assert f"htmx.org@{htmx}." in str(page.head)
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("example", EXAMPLES, ids=path)
async def test_an_example_is_shown_beside_its_source(example: Any) -> None:
    async with open_gallery() as gallery:
        page = await gallery.page(path(example))
    source = find(page, ".source pre")
    assert source.get_text() == source_of(example).read_text("utf-8")
    assert source.select(".keyword, .string, .name")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_highlighting_keeps_the_text_of_every_module(file: Path) -> None:
    assert highlighted_text(file.read_text("utf-8")) == file.read_text("utf-8")


@given(st.text("ab<&\"'\u2028é🥚 ="))
def test_highlighting_keeps_the_text_of_any_string(inside: str) -> None:
    source = f"a = {inside!r}  # {inside}\nb = f'{{a!r:>{{a}}}} {{{{<b>}}}}'\n"
    assert highlighted_text(source) == source


def highlighted_text(source: str) -> str:
    return BeautifulSoup(f"<pre>{highlight(source)}</pre>", "html.parser").get_text()


async def test_adding_checking_and_deleting_a_todo_publish_one_message_each() -> None:
    async with open_gallery() as gallery:
        [*welcome] = await gallery.todos()
        await gallery.post("/todos/add", title=f" {HOSTILE} ")
        assert await gallery.todos() == {**dict.fromkeys(welcome, False), HOSTILE: False}
        await gallery.post("/todos/check?id=4", done="on")
        assert await gallery.todos() == {**dict.fromkeys(welcome, False), HOSTILE: True}
        await gallery.post("/todos/check?id=4")
        await gallery.post("/todos/delete?id=4")
        assert list(await gallery.todos()) == welcome
        added, ticked, unticked, deleted = gallery.published("todos")
        assert "beforeend:#todos" in added
        assert "4 of 4 left" in added
        assert "<script" not in added
        assert "3 of 4 left" in ticked
        assert "4 of 4 left" in unticked
        assert "delete:#todo-4" in deleted


@pytest.mark.parametrize("change", ["/todos/check?id=99", "/todos/delete?id=99", "/todos/add?title=%20"])
async def test_a_request_that_changes_no_todo_publishes_nothing(change: str) -> None:
    async with open_gallery() as gallery:
        await gallery.post(change)
        assert gallery.published("todos") == []


async def test_todos_change_by_post_only() -> None:
    async with open_gallery() as gallery:
        assert (await gallery.client.get("/todos/delete?id=1")).status_code == 405
        assert len(await gallery.todos()) == 3


async def test_a_database_file_and_its_key_survive_a_restart(tmp_path: Path) -> None:
    db = str(tmp_path / "todos.db")
    async with open_gallery(db=db) as gallery:
        await gallery.post("/todos/add", title="milk")
        address = find(await gallery.page("/todos"), "[data-sse-connect]")["data-sse-connect"]
        cookies = gallery.client.cookies
    async with open_gallery(db=db) as gallery:
        gallery.client.cookies = cookies
        assert await gallery.todos() == {"milk": False}
        grants = str(address).partition("sub=")[2]
        # Signed with the same key, but by a process whose log is gone: the page fetches itself again.
        (denied,) = (await gallery.client.get(f"/sse/stream?sub={grants}")).json()["denied"]
        assert denied["reason"] == "expired"
    assert names(tmp_path) == ["todos.db", "todos.db.key"]


async def test_the_gallery_writes_no_file_unless_it_gets_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_gallery() as gallery:
        await gallery.post("/todos/add", title="milk")
    assert names(tmp_path) == []


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_the_examples_show_every_component() -> None:
    async with open_gallery() as gallery:
        pages = [await gallery.page(path(example)) for example in EXAMPLES]
    assert {part.get_text() for page in pages for part in page.select(".hero .row code")} == set(LISTED_NAMES)


async def test_the_access_log_has_every_request_but_assets_without_its_query() -> None:
    async with open_gallery() as gallery:
        assert (await gallery.client.get("/sse/stream?sub=secret")).status_code == 403
        await gallery.client.get(f"/{HOSTILE}")
        await gallery.client.get("/" + "long" * 100)
        await gallery.client.get(str(find(await gallery.page("/access-log"), "[rel=stylesheet]")["href"]))
        page = await gallery.page("/access-log")
        assert len(gallery.published("lines")) == 5
    rows = [[cell.get_text().strip() for cell in row.select("td")[1:]] for row in page.select("#lines tr")]
    assert rows == [
        ["GET", "/access-log", "200"],
        ["GET", ("/" + "long" * 100)[:100], "404"],
        ["GET", f"/{HOSTILE}", "404"],
        ["GET", "/sse/stream", "403"],
    ]
    assert find(page, "#answered").get_text() == "4 requests answered"


async def test_the_access_log_is_bounded() -> None:
    async with open_gallery() as gallery:
        for _ in range(access_log.LINES):
            await gallery.client.get("/nowhere")
        await gallery.client.get("/nowhere")
        rows = (await gallery.page("/access-log")).select("#lines tr")
        assert [row["id"] for row in rows] == [f"line-{number}" for number in range(access_log.LINES + 1, 1, -1)]


def follow(sse: BroadcastManager, channel: str) -> None:
    """Let a connection that never reads follow a channel."""
    feed = sse.fanout.feed([channel], heartbeat=60)
    sse.fanout.join(StreamConnection(f"{channel}-1", sse.fanout, feed))


async def test_the_machine_is_measured_once_a_second_while_somebody_watches() -> None:
    async with open_gallery() as watched, open_gallery() as unwatched:
        follow(watched.sse, "processor")
        await unwatched.sse.register()
        await until(lambda: len(watched.published("processor")) == 3, 10)
        at = [event.at for event in watched.sse.backend.log.latest("processor")]
        assert all(later - earlier >= 0.9 for earlier, later in pairwise(at))
        assert unwatched.published("processor") == []
        gauges = (await watched.page("/machine")).select(".gauge")
        assert [len(watched.sse.sparkline(id).values) for id in machine.GAUGES] == [4, 4]
        assert len(unwatched.sse.sparkline("memory").values) == 1
    assert [find(gauge, ".sse-sparkline")["id"] for gauge in gauges] == ["processor", "memory"]


async def test_a_transfer_is_published_only_if_it_is_committed() -> None:
    async with open_gallery() as gallery:
        await gallery.post("/transfer/pay", payer="Ada", amount="30")
        assert "50" in gallery.published("balance-Ada")[0]
        await gallery.post("/transfer/pay", payer="Ada", amount="60")
        assert [len(gallery.published(f"balance-{name}")) for name in ("Ada", "Grace")] == [1, 1]
        balances = (await gallery.page("/transfer")).select(".stage dd")
    assert [balance.get_text().strip() for balance in balances] == ["50", "50"]


async def test_a_user_is_signed_in_until_they_sign_out() -> None:
    async with open_gallery() as gallery:
        assert "Nobody" in find(await gallery.page("/sign-in"), ".stage").get_text()
        assert (await gallery.client.post("/sign-in/enter", data={"name": HOSTILE})).status_code == 303
        assert find(await gallery.page("/sign-in"), ".stage strong").get_text() == HOSTILE[:30]
        assert (await gallery.client.post("/sign-in/sign_out")).status_code == 303
        assert "Nobody" in find(await gallery.page("/sign-in"), ".stage").get_text()


async def test_a_delay_refuses_one_browser_for_a_while() -> None:
    async with (
        open_gallery() as gallery,
        httpx.AsyncClient(transport=gallery.client._transport, base_url="http://test") as other,
    ):
        streams = []
        for client in (gallery.client, other):
            page = BeautifulSoup((await client.get("/todos")).text, "html.parser")
            streams.append(str(find(page, "[data-sse-connect]")["data-sse-connect"]))
        await gallery.post("/connection/delay")
        refused = await gallery.client.head(streams[0])
        assert (refused.status_code, int(refused.headers["retry-after"])) == (503, connection.SECONDS)
        assert (await other.head(streams[1])).status_code == 200


async def test_a_restart_begins_a_new_log() -> None:
    async with open_gallery() as gallery:
        before = gallery.sse.backend.cursor.epoch
        await gallery.post("/connection/restart")
        assert gallery.sse.backend.cursor.epoch != before
        await gallery.post("/todos/add", title="milk")
        assert len(gallery.published("todos")) == 1


async def test_the_command_serves_the_gallery_until_ctrl_c(tmp_path: Path) -> None:
    command = ("sse_components", "--port", "{port}", "--htmx", "4", "--db", "todos.db")
    async with serving(command, tmp_path) as server:
        page = BeautifulSoup(await server.get("/todos"), "html.parser")
        stream = await server.open(str(find(page, "[data-sse-connect]")["data-sse-connect"]))
        await stream.until("sse:open")
        assert "htmx.org@4" in str(page.head)
        server.stop(signal.SIGINT)
        assert await server.ended() < 2
        await stream.to_end()
        assert server.process.returncode == 0
        assert server.trouble == []
    with sqlite3.connect(tmp_path / "todos.db") as db:
        assert db.execute("SELECT count(*) FROM todo").fetchone() == (0,)
    db.close()


async def test_without_psutil_the_command_names_the_extra_to_install() -> None:
    program = "import runpy, sys; sys.modules['psutil'] = None; runpy.run_module('sse_components', run_name='__main__')"
    result = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=patient(60)
    )
    assert result.returncode == 1
    assert result.stderr == "The gallery needs psutil: pip install 'sse-components[demo]'\n"
