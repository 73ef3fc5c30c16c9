"""The SQLite file that keeps a log for several processes of one host.

Each transaction adds one row with all its events, and takes their ids from the file. So an id is never issued twice:
where the file may have lost its end (the power has failed), or is a copy of another, the log begins a new epoch.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BackendUnavailable
from .base import Item
from .shared import Draft, items_of, read, written

T = TypeVar("T")

VERSION = 1
SCHEMA = """
create table if not exists sse_state (
    one integer primary key check (one = 1), version integer, epoch text, sequence integer, missing integer,
    bytes integer, peers integer, session text, is_closed integer);
create table if not exists sse_log (
    last integer primary key, count integer, at real, size integer, events text);
create table if not exists sse_peer (name text primary key);
create table if not exists sse_item (key text primary key, sequence integer, until real, value text) without rowid;
create index if not exists sse_item_until on sse_item (until);
"""
# What the whole file keeps may grow to this many times its bound before it is trimmed.
SLACK = 1.01
# Seconds between two looks at the age of what the file keeps.
TRIM_SECONDS = 30.0
# Seconds between two attempts to write, while another process does.
RETRY_SECONDS = 0.0003
# Rows read at once.
READ_ROWS = 1_000
# File systems of other hosts: the processes there would not see each other's locks and memory.
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs afs ncpfs ceph lustre gpfs beegfs glusterfs fuse.glusterfs fuse.sshfs fuse.s3fs"
    " fuse.rclone fuse.ceph 9p".split()
)
MOUNTS = Path("/proc/self/mounts")
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(slots=True)
class State:
    """The state of the log in the file.

    Attributes:
        epoch: of its ids.
        sequence: of its latest event.
        missing: the sequence of the latest event that is no longer kept.
        size: bytes of what is kept.
        peers: a number that changes with the names of the processes.
    """

    epoch: str
    sequence: int
    missing: int
    size: int
    peers: int


@dataclass(slots=True)
class News:
    """What is new in the log.

    Attributes:
        epoch: of its ids.
        after: the sequence after which the rows continue.
        rows: each of one transaction, in order.
        items: the values that are kept, with their sequences, if the log does not continue where it was.
    """

    epoch: str
    after: int
    rows: list[Row]
    items: list[tuple[int, Item]]


@dataclass(slots=True)
class Row:
    """The events of one transaction.

    Attributes:
        first: sequence of the first event.
        at: when they were stored, in seconds since 1970.
        drafts: the events.
    """

    first: int
    at: float
    drafts: list[Draft]


class SqliteStore:
    """The file, as one thread uses it.

    Args:
        path: of the file.
        max_bytes: bytes that the file keeps of the log.
        max_age: seconds that it keeps an event; None for no limit.
        timeout: seconds to wait while another process writes.

    Attributes:
        state: the log's, when this process has last looked.

    Raises:
        BackendUnavailable: by each method, if the file cannot be used.
    """

    def __init__(self, path: Path, *, max_bytes: int, max_age: float | None, timeout: float) -> None:
        self.path, self.max_bytes, self.max_age, self.timeout = path, max_bytes, max_age, timeout
        self._name = ""
        self._peers: list[str] = []
        self._known_peers = -1
        self._trimmed_at = 0.0
        self._version = -1
        self.state = State("", 0, 0, 0, 0)

    # ------------------------------------------------------------------ life

    def open(self, name: str, is_alive: Callable[[str], bool]) -> None:
        """Open the file, or make it; decide on the log's epoch; and become known to the other processes.

        Args:
            name: of this process.
            is_alive: tells whether the process with a name is there.
        """
        self._name = name
        with self._errors():
            check_file_system(self.path)
            create_privately(self.path)
            self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._file = file_number(self.path)
                self._prepare(is_alive)
            except BaseException:
                self._database.close()
                raise

    def _prepare(self, is_alive: Callable[[str], bool]) -> None:
        (mode,) = self._retry("pragma journal_mode = wal").fetchone()
        if mode != "wal":
            raise BackendUnavailable(f"{self.path}: SQLite cannot use a write-ahead log here, but {mode!r}")
        # What is decided here must be on the disk before the first id is issued.
        self._execute("pragma synchronous = full")
        with self._transaction():
            for statement in SCHEMA.split(";"):
                self._execute(statement)
            self._begin_session(self._forget_dead(is_alive))
            self._execute("insert or replace into sse_peer values (?)", self._name)
            self._execute("update sse_state set peers = peers + 1, is_closed = 0")
        self._execute("pragma synchronous = normal")
        self.state = self._read_state()

    def _begin_session(self, others: list[str]) -> None:
        """Continue the log, or begin a new epoch if its end may have been lost."""
        boot = boot_id()
        session = f"{self._file}:{boot}"
        found = self._execute("select version, session, is_closed from sse_state").fetchone()
        if found is None:
            values = (VERSION, secrets.token_hex(4), session)
            self._execute("insert into sse_state values (1, ?, ?, 0, 0, 0, 0, ?, 0)", *values)
            return
        version, before, is_closed = found
        if version != VERSION:
            raise BackendUnavailable(f"{self.path} is of another version of sse_components ({version}): remove it")
        is_same_file = before.partition(":")[0] == str(self._file)
        is_same_boot = bool(boot) and session == before
        if not (is_same_file and (others or is_same_boot or is_closed)):
            self._execute("delete from sse_log")
            self._execute("update sse_state set epoch = ?, missing = sequence, bytes = 0", secrets.token_hex(4))
        self._execute("update sse_state set session = ?", session)

    def _forget_dead(self, is_alive: Callable[[str], bool]) -> list[str]:
        names = [name for (name,) in self._execute("select name from sse_peer").fetchall() if name != self._name]
        alive = [name for name in names if is_alive(name)]
        for name in set(names) - set(alive):
            self._execute("delete from sse_peer where name = ?", name)
        return alive

    def close(self, is_alive: Callable[[str], bool]) -> None:
        """Leave the file. The last process notes that nothing is lost."""
        try:
            with self._errors():
                self._execute("pragma synchronous = full")
                with self._transaction():
                    self._execute("delete from sse_peer where name = ?", self._name)
                    others = self._forget_dead(is_alive)
                    self._execute("update sse_state set peers = peers + 1, is_closed = ?", int(not others))
        finally:
            self._database.close()

    # ------------------------------------------------------------------ the log

    def has_changed(self) -> bool:
        """Tell whether another process has written since the last call."""
        with self._errors():
            (version,) = self._retry("pragma data_version").fetchone()
        before, self._version = self._version, version
        return bool(version != before)

    def news(self) -> News:
        """Return what is in the log after the sequence of `state`, and update the state.

        Where the log does not continue there, because something is no longer kept, or its epoch is another, this is all
        that it has.
        """
        with self._errors():
            self._check_file()
            return self._news()

    def _news(self) -> News:
        before, self.state = self.state, self._read_state()
        after, items = before.sequence, list[tuple[int, Item]]()
        if self.state.epoch != before.epoch or not self.state.missing <= after <= self.state.sequence:
            after = self.state.missing
            items = self._items()  # before the rows, which tell of those that follow
        elif self.state.sequence == after:
            return News(before.epoch, after, [], [])
        rows = list(self._rows_after(after))
        self.state.sequence = last_sequence(rows, after)
        return News(self.state.epoch, after, rows, items)

    def _items(self) -> list[tuple[int, Item]]:
        query = "select sequence, key, value, until from sse_item order by sequence"
        return [(sequence, Item(*item)) for sequence, *item in self._retry(query).fetchall()]

    def _rows_after(self, sequence: int) -> Iterator[Row]:
        while True:
            query = "select last, count, at, events from sse_log where last > ? order by last limit ?"
            rows = self._retry(query, sequence, READ_ROWS).fetchall()
            for last, count, at, events in rows:
                sequence = last
                yield Row(last - count + 1, at, read(events))
            if len(rows) < READ_ROWS:
                return

    def append(self, drafts: list[Draft]) -> tuple[News, Row]:
        """Store events in one transaction.

        Args:
            drafts: the events.

        Returns:
            What others have stored before, and what was stored.
        """
        text, at = written(drafts), time.time()
        with self._errors():
            self._check_file()
            before = self.state
            try:
                with self._transaction():
                    others = self._news()
                    row = Row(self.state.sequence + 1, at, drafts)
                    self._insert(text, row)
            except BaseException:
                self.state = before
                raise
        return others, row

    def _insert(self, text: str, row: Row) -> None:
        state, size = self.state, len(text) if text.isascii() else len(text.encode())
        last = row.first + len(row.drafts) - 1
        self._execute("insert into sse_log values (?, ?, ?, ?, ?)", last, len(row.drafts), row.at, size, text)
        self._keep(items_of(row.drafts, row.first), row.at)
        missing, freed = self._trim(state, size, row.at)
        changed = State(state.epoch, last, missing, state.size + size - freed, state.peers)
        update = "update sse_state set sequence = ?, missing = ?, bytes = ?"
        self._execute(update, changed.sequence, changed.missing, changed.size)
        self._look_at_peers(changed)
        self.state = changed

    def _keep(self, items: list[tuple[int, Item]], now: float) -> None:
        """Keep values, and drop those whose time is over."""
        for sequence, (key, value, until) in items:
            self._execute("insert or replace into sse_item values (?, ?, ?, ?)", key, sequence, until, value)
        if items:
            self._execute("delete from sse_item where until <= ?", now)

    def _trim(self, state: State, size: int, now: float) -> tuple[int, int]:
        """Drop the oldest rows beyond the bounds; return the latest sequence that is missing, and the bytes freed."""
        if state.size + size <= self.max_bytes * SLACK and now < self._trimmed_at + TRIM_SECONDS:
            return state.missing, 0
        self._trimmed_at = now
        missing, freed, kept = state.missing, 0, state.size + size
        oldest = 0.0 if self.max_age is None else now - self.max_age
        rows = self._execute("select last, at, size from sse_log order by last")
        for last, at, bytes_of_row in rows:
            if (kept <= self.max_bytes and at >= oldest) or kept == bytes_of_row:
                break
            missing, freed, kept = last, freed + bytes_of_row, kept - bytes_of_row
        rows.close()
        self._execute("delete from sse_log where last <= ?", missing)
        return missing, freed

    def _look_at_peers(self, state: State) -> None:
        if state.peers != self._known_peers:
            self._peers = [name for (name,) in self._execute("select name from sse_peer").fetchall()]
            self._known_peers = state.peers

    @property
    def peers(self) -> list[str]:
        """The names of all processes, as of the latest `append`."""
        return self._peers

    def forget(self, names: list[str]) -> None:
        """Forget processes that are dead.

        Args:
            names: theirs.
        """
        with self._errors(), self._transaction():
            for name in names:
                self._execute("delete from sse_peer where name = ?", name)
            self._execute("update sse_state set peers = peers + 1")

    def _read_state(self) -> State:
        found = self._retry("select epoch, sequence, missing, bytes, peers from sse_state").fetchone()
        if found is None:
            raise BackendUnavailable(f"{self.path} has lost its tables: restart the application")
        return State(*found)

    # ------------------------------------------------------------------ SQLite

    def _check_file(self) -> None:
        if file_number(self.path) != self._file:
            raise BackendUnavailable(f"{self.path} was removed or replaced: restart the application")

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._database.execute(statement, values)

    def _retry(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement as soon as no other process is in the way."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return self._execute(statement, *values)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS * (0.5 + random.random()))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._retry("begin immediate")
        try:
            yield
            self._execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._execute("rollback")
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise BackendUnavailable(f"{self.path}: {reason(error, self.timeout)}") from error


def last_sequence(rows: list[Row], otherwise: int) -> int:
    """Return the sequence of the last event of some rows; `otherwise` if there are none."""
    return rows[-1].first + len(rows[-1].drafts) - 1 if rows else otherwise


def reason(error: Exception, timeout: float) -> str:
    """Return what is wrong with the file, and what helps."""
    text = str(error)
    if isinstance(error, sqlite3.Error) and is_busy(error):
        return f"another process has kept it locked for {timeout:g} seconds"
    if "not a database" in text or "malformed" in text:
        return f"{text}: move the file away; the log begins again, and pages fetch themselves once"
    return text


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another process was in the way."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def boot_id() -> str:
    """Return what distinguishes this start of the machine from others; empty where that is not known."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def file_number(path: Path) -> int:
    """Return what distinguishes a file from its copies; 0 if it is not there."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def create_privately(path: Path) -> None:
    """Create a file that only this user may read; SQLite gives the files beside it the same rights."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def check_file_system(path: Path) -> None:
    """Check that a file is on a disk of this host.

    Raises:
        BackendUnavailable: if it is on a network file system.
    """
    if sys.platform == "linux" and (kind := file_system(path)) in NETWORK_FILE_SYSTEMS:
        raise BackendUnavailable(
            f"{path} is on a network file system ({kind}), which SQLite's write-ahead log cannot use: put it on a"
            " local disk, or use a 'redis://' backend"
        )


def file_system(path: Path) -> str:
    """Return the kind of the file system that has a file; empty if it is not known."""
    place, found = path.absolute().resolve(), ("", "")
    try:
        mounts = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for _, mounted, kind, *_ in (line.split() for line in mounts):
        folder = mounted.replace("\\040", " ")
        if place.is_relative_to(folder) and len(folder) >= len(found[0]):
            found = folder, kind
    return found[1]
