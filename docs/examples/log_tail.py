# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import LogTail, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index():
    return Titled("Build", Button("Build", hx_post=build, hx_swap="none"), LogTail("build"))


@rt
def build():
    for line, level in [("compiling", "info"), ("an old compiler", "warning"), ("no such file", "error")]:
        sse.log("build").write(line, level=level)


serve()
