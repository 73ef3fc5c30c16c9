# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import LiveText, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
count = 0


@rt
def index():
    return Titled("Clicks", P(LiveText(count, id="clicks", label="Clicks")), Button("+1", hx_post=add, hx_swap="none"))


@rt
async def add():
    global count
    count += 1
    sse.text("clicks").set(count)


serve()
