# /// script
# dependencies = ["sse-components"]
# ///
import asyncio

from fasthtml.common import *

from sse_components import TokenStream, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
async def ask():
    async with sse.tokens("answer") as answer:
        for word in ["Word", *["by word", "and again"] * 50]:
            answer.write(await asyncio.sleep(0.1, f"{word} "))  # call the model here


@rt
def stop():
    sse.tokens("answer").stop()


rt("/")(lambda: (TokenStream("answer", stop=stop), Button("Ask", hx_post=ask, hx_swap="none")))
serve()
