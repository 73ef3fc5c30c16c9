from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from fasthtml.common import FastHTML, Li
from fastlite import database  # type: ignore[import-untyped]

from sse_components import Kit, MarkupError, setup_sse
from sse_components.events.log import Cursor
from sse_components.transactions import connection_of, turns
from tests.support.running import running
from tests.support.serving import until

pytestmark = pytest.mark.anyio

CREATE = "CREATE TABLE todo (id INTEGER PRIMARY KEY, title TEXT NOT NULL)"
INSERT = "INSERT INTO todo (title) VALUES (?)"


class Failed(Exception):
    """What a block raises."""


def with_fastlite(path: Path) -> Any:
    return database(path)


def with_apsw(path: Path) -> Any:
    return apsw.Connection(str(path))


def with_sqlite3(path: Path) -> Any:
    return sqlite3.connect(path, check_same_thread=False)


def with_sqlite3_in_autocommit(path: Path) -> Any:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


CONNECT = [with_fastlite, with_apsw, with_sqlite3, with_sqlite3_in_autocommit]


@pytest.fixture(params=CONNECT, ids=lambda connect: connect.__name__)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    connect: Callable[[Path], Any] = request.param
    connection = connect(tmp_path / "todos.db")
    connection.execute(CREATE)
    yield connection
    connection.close()
    assert len(turns) == 0


def titles(db: Any) -> list[str]:
    """Return what is committed, as another connection sees it; of the same library, as SQLite asks for."""
    [(_, _, path)] = db.execute("PRAGMA database_list").fetchall()
    other = sqlite3.connect(path) if isinstance(db, sqlite3.Connection) else reading(path)
    try:
        return [str(title) for (title,) in other.execute("SELECT title FROM todo ORDER BY id").fetchall()]
    finally:
        other.close()


def reading(path: str) -> apsw.Connection:
    return apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)


def texts(sse: Kit) -> list[str]:
    """Return what is published on the channel 'todos'."""
    events = sse.backend.since(["todos"], Cursor(sse.backend.cursor.epoch, 0))
    return [event.frame.decode().partition("data: ")[2].strip() for event in events]


def insert(db: Any, *names: str) -> None:
    for name in names:
        db.execute(INSERT, [name])


async def change(sse: Kit, db: Any, name: str, then: Callable[[], Awaitable[Any]] | None = None) -> None:
    """Insert a todo and publish its name in a block, where `then` may fail."""
    async with sse.after_commit(db):
        insert(db, name)
        await sse.publish("todos", name)
        if then:
            await then()


async def fail() -> None:
    raise Failed


def fail_at_once() -> None:
    raise Failed


# ---------------------------------------------------------------------- commit and rollback


async def test_publications_wait_for_the_commit_and_keep_their_order(sse: Kit, db: Any) -> None:
    async with sse.after_commit(db):
        insert(db, "milk")
        assert await sse.publish("todos", "1") == ""
        assert sse.publish("todos", "2").result(0) == ""
        await asyncio.sleep(0)
        await sse.publish("todos", "3")
        assert (titles(db), texts(sse)) == ([], [])
    assert (titles(db), texts(sse)) == (["milk"], ["1", "2", "3"])
    assert await sse.publish("todos", "4") != ""


async def test_a_sync_with_block_publishes_before_the_next_statement(sse: Kit, db: Any) -> None:
    for number in range(3):
        with sse.after_commit(db):
            insert(db, str(number))
            await sse.publish("todos", f"held {number}")
        await sse.publish("todos", f"after {number}")
    assert texts(sse) == ["held 0", "after 0", "held 1", "after 1", "held 2", "after 2"]


async def test_nothing_is_published_when_the_block_raises(sse: Kit, db: Any) -> None:
    def change_by_plain_with() -> None:
        with sse.after_commit(db):
            insert(db, "bread")
            sse.publish("todos", "bread")
            raise Failed

    with pytest.raises(Failed):
        await change(sse, db, "milk", fail)
    with pytest.raises(Failed):
        change_by_plain_with()
    await sse.publish("todos", "tea")
    assert (titles(db), texts(sse)) == ([], ["tea"])


async def test_nothing_is_published_when_the_block_is_cancelled(sse: Kit, db: Any) -> None:
    began = asyncio.Event()

    async def wait() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(change(sse, db, "milk", wait))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (titles(db), texts(sse)) == ([], [])


async def test_nothing_is_published_when_the_commit_fails(sse: Kit, db: Any) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("CREATE TABLE note (todo INTEGER REFERENCES todo DEFERRABLE INITIALLY DEFERRED)")

    async def break_a_rule() -> None:
        db.execute("INSERT INTO note VALUES (7)")

    with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
        await change(sse, db, "milk", break_a_rule)
    await change(sse, db, "bread")
    assert (titles(db), texts(sse)) == (["bread"], ["bread"])


async def test_a_transaction_that_sqlite_rolled_back_publishes_nothing(sse: Kit, db: Any) -> None:
    async def break_a_rule() -> None:
        db.execute("INSERT OR ROLLBACK INTO todo (title) VALUES (NULL)")

    with pytest.raises(Exception, match="NOT NULL constraint failed"):
        await change(sse, db, "milk", break_a_rule)
    assert (titles(db), texts(sse)) == ([], [])


async def test_an_invalid_publication_raises_at_its_line(sse: Kit, db: Any) -> None:
    with pytest.raises(MarkupError):
        await change(sse, db, "milk", lambda: sse.publish("todos", Li("no id"), swap=True))
    assert (titles(db), texts(sse)) == ([], [])


async def test_a_publication_that_fails_after_the_commit_is_logged(
    sse: Kit, db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with sse.after_commit(db) as block:
        block.held.append(fail_at_once)
        await sse.publish("todos", "1")
        insert(db, "milk")
    assert (titles(db), texts(sse)) == (["milk"], ["1"])
    [record] = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[0]) == (logging.ERROR, Failed)
    assert record.message.startswith("a transaction is committed, but")


# ---------------------------------------------------------------------- blocks in blocks, and beside


async def test_an_inner_block_publishes_when_the_outer_one_commits(sse: Kit, db: Any) -> None:
    async with sse.after_commit(db):
        await sse.publish("todos", "1")
        with sse.after_commit(db):
            insert(db, "milk")
            await sse.publish("todos", "2")
        await sse.publish("todos", "3")
        assert (titles(db), texts(sse)) == ([], [])
    assert (titles(db), texts(sse)) == (["milk"], ["1", "2", "3"])


async def test_an_inner_block_that_raises_discards_its_own_part(sse: Kit, db: Any) -> None:
    async with sse.after_commit(db):
        insert(db, "milk")
        await sse.publish("todos", "1")
        with pytest.raises(Failed):
            await change(sse, db, "bread", fail)
        await sse.publish("todos", "3")
    assert (titles(db), texts(sse)) == (["milk"], ["1", "3"])


async def test_an_outer_block_that_raises_discards_the_inner_one(sse: Kit, db: Any) -> None:
    async def inner_and_fail() -> None:
        await change(sse, db, "bread")
        raise Failed

    with pytest.raises(Failed):
        await change(sse, db, "milk", inner_and_fail)
    assert (titles(db), texts(sse)) == ([], [])


async def test_a_task_started_in_the_block_belongs_to_it(sse: Kit, db: Any) -> None:
    async with sse.after_commit(db):
        await asyncio.create_task(change(sse, db, "task"))
        await asyncio.to_thread(sse.publish, "todos", "thread")
        assert (titles(db), texts(sse)) == ([], [])
    assert (titles(db), texts(sse)) == (["task"], ["task", "thread"])


async def test_a_block_of_another_connection_is_independent(sse: Kit, db: Any, tmp_path: Path) -> None:
    other = with_apsw(tmp_path / "other.db")
    other.execute(CREATE)

    async def inner_and_fail() -> None:
        await change(sse, other, "bread", lambda: change(sse, db, "tea"))
        raise Failed

    with pytest.raises(Failed):
        await change(sse, db, "milk", inner_and_fail)
    assert (titles(db), titles(other), texts(sse)) == ([], ["bread"], ["bread"])
    other.close()


async def test_concurrent_blocks_of_a_connection_take_turns(sse: Kit, db: Any) -> None:
    async def handler(name: str) -> None:
        async with sse.after_commit(db):
            insert(db, f"{name} 1")
            await sse.publish("todos", name)
            await asyncio.sleep(0)
            insert(db, f"{name} 2")
            if name == "b":
                raise Failed

    a, b, c = await asyncio.gather(*map(handler, "abc"), return_exceptions=True)
    assert (a, type(b), c) == (None, Failed, None)
    assert (titles(db), texts(sse)) == (["a 1", "a 2", "c 1", "c 2"], ["a", "c"])


async def test_a_cancelled_waiter_passes_its_turn_on(sse: Kit, db: Any) -> None:
    end = asyncio.Event()

    async def handler(name: str) -> None:
        async with sse.after_commit(db):
            insert(db, name)
            await end.wait()

    first, impatient, patient = (asyncio.create_task(handler(name)) for name in ("first", "impatient", "patient"))
    await asyncio.sleep(0)
    impatient.cancel()
    end.set()
    await asyncio.wait([first, impatient, patient])
    assert impatient.cancelled()
    assert titles(db) == ["first", "patient"]


async def test_a_sync_with_block_that_would_deadlock_raises(sse: Kit, db: Any) -> None:
    began, end = asyncio.Event(), asyncio.Event()

    async def handler() -> None:
        async with sse.after_commit(db):
            began.set()
            await end.wait()

    task = asyncio.create_task(handler())
    await began.wait()
    with pytest.raises(RuntimeError, match="write 'async with'"), sse.after_commit(db):
        pass
    end.set()
    await task


async def test_threads_take_turns_with_tasks(sse: Kit, db: Any) -> None:
    held, came = threading.Event(), threading.Event()

    def handler() -> None:
        held.wait()
        came.set()
        with sse.after_commit(db):
            insert(db, "thread")
            sse.publish("todos", "thread")

    thread = asyncio.create_task(asyncio.to_thread(handler))
    async with sse.after_commit(db):
        held.set()
        await until(came.is_set)
        await until(lambda: turns.count(connection_of(db)) == 2)
        insert(db, "task")
        await sse.publish("todos", "task")
    await thread
    await until(lambda: len(texts(sse)) == 2)
    assert (titles(db), texts(sse)) == (["task", "thread"], ["task", "thread"])


async def test_a_task_publishes_at_once_after_the_block_has_ended(sse: Kit, db: Any) -> None:
    over = asyncio.Event()

    async def later() -> str:
        await over.wait()
        return await sse.publish("todos", "later")

    async with sse.after_commit(db):
        task = asyncio.create_task(later())
        await sse.publish("todos", "1")
    over.set()
    assert await task != ""
    assert texts(sse) == ["1", "later"]


# ---------------------------------------------------------------------- components


async def test_changes_of_components_wait_for_the_commit(sse: Kit, db: Any) -> None:
    text, items, rendered = sse.text("todos"), sse.list("todos"), []

    @sse.region("todos")
    def board() -> str:
        rendered.append(titles(db))
        return "board"

    async def use_components(*, fails: bool) -> None:
        await text.set("a")
        await items.append(Li("b", id="b"))
        await text.set("c")
        await board.refresh()
        if fails:
            raise Failed

    with pytest.raises(Failed):
        await change(sse, db, "milk", partial(use_components, fails=True))
    assert (texts(sse), rendered) == ([], [])
    await change(sse, db, "milk", partial(use_components, fails=False))
    await until(lambda: len(texts(sse)) == 5)
    assert [re.sub("<.*?>", "", text) for text in texts(sse)] == ["milk", "a", "b", "board", "c"]
    assert rendered == [["milk"]]


# ---------------------------------------------------------------------- misuse


async def test_an_open_transaction_is_refused(sse: Kit, db: Any) -> None:
    db.execute("BEGIN")
    with pytest.raises(RuntimeError, match=r"is in a transaction already"):
        async with sse.after_commit(db):
            pass
    db.execute("ROLLBACK")
    async with sse.after_commit(db) as block:
        insert(db, "milk")
    assert titles(db) == ["milk"]
    with pytest.raises(RuntimeError, match="can be entered once"):
        block.__enter__()


def test_an_object_that_is_not_a_connection_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^after_commit needs a fastlite database or an SQLite connection, not str$"):
        Kit().after_commit("todos.db")


# ---------------------------------------------------------------------- an application


async def test_sync_and_async_handlers_of_an_application(tmp_path: Path) -> None:
    app = FastHTML(secret_key="tests")
    sse, db = setup_sse(app), database(tmp_path / "todos.db")
    db.execute(CREATE)

    @app.get("/sync")
    def serve_in_thread(title: str, fails: bool = False) -> str:
        with sse.after_commit(db):
            insert(db, title)
            sse.publish("todos", title)
            if fails:
                raise Failed
        return "done"

    @app.get("/async")
    async def in_the_loop(title: str) -> str:
        with sse.after_commit(db):
            insert(db, title)
            await sse.publish("todos", title)
        return "done"

    async with running(app) as site:
        names = [f"{kind} {number}" for number in range(5) for kind in ("sync", "async")]
        paths = [f"/{name.split()[0]}?title={name.replace(' ', '+')}" for name in names]
        answers = await asyncio.gather(*map(site.get, paths), site.get("/sync?title=failed&fails=true"))
        assert answers[:-1] == ["done"] * 10
        await until(lambda: len(texts(sse)) == 10)
        assert texts(sse) == titles(db)
        assert sorted(texts(sse)) == sorted(names)
    db.close()
