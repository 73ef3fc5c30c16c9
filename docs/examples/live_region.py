# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import setup_sse

app, rt = fast_app()
sse = setup_sse(app)
votes = {"tea": 0, "coffee": 0}


@sse.region("board")
def board():
    return [P(Button(f"{name}: {votes[name]}", hx_post=vote.to(name=name), hx_swap="none")) for name in votes]


@rt
async def vote(name: str):
    votes[name] += 1
    board.refresh()


rt("/")(lambda: Titled("Votes", board()))
serve()
