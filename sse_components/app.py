"""`setup_sse(app)`: the only module that knows all the others."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar, overload

from fasthtml.common import Request, Script, to_xml
from starlette.responses import Response

from .access.grants import Grants
from .access.limits import Limits, answer
from .access.same_origin import SameOrigin
from .access.visitor import SameSite, Visitors
from .backends import Backend
from .endpoints.authorization import Authorization, Authorize
from .endpoints.broadcast import setup_broadcast_routes
from .endpoints.connections import AuthorizeAdmin, ConnectionsEndpoint
from .endpoints.presence_report import PresenceReportEndpoint
from .endpoints.renew import RenewEndpoint
from .endpoints.stream import StreamEndpoint
from .errors import SetupError
from .html import assets
from .html.granted import Site
from .html.oob import flat
from .html.page_context import kit_prefix, page_namespace
from .html.scripts import ScriptTag
from .kit import Kit
from .manager import BroadcastManager, ElementBuilder
from .middleware import FindUser, SSEMiddleware, put_innermost, put_outermost
from .protocol import BROADCAST_PATH, CONNECTIONS_PATH, PREFIX, PRESENCE_PATH, RENEW_PATH, STREAM_PATH

M = TypeVar("M", bound=BroadcastManager)
Endpoint = Callable[[Request], Awaitable[Response]]

# The options of `setup_sse` that are those of its manager.
MANAGER_OPTIONS = ("backend", "heartbeat", "element_builder", "limits", "grant_seconds")

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


@overload
def setup_sse(
    app: Any,
    *,
    prefix: str = PREFIX,
    manager: M,
    htmx: int | None = None,
    secret_key: str | None = None,
    authorize_admin: AuthorizeAdmin | None = None,
    authorize: Authorize | None = None,
    origins: str | Iterable[str] = (),
    grants_survive_restart: bool = False,
    strict: bool = False,
    public_broadcast: bool = False,
    shared: bool = True,
    user: FindUser | None = None,
    same_site: SameSite = "lax",
) -> M: ...


@overload
def setup_sse(
    app: Any,
    *,
    prefix: str = PREFIX,
    backend: Backend | str | None = None,
    manager: None = None,
    htmx: int | None = None,
    secret_key: str | None = None,
    heartbeat: float | None = None,
    element_builder: ElementBuilder | None = None,
    authorize_admin: AuthorizeAdmin | None = None,
    authorize: Authorize | None = None,
    origins: str | Iterable[str] = (),
    grant_seconds: float | None = None,
    grants_survive_restart: bool = False,
    strict: bool = False,
    public_broadcast: bool = False,
    limits: Limits | None = None,
    shared: bool = True,
    user: FindUser | None = None,
    same_site: SameSite = "lax",
) -> Kit: ...


def setup_sse(
    app: Any,
    *,
    prefix: str = PREFIX,
    backend: Backend | str | None = None,
    manager: BroadcastManager | None = None,
    htmx: int | None = None,
    secret_key: str | None = None,
    heartbeat: float | None = None,
    element_builder: ElementBuilder | None = None,
    authorize_admin: AuthorizeAdmin | None = None,
    authorize: Authorize | None = None,
    origins: str | Iterable[str] = (),
    grant_seconds: float | None = None,
    grants_survive_restart: bool = False,
    strict: bool = False,
    public_broadcast: bool = False,
    limits: Limits | None = None,
    shared: bool = True,
    user: FindUser | None = None,
    same_site: SameSite = "lax",
) -> BroadcastManager:
    """Set an app up for live pages: routes, assets, headers, middleware and lifespan.

    A second call changes nothing and returns the same manager, which is also in `app.state.sse`.

    Args:
        app: a FastHTML app that has not begun to serve.
        prefix: path of the kit's routes.
        backend: keeps the log: `'sqlite:///live.db'` for several processes of one host, `'redis://…'` for several
            hosts, or a backend that you have made; by default this process' memory.
        manager: a manager that you have made: a `Kit`, or a `BroadcastManager`, which has no methods for components. It
            has its own `backend`, `heartbeat`, `element_builder`, `grant_seconds` and `limits`.
        htmx: generation of htmx on the app's pages, 2 or 4; by default read from the app's headers.
        secret_key: signs the grants; by default the app's.
        heartbeat: seconds of silence after which a stream gets a comment; by default 15.
        element_builder: turns type and data of a `broadcast` into elements. Like the next two, it is async or runs in
            a worker thread.
        authorize_admin: tells whether a request may see each connection at `/sse/connections`. All others see numbers
            only.
        authorize: tells whether a request may follow a channel that it has a grant for. It is
            called when a stream opens and when its grants are renewed; `disconnect` has it called again.
        origins: origins, such as `'https://app.example.com'`, whose pages may use the kit's routes as well as those of
            the request's `Host`: those under which browsers know the application, where a proxy has to change the
            `Host`.
        grant_seconds: seconds for which a grant is valid; by default an hour. Pages renew theirs in time; a stream
            without a valid grant ends.
        grants_survive_restart: whether grants from before a restart are valid where it has lost the revocations, as
            with the memory backend. By default they are not, and pages fetch themselves again.
        strict: whether it is an error, and not only a warning, if the server starts several workers that each keep
            their log in memory.
        public_broadcast: whether anybody may follow all broadcasts at `/sse/broadcast`, as in the first public API. By
            default only pages with a grant get them: those that show `SSE` or a component that follows a channel.
        limits: how many connections there may be, and what they may ask for.
        shared: whether all tabs of a browser share one connection. If not, each page has one.
        user: returns, sync or async, the user of a request; None for nobody. By default it is what FastHTML's
            beforeware, or Starlette's authentication, has put into `request.scope['auth']`. It is called before each
            handler; if it raises, the request fails.
        same_site: `'lax'`, or `'none'` for an application that other sites show in a frame: the browser then sends the
            kit's cookie there, over HTTPS.

    Returns:
        The manager: a `Kit`, unless another one is given.

    Raises:
        SetupError: if the app has begun to serve, is not a FastHTML app, `prefix` or `htmx` cannot be used, an option
            is given twice and differently, or the manager has it already.

    Example:
        `sse = setup_sse(app)`
    """
    options = {name: value for name, value in locals().items() if name != "app"}
    if not hasattr(app, "hdrs"):
        raise SetupError(f"setup_sse needs a FastHTML app, not {type(app).__name__}")
    if isinstance(existing := getattr(app.state, "sse", None), BroadcastManager):
        check_same_options(options, app.state.sse_options)
        return existing
    check_app(app, prefix)
    same_origin = SameOrigin(origins)
    own = manager_for(options)
    visitors = Visitors(secret_key or app.secret_key, same_site=same_site)
    epoch = None if grants_survive_restart else lambda: own.backend.cursor.epoch
    key, lasting = secret_key or app.secret_key, own.grant_seconds
    grants = Grants(key, max_age=lasting, revocations=own.revocations, epoch=epoch)
    own.site, own.strict = Site(prefix, grants), strict
    own.start_with_application()
    app.state.sse, app.state.sse_options = own, options
    add_headers(app, prefix, htmx)
    add_routes(app, prefix, own, Authorization(grants, own.limits, authorize), authorize_admin, public_broadcast)
    put_innermost(app, user)
    layer = partial(SSEMiddleware, manager=own, grants=grants, visitors=visitors, prefix=prefix, shared=shared)
    layer = partial(layer, same_origin=same_origin)
    put_outermost(app, layer)
    return own


def manager_for(options: dict[str, Any]) -> BroadcastManager:
    """Return the manager of an application: the one that is given, or a new one.

    Raises:
        SetupError: if the given one is no manager, or has an option already that is given beside it.
    """
    given = {name: options[name] for name in MANAGER_OPTIONS if options[name] is not None}
    manager = options["manager"]
    if manager is None:
        return Kit(**given)
    if not isinstance(manager, BroadcastManager):
        raise SetupError(f"manager must be a Kit or a BroadcastManager, not {type(manager).__name__}")
    if given:
        raise SetupError(
            f"the given manager has its own {', '.join(given)}: give them to {type(manager).__name__}(...)"
        )
    return manager


def check_same_options(options: dict[str, Any], before: dict[str, Any]) -> None:
    """Check that a second `setup_sse` has no option that the first one did not have.

    Raises:
        SetupError: for an option that would be ignored.
    """
    defaults = inspect.signature(setup_sse).parameters
    for name, value in options.items():
        if value != defaults[name].default and value != before[name]:
            raise SetupError(f"this app is set up already with {name}={before[name]!r}; {value!r} would be ignored")


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
    app.hdrs.insert(0, KitTags(prefix, assets.first_tags))
    app.hdrs.append(KitTags(prefix, lambda path: assets.entry_tags(path, page_namespace())))


class KitTags:
    """Tags that load the kit, from the address that it has in the request that renders them.

    Args:
        prefix: path of the kit's routes where nothing is mounted.
        make: makes the tags for a prefix.
    """

    def __init__(self, prefix: str, make: Callable[[str], Any]) -> None:
        self.prefix, self.make = prefix, make

    def __ft__(self) -> Any:
        return self.make(kit_prefix(self.prefix))


def htmx_generation(headers: Any) -> int:
    """Return the generation of htmx that the headers load; 2 if that is unknown."""
    for source in script_sources(headers):
        if found := re.search(r"htmx(?:\.org)?@(\d+)", source):
            return int(found[1])
    return 2


def script_sources(headers: Any) -> list[str]:
    """Return the addresses of the scripts among some headers."""
    known = [header for header in flat(headers) if not isinstance(header, ScriptTag)]
    return re.findall(r'<script[^>]*\ssrc="([^"]*)"', to_xml(tuple(known), indent=False))


def add_routes(
    app: Any,
    prefix: str,
    manager: BroadcastManager,
    authorization: Authorization,
    authorize_admin: AuthorizeAdmin | None,
    public_broadcast: bool,
) -> None:
    """Add the kit's routes in front of all others: FastHTML has a catch-all for every `.js`."""
    before = list(app.router.routes)
    endpoints: dict[str, tuple[Endpoint, list[str]]] = {
        STREAM_PATH: (StreamEndpoint(manager, authorization), ["GET", "POST"]),
        PRESENCE_PATH: (PresenceReportEndpoint(manager), ["POST"]),
        RENEW_PATH: (RenewEndpoint(manager, authorization), ["POST"]),
        CONNECTIONS_PATH: (ConnectionsEndpoint(manager, authorize_admin), ["GET"]),
    }
    for path, (endpoint, methods) in endpoints.items():
        add_route(app, f"{prefix}{path}", endpoint, methods)
    # An application that has called `setup_broadcast_routes` itself has opened them.
    is_open = any(getattr(route, "path", "") == f"{prefix}{BROADCAST_PATH}" for route in before)
    setup_broadcast_routes(app, manager, prefix, manager.element_builder, public=public_broadcast or is_open)
    ours = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = [*ours, *before]


def add_route(app: Any, path: str, endpoint: Endpoint, methods: list[str]) -> None:
    """Add a route whose handler is an object: FastHTML takes functions only."""

    @app.route(path, methods=methods, name=f"sse_{path.rpartition('/')[2]}")
    async def handler(request: Request) -> Response:
        return await answer(endpoint, request)
