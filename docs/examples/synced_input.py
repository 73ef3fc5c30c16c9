# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import SyncedInput, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
saved = {"title": "Untitled"}


@rt
def index():
    title = SyncedInput("title", "For everybody", scope="server", id="title", value=saved["title"], hx_post=save)
    return Titled("Fields", title, SyncedInput("draft", "For this browser's tabs", rows=4))


@rt
async def save(title: str):
    saved["title"] = title
    sse.synced("title").set(title)


serve()
