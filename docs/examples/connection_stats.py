from fasthtml.common import *

from sse_components import SSE, ConnectionStats, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    numbers = ConnectionStats(stats=sse.registry.get_stats(), interval=2)
    return Titled("Numbers", SSE(channels="news"), numbers, Button("News", hx_post=news, hx_swap="none"))


@rt
def news():
    sse.publish("news", P("Here is the news: your browser has one connection, however many tabs it has."))


serve()
