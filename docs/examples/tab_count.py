# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import TabCount, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    link = A("Open another tab", href=index, target="_blank")
    return Titled("Tabs", TabCount(), link)


serve()
