"""Live elements in what is published: everybody who gets the message may follow them, and nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from fasthtml.common import FT, Div, Li

from sse_components import SSE, Kit, LiveText, LogTail, MarkupError, ToastStack
from sse_components.html.page_context import this_page
from tests.support.live_app import Browser, data_of, make_app, run_live_app
from tests.support.running import running
from tests.support.serving import Stream

pytestmark = pytest.mark.anyio


def row() -> FT:
    return Li(LiveText("1", id="cell"), id="row")


def by_request(sse: Kit) -> Any:
    return sse.publish("todos", row(), target="list", swap="beforeend")


def by_list(sse: Kit) -> Any:
    return sse.list("todos").append(row())


def by_update(sse: Kit) -> Any:
    return sse.list("todos").update(row())


def by_region(sse: Kit) -> Any:
    return sse.region("todos")(row).refresh()


def by_async_region(sse: Kit) -> Any:
    async def render() -> FT:
        await asyncio.sleep(0)
        return row()

    return sse.region("todos")(render).refresh()


def by_log_in_region(sse: Kit) -> Any:
    sse.log("cell").write("first")
    return sse.region("todos")(lambda: Div(LogTail("cell"))).refresh()


def grants_in(stream: Stream) -> list[str]:
    return re.findall(r'data-sse-connect="/sse/stream\?sub=([\w.-]+)"', stream.body.decode())


WAYS = [by_request, by_list, by_update, by_region, by_async_region, by_log_in_region]


@pytest.mark.parametrize("where", ["handler", "job", "thread"])
@pytest.mark.parametrize("publish", WAYS)
async def test_readers_follow_what_was_published_to_them_and_nobody_else_does(
    publish: Callable[[Kit], Any], where: str
) -> None:
    app, sse = make_app()

    @app.route("/publish")
    async def handler() -> str:
        await publish(sse)
        return "done"

    async with running(app) as site:
        ann, bob, eve = [await Browser(site.port).login(name) for name in ("ann", "bob", "eve")]
        todos = await bob.grants("todos")
        stream = await bob.follow(todos)
        if where == "handler":
            await ann.get("/publish")
        elif where == "job":
            await publish(sse)
        else:
            await asyncio.to_thread(lambda: publish(sse).result(5))
        await stream.until("data-sse-connect")
        (published,) = set(grants_in(await stream.until("\n\n")))
        follows = await bob.follow([*todos, published])
        assert data_of(follows, "sse:open")["subs"][1]["channels"] == ["cell"]
        await sse.publish("cell", "changed")
        await follows.until("changed")
        # Whoever has got hold of it, and may not follow the list, gets nothing.
        assert (await eve.refusal([published]))[1][0]["reason"] == "expired"
        assert await eve.renew([published, *await eve.grants("other")]) != []
        assert "denied" in (await eve.renew([published]))[0]
        assert "grant" in (await bob.renew([published, *todos]))[0]
        for browser in (ann, bob, eve):
            await browser.close()


async def test_an_element_in_a_message_misses_nothing_since_it_was_made() -> None:
    async with run_live_app() as live_app:
        sse, bob = live_app.sse, live_app.browser()
        todos = await bob.grants("todos")
        stream = await bob.follow(todos)
        await sse.publish("cell", "long ago")

        async def render() -> FT:
            content = row()
            await sse.publish("cell", "meanwhile")
            return content

        await sse.region("todos")(render).refresh()
        await sse.publish("cell", "later")
        (published,) = set(grants_in(await stream.until("data-sse-connect")))
        follows = await (await bob.follow([*todos, published])).until("later")
        assert [text for text in follows.texts if "template" not in text] == ["meanwhile", "later"]


async def test_an_old_task_of_a_request_does_not_open_the_past() -> None:
    """A task inherits the page of the request that has started it, whose cursor is old by now."""
    app, sse = make_app()
    release = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        await release.wait()
        await sse.publish("todos", row())

    @app.route("/begin")
    async def begin() -> str:
        tasks.append(asyncio.create_task(work()))
        return "begun"

    async with running(app) as site:
        ann = Browser(site.port)
        await ann.get("/begin")
        todos = await ann.grants("todos")
        stream = await ann.follow(todos)
        await sse.publish("cell", "the past")
        release.set()
        (published,) = set(grants_in(await stream.until("data-sse-connect")))
        follows = await ann.follow([*todos, published])
        await sse.publish("cell", "now")
        assert "the past" not in (await follows.until("now")).texts
        await asyncio.gather(*tasks)
        await ann.close()


async def test_what_is_personal_is_not_granted_to_others() -> None:
    app, sse = make_app()

    @app.route("/publish")
    async def handler() -> str:
        with pytest.raises(MarkupError, match="what one user or session follows cannot be in what others get"):
            sse.publish("todos", SSE(channels=sse_channel()))
        await sse.publish("todos", ToastStack())
        return "done"

    def sse_channel() -> str:
        channel = this_page().session_channel
        assert channel is not None
        return channel

    async with running(app) as site:
        ann, bob = [await Browser(site.port).login(name) for name in ("ann", "bob")]
        todos = await bob.grants("todos")
        stream = await bob.follow(todos)
        assert await ann.get("/publish") == "done"
        (published,) = set(grants_in(await stream.until("data-sse-connect")))
        follows = await bob.follow([*todos, published])
        assert data_of(follows, "sse:open")["subs"][1]["channels"] == ["sse:toasts"]
        for browser in (ann, bob):
            await browser.close()


async def test_a_broadcast_may_show_live_elements() -> None:
    app, sse = make_app(element_builder=lambda kind, data: row())
    async with running(app) as site:
        ann = Browser(site.port)
        todos = await ann.grants("todos")
        stream = await ann.follow(todos)
        await sse.broadcast("row", {})
        (published,) = set(grants_in(await stream.until("data-sse-connect")))
        assert len(data_of(await ann.follow([*todos, published]), "sse:open")["subs"]) == 2
        assert (await ann.refusal([published]))[0] == 403
        await ann.close()
