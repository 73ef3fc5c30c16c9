# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import LiveList, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
names = []


@rt
def index():
    form = Form(Input(name="name", aria_label="Name"), Button("Join"), hx_post=join, hx_swap="none")
    return Titled("Guests", form, LiveList(*names, id="guests", empty="No one has joined yet"))


@rt
async def join(name: str):
    names.append(Li(name, id=f"guest-{len(names)}", data_sse_key=name))
    sse.list("guests").insert(names[-1])


serve()
