# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import SSE, ConnectionStatus, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    ring = Button("Ring", hx_post=bell, hx_swap="none")
    return Titled("Bell", ConnectionStatus(), ring, SSE(channels="bell", swap="afterbegin"))


@rt
def bell():
    sse.publish("bell", P("Ding!"))  # stop the server and start it again: the badge shows both


serve()
