# /// script
# dependencies = ["sse-components", "fastlite"]
# ///
from fasthtml.common import *

from sse_components import LiveList, setup_sse

app, rt, todos, Todo = fast_app(":memory:", name=str, pk="name")
sse = setup_sse(app)


@rt
def index():
    form = Form(Input(name="name", aria_label="Todo"), Button("Add"), hx_post=add, hx_swap="none")
    return Titled("Todos", form, LiveList(*[Li(todo.name, id=todo.name) for todo in todos()], id="todos", empty="None"))


@rt
def add(name: str):
    with sse.after_commit(todos.db):
        sse.list("todos").append(Li(name, id=name))
        todos.insert(name=name)  # if the name exists, this fails, and no page shows the item


serve()
