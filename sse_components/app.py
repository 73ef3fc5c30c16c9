"""`setup_sse(app)`: the only module that knows all the others."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fasthtml.common import Request, Script, to_xml
from starlette.responses import Response

from .access.grants import GRANT_SECONDS, Grants
from .access.limits import Limits
from .backends import Backend
from .delivery.connection import SSEConnection
from .endpoints.broadcast import setup_broadcast_routes
from .endpoints.presence_report import attend
from .endpoints.stream import Admission, Authorize
from .errors import SetupError
from .html import assets
from .html.page_context import kit_prefix
from .manager import BroadcastManager, ElementBuilder
from .middleware import SSEMiddleware, put_innermost, put_outermost, wrap_lifespan
from .protocol import CONNECTIONS_PATH, HEARTBEAT_SECONDS, PREFIX, PRESENCE_PATH, RENEW_PATH, STREAM_PATH

AuthorizeAdmin = Callable[[Request], bool | Awaitable[bool]]

CDN = "https://cdn.jsdelivr.net/npm"
# htmx's own SSE extension for each generation, and what its file must hash to.
EXTENSIONS = {
    2: (
        f"{CDN}/htmx-ext-sse@2.2.4/dist/sse.min.js",
        "sha384-A986SAtodyH8eg8x8irJnYUk7i9inVQqYigD6qZ9evobksGNIXfeFvDwLSHcp31N",
    ),
    4: (
        f"{CDN}/htmx.org@4.0.1/dist/ext/hx-sse.min.js",
        "sha384-v8HvucQ+ohQhMg0arboXc5049yNR46QKMjphs7YDch+Wm7zpfK5XVS01f26mQDJV",
    ),
}


def setup_sse(
    app: Any,
    *,
    prefix: str = PREFIX,
    backend: Backend | None = None,
    manager: BroadcastManager | None = None,
    htmx: int | None = None,
    secret_key: str | None = None,
    heartbeat: float = HEARTBEAT_SECONDS,
    element_builder: ElementBuilder | None = None,
    authorize_admin: AuthorizeAdmin | None = None,
    authorize: Authorize | None = None,
    grant_seconds: float = GRANT_SECONDS,
    public_broadcast: bool = True,
    limits: Limits | None = None,
    shared: bool = True,
) -> BroadcastManager:
    """Set an app up for live pages: routes, assets, headers, middleware and lifespan.

    A second call changes nothing and returns the same manager. It stands in `app.state.sse`, too.

    Args:
        app: a FastHTML app that has not begun to serve.
        prefix: path of the kit's routes.
        backend: keeps the log; by default this process' memory.
        manager: a manager of your own; then `backend`, `heartbeat`, `element_builder` and `limits` are its affair.
        htmx: generation of htmx on the app's pages, 2 or 4; by default read from the app's headers.
        secret_key: signs the grants; by default the app's.
        heartbeat: seconds of silence after which a stream gets a comment.
        element_builder: turns type and data of a `broadcast` into elements.
        authorize_admin: says of a request, perhaps after an await, whether it may see each connection at
            `/sse/connections`. All others see numbers only.
        authorize: says of a request and a channel, perhaps after an await, whether it may follow what it was granted.
            It is asked when a stream opens and when its grants are renewed, and `disconnect` lets it be asked anew.
        grant_seconds: how long a grant is valid. Pages renew theirs in time; a stream without a valid one ends.
        public_broadcast: whether everyone may follow all broadcasts at `/sse/broadcast`. If not, only pages with a
            grant get them.
        limits: how many connections there may be, and how much they may ask for.
        shared: whether all tabs of a browser share one connection. If not, each page has one.

    Raises:
        SetupError: if the app has begun to serve, is no FastHTML app, or `prefix` or `htmx` is not usable.
    """
    if not hasattr(app, "hdrs"):
        raise SetupError(f"setup_sse needs a FastHTML app, not {type(app).__name__}")
    if isinstance(existing := getattr(app.state, "sse", None), BroadcastManager):
        return existing
    check_app(app, prefix)
    manager = manager or BroadcastManager(
        backend=backend, heartbeat=heartbeat, element_builder=element_builder, limits=limits
    )
    grants = Grants(secret_key or app.secret_key, max_age=grant_seconds, revoked=manager.door.revoked)
    manager.starts_by_itself = False
    app.state.sse = manager
    add_headers(app, prefix, htmx)
    add_routes(app, prefix, Admission(manager, grants, authorize), authorize_admin, public_broadcast)
    put_innermost(app)
    put_outermost(app, lambda inner: SSEMiddleware(inner, manager=manager, grants=grants, prefix=prefix, shared=shared))
    wrap_lifespan(app, manager.start, manager.stop)
    return manager


def check_app(app: Any, prefix: str) -> None:
    """Raise `SetupError` if an app cannot be set up."""
    if app.middleware_stack is not None:
        raise SetupError("setup_sse must be called before the app begins to serve")
    if not re.fullmatch(r"(/[\w.~-]+)+", prefix):
        raise SetupError(f"prefix must be a path such as {PREFIX!r}, not {prefix!r}")


def add_headers(app: Any, prefix: str, htmx: int | None) -> None:
    """Add htmx's SSE extension, unless the app has one, and the kit's entry module."""
    generation = htmx or htmx_generation(app.hdrs)
    if generation not in EXTENSIONS:
        raise SetupError(f"htmx must be one of: {', '.join(map(str, EXTENSIONS))}; not {generation!r}")
    url, integrity = EXTENSIONS[generation]
    if not any(re.search(r"(?:hx-|/)sse(?:\.min)?\.js", src) for src in script_sources(app.hdrs)):
        app.hdrs.append(Script(src=url, integrity=integrity, crossorigin="anonymous"))
    app.hdrs.append(EntryTags(prefix))


class EntryTags:
    """The tags that load the kit, from the address that it has in the request that renders them.

    Args:
        prefix: path of the kit's routes where nothing is mounted.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __ft__(self) -> tuple[Any, ...]:
        return assets.entry_tags(kit_prefix(self.prefix))


def htmx_generation(headers: Any) -> int:
    """Return the generation of htmx that the headers load; 2 if they do not tell."""
    for source in script_sources(headers):
        if found := re.search(r"htmx(?:\.org)?@(\d+)", source):
            return int(found[1])
    return 2


def script_sources(headers: Any) -> list[str]:
    """Return the addresses of the scripts among some headers."""
    return re.findall(r'<script[^>]*\ssrc="([^"]*)"', to_xml(tuple(headers), indent=False))


def add_routes(
    app: Any, prefix: str, admission: Admission, authorize_admin: AuthorizeAdmin | None, public_broadcast: bool
) -> None:
    """Add the kit's routes, in front of all others: FastHTML has a catch-all for every `.js`."""
    before, manager = list(app.router.routes), admission.manager

    @app.route(f"{prefix}{STREAM_PATH}", methods=["GET", "POST"])
    async def sse_stream(request: Request) -> Response:
        return await admission.stream(request)

    @app.route(f"{prefix}{PRESENCE_PATH}", methods=["POST"])
    async def sse_presence(request: Request) -> Response:
        return await attend(request, manager)

    @app.route(f"{prefix}{RENEW_PATH}", methods=["POST"])
    async def sse_renew(request: Request) -> Response:
        return await admission.renew(request)

    @app.route(f"{prefix}{CONNECTIONS_PATH}", methods=["GET"])
    async def sse_connections(request: Request) -> Response:
        return await connections(request, manager, authorize_admin)

    setup_broadcast_routes(app, manager, prefix, manager.element_builder, public=public_broadcast)
    ours = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = [*ours, *before]


async def connections(request: Request, manager: BroadcastManager, authorize_admin: AuthorizeAdmin | None) -> Response:
    """Answer a request for the connections: their numbers, and each of them to whom `authorize_admin` admits."""
    admitted = authorize_admin is not None and authorize_admin(request)
    if inspect.isawaitable(admitted):
        admitted = await admitted
    stats = manager.registry.get_stats()
    if admitted:
        stats["connections"] = [described(one) for one in manager.registry.get_connections()]
    # What an application remembers with a connection need not be JSON.
    body = json.dumps(stats, default=str)
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


def described(connection: SSEConnection) -> dict[str, Any]:
    """Return what an administrator sees of a connection."""
    return {
        "id": connection.connection_id,
        "type": connection.connection_type,
        "state": connection.state.value,
        "metadata": connection.metadata,
        "created_at": connection.created_at.isoformat(),
        "last_activity": connection.last_activity.isoformat(),
        "message_count": connection.message_count,
    }
