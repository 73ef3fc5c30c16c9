"""What can happen to a file."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sse_components import BackendUnavailable, BroadcastManager, EventLog, HistoryGap, Kit, SetupError
from sse_components.backends import SqliteBackend, backend_of, sqlite_store, wake_up
from sse_components.backends.base import NEW_LOG
from sse_components.events.log import Cursor, Event
from tests.support.patience import patient
from tests.support.serving import ROOT, until
from tests.support.stores import Publisher, append, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "live.db"


def ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


def sockets(path: Path) -> list[Path]:
    return list(path.parent.glob("*.sock"))


def fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def contents(path: Path) -> bytes:
    return path.read_bytes()


def remove_all(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


@contextmanager
def another_boot(monkeypatch: pytest.MonkeyPatch, path: Path, text: str = "other") -> Iterator[None]:
    """Run the block as if the machine had been started again."""
    boot = path.with_name("boot_id")
    boot.write_text(text)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_store, "BOOT", boot)
        yield


async def killed_log(path: Path) -> Cursor:
    """Let a process append to a file and be killed; return the cursor of its last known event."""
    publisher = await Publisher.start(f"sqlite:///{path}", "one")
    await publisher.kill()
    cursor = Cursor.parse(list(publisher.confirmed)[-1])
    assert cursor is not None
    return cursor


async def test_a_log_that_may_have_lost_its_end_begins_a_new_epoch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await killed_log(path)
    backend = SqliteBackend(path)
    with another_boot(monkeypatch, path):
        async with opened([backend]):
            assert backend.cursor.epoch != before.epoch
            assert backend.cursor.sequence >= before.sequence
            with pytest.raises(HistoryGap):
                backend.since(["numbers"], before)
            event = await append(backend, "numbers", "x")
            assert ids(backend.since(["numbers"], Cursor(backend.cursor.epoch, event.sequence - 1))) == [event.id]


@pytest.mark.parametrize("boot", ["other", ""], ids=["another boot", "a system that does not tell its boots"])
async def test_a_log_that_was_closed_goes_on_after_another_boot(
    path: Path, monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    async with opened([backend := SqliteBackend(path)]):
        event = await append(backend, "a", "x")
    with another_boot(monkeypatch, path, boot):
        async with opened([SqliteBackend(path), again := SqliteBackend(path)]):
            assert str(again.cursor) == event.id


async def test_a_log_that_was_killed_goes_on_in_the_same_boot(path: Path) -> None:
    before = await killed_log(path)
    async with opened([backend := SqliteBackend(path)]):
        assert backend.cursor.epoch == before.epoch
        assert backend.cursor.sequence >= before.sequence


WITHOUT_LIFESPAN = """
import asyncio, sqlite3, sys, threading
from fasthtml.common import NotStr
from sse_components import BroadcastManager

async def main(path):
    sse = BroadcastManager(backend=f"sqlite:///{path}")
    await sse.publish("a", NotStr("0"))
    # Another process keeps the file locked, until the event loop has ended.
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    threading.Timer(0.5, other.rollback).start()
    sse.publish("a", NotStr("1"))
    await asyncio.sleep(0.1)
    for number in range(2, 200):
        sse.publish("a", NotStr(str(number)))

asyncio.run(main(sys.argv[1]))
"""


def number_of(event: Event) -> int:
    return int(event.frame.partition(b"data: ")[2])


async def test_a_process_without_a_lifespan_stores_what_it_published_and_closes_the_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (sys.executable, "-c", WITHOUT_LIFESPAN, str(path))
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    async with asyncio.timeout(patient(30)):
        assert await process.wait() == 0
    assert sockets(path) == []
    with another_boot(monkeypatch, path):
        async with opened([backend := SqliteBackend(path)]):
            events = backend.since(["a"], Cursor(backend.cursor.epoch, 0))
            assert [number_of(event) for event in events] == list(range(200))


async def test_processes_do_not_end_the_log_of_one_that_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened([one := SqliteBackend(path)]) as (heard,):
        with another_boot(monkeypatch, path, ""):
            async with opened([other := SqliteBackend(path)]):
                await append(other, "a", "x")
                await until(lambda: len(heard) == 1)
                assert one.cursor == other.cursor


async def test_a_copy_of_a_file_is_another_log(path: Path) -> None:
    async with opened([one := SqliteBackend(path)]):
        await append(one, "a", "x")
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    async with opened([other := SqliteBackend(copy), again := SqliteBackend(path)]):
        assert other.cursor.epoch != one.cursor.epoch
        assert again.cursor == one.cursor


async def test_a_dead_process_is_forgotten_with_its_socket(path: Path) -> None:
    await killed_log(path)
    [dead] = sockets(path)
    async with opened([SqliteBackend(path), one := SqliteBackend(path)]):
        publisher = await Publisher.start(f"sqlite:///{path}", "two")
        await publisher.kill()
        await append(one, "a", "x")
        await until(lambda: len(sockets(path)) == 2)
        assert dead not in sockets(path)
    assert sockets(path) == []


async def test_files_are_for_this_user_only(path: Path) -> None:
    async with opened([backend := SqliteBackend(path)]):
        await append(backend, "a", "x")
        for suffix in ("", "-wal", "-shm"):
            assert stat.S_IMODE(path.with_name(path.name + suffix).stat().st_mode) == 0o600


async def test_processes_wake_each_other_however_long_the_path_is(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    backends = [SqliteBackend(folder / "live.db") for _ in range(2)]
    async with opened(backends) as heard:
        assert list(folder.glob("*.sock")) == []
        assert await seconds_to_hear(backends[0], heard[1]) < sqlite_store.RETRY_SECONDS + 0.5


async def seconds_to_hear(backend: SqliteBackend, heard: list[Event]) -> float:
    loop, count = asyncio.get_running_loop(), len(heard)
    begin = loop.time()
    await append(backend, "a", "x")
    await until(lambda: len(heard) > count)
    return loop.time() - begin


async def test_without_unix_sockets_a_slow_look_finds_what_is_new(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_up.WakeUp, "_bind", lambda self, name: "")
    async with opened([one := SqliteBackend(path), SqliteBackend(path)]) as (_, heard):
        assert sockets(path) == []
        await append(one, "a", "x")
        await until(lambda: len(heard) == 1)


async def test_the_file_is_trimmed_by_size(path: Path) -> None:
    one = SqliteBackend(path, EventLog(max_total_bytes=20_000))
    async with opened([one]):
        begin = one.cursor
        for number in range(60):
            last = await append(one, "ab"[number % 2], "x" * 1_000)
        with sqlite3.connect(path) as database:
            (size,) = database.execute("select sum(length(events)) from sse_log").fetchone()
        database.close()
        assert 15_000 < size < 23_000
        async with opened([other := SqliteBackend(path)]):
            for channels in (["a"], ["b"], ["c"]):
                with pytest.raises(HistoryGap):
                    other.since(channels, begin)
            assert other.since(["a"], Cursor.parse(last.id)) == []


async def test_the_file_is_trimmed_by_age(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "TRIM_SECONDS", 0)
    one = SqliteBackend(path, EventLog(max_age=0.2))
    async with opened([one]):
        old = await append(one, "a", "x")
        await until(lambda: one.log.clock() > old.at + 0.2)
        new = await append(one, "a", "y")
        async with opened([other := SqliteBackend(path)]):
            assert ids(other.since(["a"], Cursor.parse(old.id))) == [new.id]
            with pytest.raises(HistoryGap):
                other.since(["a"], Cursor(one.cursor.epoch, old.sequence - 1))


async def test_a_process_that_was_away_too_long_tells_that_its_log_has_begun_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = EventLog(max_total_bytes=5_000)
    async with opened([one := SqliteBackend(path, small), other := SqliteBackend(path)]) as (_, heard):
        for each in sockets(path):
            each.unlink()
        assert other._worker is not None
        with monkeypatch.context() as patch:
            patch.setattr(other._worker._store, "has_changed", lambda: False)
            for _ in range(20):
                await append(one, "a", "x" * 1_000)
            assert heard == []
        await other.reach(one.cursor)
        assert heard[0] is NEW_LOG
        assert 1 < len(heard) < 10
        assert [event.sequence for event in heard[1:]] == list(range(22 - len(heard), 21))
        with pytest.raises(HistoryGap):
            other.since(["b"], Cursor(one.cursor.epoch, 1))


# ------------------------------------------------------------------ errors


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file of this process become larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_on_a_full_disk_publishing_fails_and_nothing_is_half_done(path: Path) -> None:
    async with opened([one := SqliteBackend(path), SqliteBackend(path)]) as (heard, heard_by_other):
        first = await append(one, "a", "before")
        wal = path.with_name("live.db-wal")
        full = r"live.db: (disk I/O error|database or disk is full)"
        with files_at_most(wal.stat().st_size + 4_096), pytest.raises(BackendUnavailable, match=full):
            await append(one, "a", "x" * 100_000)
        second = await append(one, "a", "after")
        await until(lambda: len(heard_by_other) == 2)
        assert ids(heard) == ids(heard_by_other) == [first.id, second.id]
        assert second.sequence == first.sequence + 1


@pytest.mark.skipif(os.name != "posix", reason="rights of files")
async def test_a_file_that_cannot_be_written(path: Path) -> None:
    async with opened([SqliteBackend(path)]):
        pass
    give_rights(path, 0o444, 0o555)
    with not_root(), pytest.raises(BackendUnavailable, match=r"live.db: (attempt to write a readonly|unable to open)"):
        await SqliteBackend(path).open(print)
    give_rights(path, 0o644, 0o755)


def give_rights(path: Path, of_file: int, of_folder: int) -> None:
    path.chmod(of_file)
    path.parent.chmod(of_folder)


@contextmanager
def not_root() -> Iterator[None]:
    """Run the block without the rights of root, who may write everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_a_file_that_is_no_database(path: Path) -> None:
    text = "not a database" * 100
    fill(path, text.encode())
    with pytest.raises(BackendUnavailable, match=r"live.db: file is not a database: move the file away"):
        await SqliteBackend(path).open(print)
    assert contents(path) == text.encode()


async def test_a_folder_that_is_not_there(path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"No such file or directory"):
        await SqliteBackend(path / "deeper" / "live.db").open(print)


async def test_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = path.with_name("mounts")
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {path.parent.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(sqlite_store, "MOUNTS", mounts)
    with pytest.raises(BackendUnavailable, match=r"live.db is on a network file system \(nfs4\)"):
        await SqliteBackend(path).open(print)
    assert list(path.parent.glob("live.db*")) == []
    assert sqlite_store.file_system(Path("/elsewhere")) == "ext4"


async def test_a_file_that_is_removed_while_processes_run(path: Path) -> None:
    async with opened([one := SqliteBackend(path)]) as (heard,):
        await append(one, "a", "x")
        remove_all(path.parent)
        with pytest.raises(BackendUnavailable, match=r"live.db was removed or replaced: restart the application"):
            await append(one, "a", "y")
        assert len(heard) == 1


async def test_a_file_that_is_damaged_while_processes_run(path: Path) -> None:
    async with opened([one := SqliteBackend(path)]):
        for _ in range(50):
            await append(one, "a", "x" * 1_000)
    fill(path, contents(path)[:4_096] + os.urandom(100_000))
    with pytest.raises(BackendUnavailable, match=r"live.db: .*malformed: move the file away"):
        await SqliteBackend(path).open(print)


async def test_a_file_that_is_locked_for_too_long(path: Path) -> None:
    async with opened([one := SqliteBackend(path, publish_timeout=0.1)]) as (heard,):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(BackendUnavailable, match=r"another process has kept it locked for 0.1 seconds$"):
            await append(one, "a", "x")
        waiting = one.append("a", "y")
        other.execute("rollback")
        other.close()
        await asyncio.wrap_future(waiting)
        assert [event.frame.rpartition(b"data: ")[2] for event in heard] == [b"y\n\n"]


async def test_a_publication_that_fails_raises_or_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Kit(backend=f"sqlite:///{path}") as sse:
        await sse.publish("a", "x")
        remove_all(path.parent)
        with pytest.raises(BackendUnavailable):
            await sse.publish("a", "x")
        sse.publish("a", "nobody looks at it")
        await until(lambda: "a publication failed that was called at" in caplog.text)
        assert "test_sqlite.py:" in caplog.text


async def test_a_manager_whose_file_cannot_be_used_does_not_start(path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"unable to open database file"):
        await BroadcastManager(backend=f"sqlite:///{path.parent}").start()


# ------------------------------------------------------------------ URLs


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///live.db", "live.db"),
        ("sqlite:////var/lib/app/live.db", "/var/lib/app/live.db"),
        ("sqlite:///my%20app/live.db", "my app/live.db"),
    ],
)
def test_a_url_of_a_file(url: str, path: str) -> None:
    backend = backend_of(url)
    assert isinstance(backend, SqliteBackend)
    assert backend.path == Path(path)


@pytest.mark.parametrize("url", ["", "sqlite", "sqlite://live.db", "sqlite:///", "postgres://host/db", "live.db"])
def test_a_url_that_means_no_backend(url: str) -> None:
    with pytest.raises(SetupError, match=r"^backend '.*' is not known; allowed are 'memory', 'sqlite:///live.db'"):
        backend_of(url)


def test_a_socket_wakes_by_name(path: Path) -> None:
    one, other = wake_up.WakeUp(path), wake_up.WakeUp(path)
    assert one.tell([other.name, one.name, "nobody.sock"]) == ["nobody.sock"]
    assert other.wait(1)
    assert not other.wait(0)
    for _ in range(10_000):  # more than there is room for
        one.tell([other.name])
        other.tell_self()
    assert other.wait(1)
    assert not other.wait(0)
    one.close()
    assert other.tell([one.name]) == [one.name]
    other.close()
    assert sockets(path) == []
