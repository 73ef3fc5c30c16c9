# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import PresenceList, setup_sse

app, rt = fast_app(before=lambda req: req.scope.update(auth=req.session.get("name")))
sse = setup_sse(app)


@rt
def index(session, name: str = ""):
    session["name"] = name or session.get("name", "Guest")  # a real app asks for a password
    rename = Form(Input(name="name", aria_label="Name"), Button("This is me"), action=index)
    return Titled("Who is here?", PresenceList(), rename)


serve()
