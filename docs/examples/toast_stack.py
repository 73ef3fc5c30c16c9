# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import ToastStack, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    form = Form(Input(name="text", aria_label="Text"), Button("Send to everyone"), hx_post=send, hx_swap="none")
    return Titled("Toasts", form, ToastStack())


@rt
def send(text: str):
    sse.toast(text or "Hello", level="success")


serve()
