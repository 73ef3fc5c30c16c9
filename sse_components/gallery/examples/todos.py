"""Todo list: stored in SQLite, and the same in every tab."""

from __future__ import annotations

import sqlite3
from typing import Any

from fasthtml.common import FT, APIRouter, Button, Form, Input, Label, Li, P, Progress, Ul
from starlette.datastructures import State
from starlette.requests import Request

from ... import SSE, oob

CHANNEL = "todos"
TABLE = "CREATE TABLE IF NOT EXISTS todo (id INTEGER PRIMARY KEY, title, done DEFAULT FALSE)"
rt = APIRouter("/todos")


def page(request: Request) -> tuple[FT, ...]:
    """Show the form, the list, and the number of open todos."""
    todos = request.app.state.db.execute("SELECT * FROM todo ORDER BY id")
    items = Ul(*map(item, todos), id="todos")
    return new_todo(), items, *glance(request)


def glance(request: Request) -> tuple[FT, ...]:
    """Show the number of open todos."""
    return SSE(channels=CHANNEL), P(left(request.app.state.db), id="todos-left", role="status")


@rt.post
async def add(state: State, title: str) -> FT:
    """Append a todo in every tab, and clear the form in this one."""
    if title := title.strip():
        [todo] = state.db.execute("INSERT INTO todo (title) VALUES (?) RETURNING *", [title])
        await publish(state, oob(item(todo)(cls="new"), "todos", "beforeend"))
    return new_todo(autofocus=True)


@rt.post
async def check(state: State, id: int, done: bool = False) -> None:
    """Check or uncheck a todo."""
    update = "UPDATE todo SET done = ? WHERE id = ? RETURNING *"
    for todo in state.db.execute(update, [done, id]).fetchall():
        await publish(state, oob(item(todo)(cls="new")))


@rt.post
async def delete(state: State, id: int) -> None:
    """Delete a todo."""
    gone = "DELETE FROM todo WHERE id = ? RETURNING *"
    for todo in state.db.execute(gone, [id]).fetchall():
        await publish(state, oob(item(todo), swap="delete"))


async def publish(state: State, change: Any) -> None:
    """Publish a change and the new count as one message."""
    await state.sse.publish(CHANNEL, change, oob(left(state.db), "todos-left", "innerHTML"))


def new_todo(**attrs: Any) -> FT:
    """Return the form for a new todo."""
    label = Label("New todo", fr="title")
    title = Input(id="title", required=True, maxlength=200, autocomplete="off", **attrs)
    return Form(label, title, Button("Add"), hx_post=add, hx_swap="outerHTML")


def item(todo: sqlite3.Row) -> FT:
    """Return the list item of a todo. FT escapes the title."""
    id, title = f"todo-{todo['id']}", todo["title"]
    box = Input(type="checkbox", id=f"{id}-done", name="done", checked=bool(todo["done"]))
    button = Button("Delete", id=f"{id}-delete", aria_label=f"Delete {title}")
    return Li(
        box(hx_post=check.to(id=todo["id"]), hx_swap="none"),
        Label(title, fr=f"{id}-done"),
        button(hx_post=delete.to(id=todo["id"]), hx_swap="none"),
        id=id,
    )


def left(db: sqlite3.Connection) -> tuple[str, FT]:
    """Return the number of open todos as text and as a bar."""
    total, done = db.execute("SELECT count(*), total(done) FROM todo").fetchone()
    words = f"{total - done:.0f} of {total} left" if total else "Nothing to do"
    return words, Progress(value=done, max=total or 1, aria_label="Done")


def connect(path: str) -> sqlite3.Connection:
    """Open the database. With an empty path, SQLite deletes it when it is closed."""
    db = sqlite3.connect(path, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute(TABLE)
    return db
