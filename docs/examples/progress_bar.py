# /// script
# dependencies = ["sse-components"]
# ///
import asyncio

from fasthtml.common import *

from sse_components import ProgressBar, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
async def start():
    async with sse.job("export") as job:
        async for row in job.each(range(200)):
            await asyncio.sleep(0.05)  # do the work here


@rt
def cancel():
    sse.job("export").cancel()


rt("/")(lambda: (ProgressBar("export", "Export", cancel=cancel), Button("Start", hx_post=start, hx_swap="none")))
serve()
