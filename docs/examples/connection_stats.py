# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import SSE, ConnectionStats, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    numbers = ConnectionStats(stats=sse.registry.get_stats(), interval=2)
    return Titled("Numbers", SSE(channels="hints"), numbers, Button("Hint", hx_post=hint, hx_swap="none"))


@rt
def hint():
    sse.publish("hints", P("All tabs of your browser share one connection."))


serve()
