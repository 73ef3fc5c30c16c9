"""A process that was forked has identities of its own, open locks, and does not take itself for its parent."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import patient

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

# What a forked child does that calls `tell`, and what its parent then prints: what the child has told.
SCRIPT = """
import asyncio, json, os, threading
from sse_components import BroadcastManager, Kit, EventLog, MemoryBackend, NotRunning
from sse_components.events.log import Cursor
from sse_components.errors import HistoryGap

def fork(tell):
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(writing, json.dumps(tell()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as told:
        text = told.read()
    os.waitpid(child, 0)
    return json.loads(text)

{body}
"""


def told(body: str) -> Any:
    """Run a script in a process without other threads, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{body}", body)],
        capture_output=True,
        text=True,
        timeout=patient(30),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_forked_process_begins_another_log() -> None:
    parent, child, other, grandchild, gap = told("""
log = EventLog()
here = log.append("a", "x")

def look():
    try:
        log.since(["a"], Cursor.parse(here.id))
    except HistoryGap as error:
        return [log.epoch, fork(lambda: log.epoch), [log.sequence, error.channels]]

child, grandchild, gap = fork(look)
print(json.dumps([log.epoch, child, fork(lambda: log.epoch), grandchild, gap]))
""")
    assert len({parent, child, other, grandchild}) == 4
    assert gap == [0, ["a"]]


def test_a_forked_process_names_the_batches_of_its_logs_in_another_way() -> None:
    parent, child = told("""
log = Kit().log("build")
log.remember(["compiled"], "info")
ids = lambda: [batch.id for batch in log.batches(log.lines)]
print(json.dumps([ids(), fork(ids)]))
""")
    assert len(parent) == len(child) == 1
    assert parent != child


def test_a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child() -> None:
    """Each kind of lock that a handler takes: of handles, of what they hold, of a loop, and of transactions."""
    assert (
        told("""
import sqlite3
from sse_components.transactions import turns

sse = Kit()
log = sse.log("build")
held, over = threading.Event(), threading.Event()
connection = sqlite3.connect(":memory:", check_same_thread=False)

def hold():
    with sse.handles._lock, log._lock, log._throttle._lock, sse.home._lock:
        turns.ask(connection, blocking=True)
        held.set()
        over.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()

async def use():
    async with sse:
        await sse.log("build").write("compiled")
        with sse.after_commit(connection):
            await sse.publish("todos", "x")
        return len(log.lines)

count = fork(lambda: asyncio.run(use()))
over.set()
holder.join()
print(count)
""")
        == 1
    )


def test_a_child_of_a_running_process_does_not_publish_into_the_void() -> None:
    heard, errors = told("""
heard = []

async def main():
    sse = BroadcastManager()
    sse.start_with_application()
    async with sse:
        await sse.backend.open(lambda event: heard.append(event.channel))

        def publish():
            errors = []
            for publish in (lambda: sse.publish("todos", "x"), lambda: sse.publish("todos", "x").result(9)):
                try:
                    publish()
                except NotRunning as error:
                    errors.append(str(error).partition(",")[0])
            sse.backend.append("todos", "x")
            return [heard, errors]

        return await asyncio.to_thread(fork, publish)

print(json.dumps(asyncio.run(main())))
""")
    assert heard == []
    assert errors == ["the manager does not run yet"] * 2


# What a process must make for itself: identities, locks, counters, and what belongs to an event loop or a thread.
OWN = set(
    "token_hex token_urlsafe token_bytes urandom uuid1 uuid4 getpid count Random"
    " Lock RLock asyncio.Event threading.Event Condition Semaphore BoundedSemaphore Barrier Queue Future"
    " Thread ThreadPoolExecutor CapacityLimiter".split()
)


def made_at_import(tree: ast.Module) -> list[str]:
    """Return what is called when a module is imported: outside of functions, and in the bodies of classes."""
    found, waiting = [], list[ast.AST](tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name, name.rpartition(".")[2]]
        waiting.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("file", sorted((ROOT / "sse_components").rglob("*.py")), ids=lambda file: file.stem)
def test_no_module_makes_at_import_what_a_process_must_have_for_itself(file: Path) -> None:
    assert OWN.isdisjoint(made_at_import(ast.parse(file.read_text())))
