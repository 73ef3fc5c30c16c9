"""A value, lists and a region for each room; and changes inside a transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import Any

from fasthtml.common import Button, Div, Form, Input, Label, Li, P, Table, Td, Th, Thead, Titled, Tr

from e2e.pages import page_app
from sse_components import LiveList, LiveText, setup_sse

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</textarea></template></div><b>bold</b>",
    "‮right to left‬ שלום",
    "x" * 1_000_000,
]


# Seconds between two announcements. Tests recognize the timer by this number, and fire it themselves.
PAUSE = 7.77


def make_app(*, htmx4: bool) -> Any:
    app, rt = page_app(htmx4=htmx4, htmlkw={"lang": "en"})
    sse = setup_sse(app)
    add_text(rt, sse)
    add_lists(rt, sse)
    add_moves(rt, sse)
    add_table(rt, sse)
    add_region(rt, sse)
    add_transaction(rt, sse)
    return app


def add_text(rt: Any, sse: Any) -> None:
    values: defaultdict[str, Any] = defaultdict(lambda: "0 %")

    @rt("/{room}/text", methods=["GET"])
    def text(room: str) -> Any:
        value = LiveText(values[room], id=room, label="Load", announced=PAUSE)
        return Titled("Load", P("Load: ", value))

    @rt("/{room}/text/set", methods=["POST"])
    async def set_text(room: str, values_: str) -> None:
        for values[room] in values_.split(","):
            sse.text(room).set(values[room])

    @rt("/{room}/text/hostile", methods=["POST"])
    async def set_hostile(room: str) -> None:
        values[room] = "\n".join(HOSTILE)
        sse.text(room).set(values[room])


def add_lists(rt: Any, sse: Any) -> None:
    rooms: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def item(id: str, text: str, **attrs: Any) -> Any:
        box = Input(type="checkbox", id=f"{id}-done"), Input(id=f"{id}-note", aria_label=f"Note on {text[:20]}")
        return Li(Label(box[0], text), box[1], id=id, **attrs)

    @rt("/{room}/list", methods=["GET"])
    def a_list(room: str, tag: str = "ul", max_length: int = 0) -> Any:
        items = [item(id, text) for id, text in rooms[room].items()]
        todos = LiveList(*items, id=room, tag=tag, max_length=max_length or None, empty="Nothing to do")
        return Titled("Todos", todos)

    @rt("/{room}/list/{what}", methods=["POST"])
    async def change(room: str, what: str, id: str, text: str = "", key: str = "") -> None:
        todos, attrs = sse.list(room), {"data_sse_key": key} if key else {}
        if what == "remove":
            rooms[room].pop(id)
            todos.remove(id)
        elif what == "clear":
            rooms[room].clear()
            todos.clear()
        else:
            rooms[room][id] = text
            getattr(todos, what)(item(id, text, **attrs))

    @rt("/{room}/list/all/hostile", methods=["POST"])
    async def hostile(room: str) -> None:
        for number, text in enumerate(HOSTILE):
            rooms[room][f"{room}-{number}"] = text
            sse.list(room).append(item(f"{room}-{number}", text))


def add_moves(rt: Any, sse: Any) -> None:
    def item(id: str) -> Any:
        return Li(id, Input(id=f"{id}-note", aria_label="Note"), id=id)

    @rt("/{room}/moves", methods=["GET"])
    def page(room: str, only: str = "", channel: str = "") -> Any:
        """Show one list or both; each on its own channel, or both on the same."""
        lists = {
            name: LiveList(
                *([item(f"{room}-item")] if name == "todo" else []), id=f"{room}-{name}", channel=channel or None
            )
            for name in ("todo", "done")
            if only in ("", name)
        }
        return Titled("Moves", *lists.values())

    @rt("/{room}/moves/move", methods=["POST"])
    def move(room: str, channel: str = "") -> None:
        todo, done = (sse.list(f"{room}-{name}", channel=channel or None) for name in ("todo", "done"))
        todo.move(item(f"{room}-item"), to=done)


def add_table(rt: Any, sse: Any) -> None:
    scores: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def row(name: str, score: str) -> Any:
        return Tr(Td(name), Td(score), id=f"row-{name}", data_sse_key=score)

    @rt("/{room}/table", methods=["GET"])
    def table(room: str, max_length: int = 0) -> Any:
        rows = [row(name, score) for name, score in scores[room].items()]
        body = LiveList(
            *rows, id=room, tag="tbody", max_length=max_length or None, empty=Tr(Td("No scores", colspan=2))
        )
        return Titled("Scores", Table(Thead(Tr(Th("Name"), Th("Score"))), body))

    @rt("/{room}/table/insert", methods=["POST"])
    async def insert(room: str, scores_: str) -> None:
        for name, _, score in (pair.partition("=") for pair in scores_.split(",")):
            is_new = name not in scores[room]
            scores[room][name] = score
            (sse.list(room).insert if is_new else sse.list(room).update)(row(name, score))


def add_region(rt: Any, sse: Any) -> None:
    rooms: defaultdict[str, list[str]] = defaultdict(list)
    regions: dict[str, Any] = {}

    def region(room: str) -> Any:
        def board() -> Any:
            texts = rooms[room]
            vote = Button(f"Vote ({len(texts)})", id="vote", hx_post=f"/{room}/region/add?text=voted", hx_swap="none")
            note = Form(Label("Note ", Input(id="note", value=f"note {len(texts)}")))
            lines = Div(*[P(text) for text in texts], id="lines", style="height: 80px; overflow: auto", tabindex="0")
            return note, vote, lines

        return regions.setdefault(room, sse.region(room)(board))

    @rt("/{room}/region", methods=["GET"])
    def page(room: str) -> Any:
        return Titled("Board", region(room)())

    @rt("/{room}/region/add", methods=["POST"])
    async def add(room: str, text: str) -> None:
        for value in HOSTILE if text == "hostile" else text.split(","):
            rooms[room].append(value)
            region(room).refresh()


def add_transaction(rt: Any, sse: Any) -> None:
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.execute("CREATE TABLE todo (id INTEGER PRIMARY KEY, room, title)")

    def item(id: int, title: str) -> Any:
        return Li(title, id=f"todo-{id}")

    @rt("/{room}/transaction", methods=["GET"])
    def page(room: str) -> Any:
        todos = db.execute("SELECT id, title FROM todo WHERE room = ?", [room]).fetchall()
        form = Form(
            Input(name="title", aria_label="Title"), Button("Add"), hx_post=f"/{room}/transaction/add", hx_swap="none"
        )
        return Titled("Todos", form, LiveList(*[item(*todo) for todo in todos], id=room, empty="Nothing"))

    @rt("/{room}/transaction/add", methods=["POST"])
    async def add(room: str, title: str) -> Any:
        try:
            async with sse.after_commit(db):
                [id] = db.execute("INSERT INTO todo (room, title) VALUES (?, ?) RETURNING id", [room, title]).fetchone()
                sse.list(room).append(item(id, title))
                if title == "too much":
                    raise ValueError("it is")
        except ValueError:
            pass
