"""Publishing after the commit: publications of a transaction wait for its commit, and are dropped when it fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import Context, ContextVar, Token
from typing import Any, Self

from .forks import tell_after_fork
from .publication import Outcome

logger = logging.getLogger("sse_components")

Action = Callable[[], object]


def hold(action: Action) -> bool:
    """Hold an action back until the transaction around it is committed; return False without a transaction.

    Args:
        action: publishes. It is called in the application's event loop, or not at all.
    """
    block = next(blocks_around(), None)
    if block is not None:
        block.held.append(action)
    return block is not None


class Turn(Future[None]):
    """A block's turn to use a connection: a future that is done when the turn has come."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def come(self) -> None:
        """Tell the waiting block that its turn has come."""
        if self.set_running_or_notify_cancel():
            self.set_result(None)


class Turns:
    """Lets one block at a time use a connection, in the order of their requests."""

    def __init__(self) -> None:
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Forget the turns of the parent process' threads, which are not here to end them."""
        self._lock = threading.Lock()
        self._queues: dict[int, deque[Turn]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def count(self, connection: Any) -> int:
        """Return the number of blocks that use a connection, or wait for it."""
        return len(self._queues.get(id(connection), ()))

    def ask(self, connection: Any, *, blocking: bool) -> Turn:
        """Return a turn, which has come already if no other block uses the connection.

        Args:
            connection: a connection.
            blocking: whether this thread blocks until the turn comes.

        Raises:
            RuntimeError: if it would block the thread that the other block needs.
        """
        with self._lock:
            queue = self._queues.setdefault(id(connection), deque())
            turn = Turn()
            if blocking and any(earlier.thread == turn.thread for earlier in queue):
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
        """End a turn, whether it has come or not; then the next turn comes."""
        with self._lock:
            queue = self._queues[id(connection)]
            was_first = queue[0] is turn
            queue.remove(turn)
            following = queue[0] if queue and was_first else None
            if not queue:
                del self._queues[id(connection)]
        if following:
            following.come()


turns = Turns()


class AfterCommit:
    """A transaction, by `with` or `async with`, whose publications wait for its commit.

    Attributes:
        connection: the SQLite connection.
        held: the actions that publish, in order.
        open: whether it still takes actions.
    """

    def __init__(self, db: Any, publish: Callable[[list[Action]], object]) -> None:
        self.connection = connection_of(db)
        self.held: list[Action] = []
        self.open = False
        self._publish, self._savepoint = publish, f"after_commit_{id(self):x}"
        self._turn: Turn | None = None
        self._before: AfterCommit | None = None  # the block around it
        self._outer: AfterCommit | None = None  # the block around it for the same connection
        self._token: Token[AfterCommit | None] | None = None

    def __enter__(self) -> Self:
        if self._begins():
            self._turn = turns.ask(self.connection, blocking=True)
            self._turn.result()
        return self._begin_transaction()

    async def __aenter__(self) -> Self:
        if self._begins():
            self._turn = turns.ask(self.connection, blocking=False)
            try:
                await asyncio.wrap_future(self._turn)
            except BaseException:
                turns.end(self.connection, self._turn)
                raise
        return self._begin_transaction()

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._end(failed=kind is not None)

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._end(failed=kind is not None)

    def _begins(self) -> bool:
        """Find the blocks around it, and return whether this block begins a transaction."""
        if self._token is not None:
            raise RuntimeError("a block of after_commit can be entered once: call after_commit for each")
        self._before = next(blocks_around(), None)
        self._outer = next((block for block in blocks_around() if block.connection is self.connection), None)
        return self._outer is None

    def _begin_transaction(self) -> Self:
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
            return  # SQLite has rolled it back itself, as it does when the disk is full
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
            turns.end(self.connection, self._turn)


_innermost: ContextVar[AfterCommit | None] = ContextVar("sse_components.transaction", default=None)


def blocks_around() -> Iterator[AfterCommit]:
    """Yield the open blocks around this code, the innermost first."""
    block = _innermost.get()
    while block is not None:
        if block.open:
            yield block
        block = block._before


def connection_of(db: Any) -> Any:
    """Return the connection of a fastlite database, or the SQLite connection itself."""
    connection = getattr(db, "conn", db)
    if not hasattr(type(connection), "in_transaction"):  # the instance does not answer while another thread uses it
        raise TypeError(f"after_commit needs a fastlite database or an SQLite connection, not {type(db).__name__}")
    return connection


def run_all(actions: list[Action]) -> Outcome[None]:
    """Call what a transaction has held back. A failure is logged: the transaction itself is committed."""
    for action in actions:
        try:
            # In an empty context: the present one may be that of another transaction.
            Context().run(action)
        except Exception:
            logger.exception("a transaction is committed, but what was to be published with it is not")
    return Outcome.of(None)
