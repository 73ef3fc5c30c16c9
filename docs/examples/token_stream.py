import asyncio

from fasthtml.common import *

from sse_components import TokenStream, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
app.post("/stop")(sse.tokens("answer").stop)


@rt
async def ask():
    async with sse.tokens("answer") as answer:
        for word in ["Word", *["by word", "and again"] * 50]:
            await answer.write(await asyncio.sleep(0.1, f"{word} "))  # where the model would think


@rt
def index():
    return TokenStream("answer", stop="/stop"), Button("Ask", hx_post=ask, hx_swap="none")


serve()
