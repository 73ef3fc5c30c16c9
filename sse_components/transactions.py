"""Publishing after the commit: what is published in a transaction waits for its end, and is gone when it fails."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar, Token
from typing import Any, Self

Action = Callable[[], object]


def hold(action: Action) -> bool:
    """Hold an action back until the transaction around has been committed; return False where there is none.

    Args:
        action: publishes. It is called in the application's event loop, or not at all.
    """
    block = next(blocks_around(), None)
    if block is not None:
        block.held.append(action)
    return block is not None


class Turn(Future[None]):
    """A block's turn with a connection: done when it has come."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def come(self) -> None:
        """Tell that it has come, to whoever still waits for it."""
        if self.set_running_or_notify_cancel():
            self.set_result(None)


class Turns:
    """One block at a time for each connection, in the order in which they ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[int, deque[Turn]] = {}

    def ask(self, connection: Any, *, blocking: bool) -> Turn:
        """Return a turn; it has come already if nobody else uses the connection.

        Args:
            connection: a connection.
            blocking: whether this thread will stand still until the turn comes.

        Raises:
            RuntimeError: if it would stand still for a block that needs this very thread to come to its end.
        """
        with self._lock:
            queue = self._queues.setdefault(id(connection), deque())
            turn = Turn()
            if blocking and any(one.thread == turn.thread for one in queue):
                raise RuntimeError(
                    "another block of after_commit waits within its transaction on this connection:"
                    " write 'async with', which lets it go on"
                )
            queue.append(turn)
            is_first = len(queue) == 1
        if is_first:
            turn.come()
        return turn

    def end(self, connection: Any, turn: Turn) -> None:
        """End a turn, whether it has come or not; the next one comes."""
        with self._lock:
            queue = self._queues[id(connection)]
            was_first = queue[0] is turn
            queue.remove(turn)
            following = queue[0] if queue and was_first else None
            if not queue:
                del self._queues[id(connection)]
        if following:
            following.come()


_turns = Turns()


class AfterCommit:
    """A transaction, by `with` or `async with`, whose publications wait for its commit. See `Kit.after_commit`.

    Attributes:
        connection: SQLite's.
        held: what is to be published, in order.
        open: whether it still takes something.
    """

    def __init__(self, db: Any, publish: Callable[[list[Action]], object]) -> None:
        self.connection = connection_of(db)
        self.held: list[Action] = []
        self.open = False
        self._publish, self._savepoint = publish, f"after_commit_{id(self):x}"
        self._turn: Turn | None = None
        self._before: AfterCommit | None = None  # the block around
        self._outer: AfterCommit | None = None  # the one around that has begun the transaction
        self._token: Token[AfterCommit | None] | None = None

    def __enter__(self) -> Self:
        if self._begins():
            self._turn = _turns.ask(self.connection, blocking=True)
            self._turn.result()
        return self._begun()

    async def __aenter__(self) -> Self:
        if self._begins():
            self._turn = _turns.ask(self.connection, blocking=False)
            try:
                await asyncio.wrap_future(self._turn)
            except BaseException:
                _turns.end(self.connection, self._turn)
                raise
        return self._begun()

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._end(failed=kind is not None)

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._end(failed=kind is not None)

    def _begins(self) -> bool:
        """Look around, and return whether this block begins a transaction of its own."""
        if self._token is not None:
            raise RuntimeError("a block of after_commit can be entered once: call after_commit for each")
        self._before = next(blocks_around(), None)
        self._outer = next((block for block in blocks_around() if block.connection is self.connection), None)
        return self._outer is None

    def _begun(self) -> Self:
        try:
            if self._outer is None and self.connection.in_transaction:
                raise RuntimeError("the connection is in a transaction already: commit it before after_commit")
            self._execute(f"SAVEPOINT {self._savepoint}" if self._outer else "BEGIN IMMEDIATE")
        except BaseException:
            self._let_go()
            raise
        self.open, self._token = True, _innermost.set(self)
        return self

    def _end(self, *, failed: bool) -> None:
        """Commit or roll back, and publish what was held, or leave it to the block around."""
        self.open = False
        if self._token is not None:
            _innermost.reset(self._token)
        try:
            if failed:
                self._roll_back()
            else:
                self._commit()
                self._hand_on()
        finally:
            self._let_go()

    def _commit(self) -> None:
        try:
            self._execute(f"RELEASE {self._savepoint}" if self._outer else "COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if not self.connection.in_transaction:
            return  # SQLite itself has rolled it back, as it does when the disk is full
        if self._outer:
            self._execute(f"ROLLBACK TO {self._savepoint}")
            self._execute(f"RELEASE {self._savepoint}")
        else:
            self._execute("ROLLBACK")

    def _hand_on(self) -> None:
        if self._outer:
            self._outer.held += self.held
        elif self.held:
            self._publish(self.held)

    def _execute(self, statement: str) -> None:
        self.connection.execute(statement)

    def _let_go(self) -> None:
        if self._turn:
            _turns.end(self.connection, self._turn)


_innermost: ContextVar[AfterCommit | None] = ContextVar("sse_components.transaction", default=None)


def blocks_around() -> Iterator[AfterCommit]:
    """Yield the blocks that are open here, the innermost first."""
    block = _innermost.get()
    while block is not None:
        if block.open:
            yield block
        block = block._before


def connection_of(db: Any) -> Any:
    """Return the connection of a fastlite database, or the SQLite connection that it is."""
    connection = getattr(db, "conn", db)
    if not hasattr(type(connection), "in_transaction"):  # itself, it does not answer while it is busy in another thread
        raise TypeError(f"after_commit needs a fastlite database or an SQLite connection, not {type(db).__name__}")
    return connection
