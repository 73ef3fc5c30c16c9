# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import SyncedToggle, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
lamp = {"on": False}


@rt
def index():
    theme = SyncedToggle("Dark theme", attribute="data-theme", on="dark", off="light")  # this browser's tabs
    light = SyncedToggle("Lamp", name="on", id="lamp", scope="server", checked=lamp["on"], hx_post=switch)
    return theme, Titled("Switches", light)


@rt
async def switch(on: bool = False):
    lamp["on"] = on
    sse.synced("lamp").set(on)


serve()
