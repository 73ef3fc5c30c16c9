# /// script
# dependencies = ["sse-components"]
# ///
from fasthtml.common import *

from sse_components import SessionGuard, setup_sse

app, rt = fast_app()
sse = setup_sse(app)


@rt
def index(session):
    user = session.setdefault("user", "ann")  # a real app asks for a password
    return Titled(user, A("Sign out", href=sign_out, data_sse_sign_out=True), SessionGuard(user=user, sign_in=index))


@rt
def sign_out(session):
    sse.revoke(session=session)  # closes the streams of all tabs
    session.clear()
    return A("Sign in again", href=index)


serve()
