from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import Div, FastHTML, Script, fast_app, to_xml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from sse_components import SSE, BroadcastManager, MemoryBackend, SetupError, setup_sse
from sse_components.access.grants import Grants
from sse_components.app import EXTENSIONS
from sse_components.html.assets import version
from tests.support.running import running
from tests.support.serving import Site, Stream

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "static"
NODE_MODULES = ROOT / "node_modules"
# The files on npm that the headers load from the CDN.
EXTENSION_FILES = {
    2: ("htmx-ext-sse", "dist/sse.min.js"),
    4: ("htmx4", "dist/ext/hx-sse.min.js"),
}
KEY = "tests"


def make_app(**options: Any) -> FastHTML:
    return FastHTML(secret_key=KEY, **options)


@contextmanager
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def head(app: FastHTML) -> str:
    """Return the headers of an app's pages."""
    return str(to_xml(tuple(app.hdrs), indent=False))


def sources(app: FastHTML) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]*)"', head(app))


# ---------------------------------------------------------------------- setting up


def test_setup_sse_returns_the_manager_in_the_apps_state() -> None:
    app = make_app()
    sse = setup_sse(app)
    assert isinstance(sse, BroadcastManager)
    assert app.state.sse is sse


def test_a_second_call_changes_nothing() -> None:
    app = make_app()
    sse = setup_sse(app)
    before = head(app), list(app.router.routes), app.build_middleware_stack, app.router.lifespan_context
    assert setup_sse(app) is setup_sse(app, prefix="/sse") is sse
    for name, value in {"prefix": "/other", "htmx": 4, "manager": BroadcastManager(), "heartbeat": 3}.items():
        with pytest.raises(SetupError, match=f"^this app is set up already with {name}="):
            setup_sse(app, **{name: value})  # type: ignore[call-overload]
    assert before == (head(app), list(app.router.routes), app.build_middleware_stack, app.router.lifespan_context)


def test_a_second_call_is_allowed_while_the_app_runs() -> None:
    app = make_app()
    sse = setup_sse(app)
    with client(app) as browser:
        browser.get("/sse/status")
        assert setup_sse(app) is sse


def test_an_app_that_runs_already_is_refused() -> None:
    app = make_app()
    with client(app) as browser:
        browser.get("/")
        with pytest.raises(SetupError, match=r"^setup_sse must be called before the app begins to serve$"):
            setup_sse(app)


@pytest.mark.parametrize("app", [Starlette(), None, "app", object()], ids=lambda app: type(app).__name__)
def test_only_a_fasthtml_app_is_accepted(app: Any) -> None:
    with pytest.raises(SetupError, match=f"^setup_sse needs a FastHTML app, not {type(app).__name__}$"):
        setup_sse(app)


@pytest.mark.parametrize("prefix", ["", "/", "sse", "/sse/", "//sse", "/s se", "/sse?x", "/sse#x", "/{x}"])
def test_an_invalid_prefix_is_refused(prefix: str) -> None:
    app = make_app()
    with pytest.raises(SetupError) as caught:
        setup_sse(app, prefix=prefix)
    assert str(caught.value) == f"prefix must be a path such as '/sse', not {prefix!r}"
    assert not hasattr(app.state, "sse")


@pytest.mark.parametrize("htmx", [1, 3, 5, "2"])
def test_htmx_must_be_2_or_4(htmx: Any) -> None:
    with pytest.raises(SetupError, match=f"^htmx must be one of: 2, 4; not {htmx!r}$"):
        setup_sse(make_app(), htmx=htmx)


def test_a_given_manager_is_used() -> None:
    mine = BroadcastManager(history_limit=3)
    app = make_app()
    assert setup_sse(app, manager=mine) is mine


def test_options_are_passed_to_the_manager() -> None:
    backend = MemoryBackend()
    sse = setup_sse(make_app(), backend=backend, heartbeat=3, element_builder=lambda kind, data: Div(kind))
    assert (sse.backend, sse.heartbeat) == (backend, 3)
    assert sse.element_builder is not None


def test_grants_are_signed_with_the_apps_key_or_a_given_one() -> None:
    for options, key in (({}, KEY), ({"secret_key": "another"}, "another")):
        app = make_app()
        setup_sse(app, **options)  # type: ignore[call-overload]
        with client(app) as browser:
            here = app.state.sse.backend.cursor
            grants = [Grants(used).sign(["todos"], here, place="/sse") for used in (key, f"not {key}")]
            ours, others = browser.post("/sse/renew", data={"sub": grants}).json()["subs"]
        assert "grant" in ours
        assert others == {"denied": "forged"}


def grant_of_page(app: FastHTML, channels: str = "todos") -> str:
    """Return the grant of a page of an app."""
    app.route("/page")(lambda: SSE(channels=channels))
    with client(app) as browser:
        (grant,) = re.findall(r'data-sse-connect="[^"]*\?sub=([^"]*)"', browser.get("/page").text)
        return str(grant)


# ---------------------------------------------------------------------- headers


@pytest.mark.parametrize("generation", EXTENSION_FILES)
def test_the_extension_is_pinned_by_its_hash(generation: int) -> None:
    package, file = EXTENSION_FILES[generation]
    facts = json.loads((NODE_MODULES / package / "package.json").read_text())
    digest = hashlib.sha384((NODE_MODULES / package / file).read_bytes()).digest()
    assert EXTENSIONS[generation] == (
        f"https://cdn.jsdelivr.net/npm/{facts['name']}@{facts['version']}/{file}",
        f"sha384-{base64.b64encode(digest).decode()}",
    )


@pytest.mark.parametrize(("options", "generation"), [({}, 2), ({"htmx4": True}, 4)])
def test_the_extension_for_the_apps_htmx_is_loaded_after_it(options: dict[str, Any], generation: int) -> None:
    app = make_app(**options)
    setup_sse(app)
    url, integrity = EXTENSIONS[generation]
    assert f'<script src="{url}" integrity="{integrity}" crossorigin="anonymous"></script>' in head(app)
    (htmx,) = [place for place, source in enumerate(sources(app)) if re.search(r"/htmx(\.min)?\.js", source)]
    assert htmx < sources(app).index(url) < sources(app).index(f"/sse/assets/{version()}/index.js")


@pytest.mark.parametrize("generation", EXTENSIONS)
def test_the_htmx_argument_is_used_if_headers_do_not_show_the_version(generation: int) -> None:
    app = make_app(default_hdrs=False, hdrs=(Script(src="/static/htmx.js"),))
    setup_sse(app, htmx=generation)
    assert sources(app)[2:4] == ["/static/htmx.js", EXTENSIONS[generation][0]]


@pytest.mark.parametrize("headers", [(), (Script(src="/static/htmx.js"),)])
def test_htmx_2_is_the_default(headers: tuple[Any, ...]) -> None:
    app = make_app(default_hdrs=False, hdrs=headers)
    setup_sse(app)
    assert EXTENSIONS[2][0] in sources(app)


@pytest.mark.parametrize(
    "options",
    [
        {"htmx4": True, "exts": "sse4"},
        {"hdrs": (Script(src="https://unpkg.com/htmx-ext-sse@2.2.3/sse.js"),)},
        {"hdrs": (Script(src="/static/sse.min.js"),)},
    ],
)
def test_an_extension_that_the_app_loads_is_not_loaded_twice(options: dict[str, Any]) -> None:
    app = make_app(**options)
    before = sources(app)
    setup_sse(app)
    assets = f"/sse/assets/{version()}"
    first = [f"{assets}/morph/{name}.js" for name in ("early-changes", "server-copy")]
    assert sources(app) == [*first, *before, f"{assets}/index.js"]


def test_every_page_loads_the_kit() -> None:
    app = make_app()
    setup_sse(app)
    app.route("/page")(lambda: Div("x"))
    with client(app) as browser:
        for path in ("/page", "/nowhere"):
            browser.get(path)
        page = browser.get("/page").text
    entry = f"/sse/assets/{version()}/index.js"
    assert f'<link rel="modulepreload" href="{entry}">' in page
    assert f'<script src="{entry}" type="module" data-sse-namespace="' in page


# ---------------------------------------------------------------------- assets


def test_assets_come_before_fasthtmls_catch_all_route(tmp_path: Path) -> None:
    (tmp_path / "mine.js").write_text("mine")
    app, _ = fast_app(secret_key=KEY, static_path=str(tmp_path))
    setup_sse(app)
    with client(app) as browser:
        ours = browser.get(f"/sse/assets/{version()}/index.js")
        assert ours.text == (STATIC / "index.js").read_text()
        assert ours.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert browser.get("/mine.js").text == "mine"


def test_an_asset_with_an_unknown_version_is_not_cached() -> None:
    app = make_app()
    setup_sse(app)
    with client(app) as browser:
        response = browser.get("/sse/assets/000000000000/index.js", follow_redirects=False)
    assert (response.status_code, response.headers["cache-control"]) == (307, "no-cache")


@pytest.mark.parametrize("path", ["", "/x", "/x/nothing.js", "/x/%2e%2e/%2e%2e/pyproject.toml", "/x/..%2fapp.py"])
def test_only_assets_are_served_below_their_path(path: str) -> None:
    app, _ = fast_app(secret_key=KEY, static_path=str(ROOT))
    setup_sse(app)
    with client(app) as browser:
        assert browser.get(f"/sse/assets{path}").status_code == 404
        assert browser.post(f"/sse/assets/{version()}/index.js").status_code == 405


# ---------------------------------------------------------------------- routes


def test_routes_come_before_those_of_the_app() -> None:
    app = make_app()

    @app.route("/{path:path}")
    def mine(path: str) -> str:
        return f"mine: {path}"

    setup_sse(app)
    with client(app) as browser:
        assert browser.get("/sse/status").json() == {"connections": 0, "history_size": 0}
        assert browser.get("/sse/connections").json()["total"] == 0
        assert browser.get("/sse/stream").status_code == 400
        assert browser.get("/other").text == "mine: other"


def test_routes_are_below_the_prefix() -> None:
    app = make_app()
    setup_sse(app, prefix="/live/v1")
    with client(app) as browser:
        assert browser.get("/live/v1/status").status_code == 200
        assert browser.get(f"/live/v1/assets/{version()}/index.js").status_code == 200
        assert browser.get("/sse/status").status_code == 404
    assert sources(app)[-1] == f"/live/v1/assets/{version()}/index.js"


@pytest.mark.parametrize("path", ["broadcast", "status", "connections"])
def test_routes_allow_only_get(path: str) -> None:
    app = make_app()
    setup_sse(app)
    with client(app) as browser:
        assert browser.post(f"/sse/{path}").status_code == 405


# ---------------------------------------------------------------------- grants


def refused(query: str) -> tuple[int, str]:
    """Return the answer to a request for a stream that is not granted."""
    app = make_app()
    setup_sse(app)
    with client(app) as browser:
        response = browser.get(f"/sse/stream{query}")
    return response.status_code, response.text


@pytest.mark.parametrize("query", ["", "?channel=todos", "?channels=todos", "?other="])
def test_a_stream_needs_a_grant(query: str) -> None:
    assert refused(query) == (400, "a stream needs a grant: sub=<grant>")


# ---------------------------------------------------------------------- streams


def live_app(**options: Any) -> tuple[FastHTML, BroadcastManager]:
    """Return an app whose page follows the channels of its query, and its manager."""
    app = make_app()
    sse = setup_sse(app, **options)

    @app.route("/page")
    async def page(channels: str, publish: str = "") -> Any:
        if publish:
            await sse.publish(channels, publish)
        return SSE(channels=channels.split(","))

    return app, sse


async def address(site: Site, query: str, path: str = "/page") -> str:
    """Return where a page connects to."""
    found = re.findall(r'data-sse-connect="([^"]*)"', await site.get(f"{path}?{query}"))
    return html.unescape(found[0])


async def read(site: Site, path: str, *headers: str, until: str) -> Stream:
    return await (await site.open(path, headers=headers)).until(until)


@pytest.mark.anyio
async def test_a_page_gets_events_of_its_channels() -> None:
    app, sse = live_app()
    async with running(app) as site:
        stream = await read(site, await address(site, "channels=todos,chat"), until="sse:open")
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        for channel in ("todos", "other", "chat"):
            await sse.publish(channel, channel)
        await stream.until("data: chat")
        assert stream.texts == ["todos", "chat"]


@pytest.mark.anyio
async def test_an_event_published_after_the_request_began_is_delivered_once() -> None:
    app, sse = live_app()
    async with running(app) as site:
        await sse.publish("todos", "before")
        path = await address(site, "channels=todos&publish=within")
        await sse.publish("todos", "after")
        stream = await read(site, path, until="data: after")
        await sse.publish("todos", "live")
        assert (await stream.until("data: live")).texts == ["within", "after", "live"]


@pytest.mark.anyio
async def test_a_page_gets_broadcasts_too() -> None:
    app, sse = live_app()
    async with running(app) as site:
        stream = await read(site, await address(site, "channels=todos"), until="sse:open")
        assert await sse.broadcast("note", {"n": 1}) == 1
        await stream.until("event: note")
        assert '"data": {"n": 1}' in stream.frames[-1]


@pytest.mark.anyio
async def test_a_stream_serves_several_grants_each_from_its_cursor() -> None:
    app, sse = live_app()
    async with running(app) as site:
        todos = await address(site, "channels=todos")
        await sse.publish("todos", "1")
        await sse.publish("chat", "2")
        chat = await address(site, "channels=chat")
        await sse.publish("chat", "3")
        stream = await read(site, f"{todos}&{chat.partition('?')[2]}", until="data: 3")
        assert stream.texts == ["1", "3"]


@pytest.mark.anyio
async def test_a_cursor_after_the_grant_sets_the_position() -> None:
    app, sse = live_app()
    async with running(app) as site:
        path = await address(site, "channels=todos")
        ids = [await sse.publish("todos", str(number)) for number in range(3)]
        stream = await read(site, f"{path}~{ids[0]}", f"Last-Event-ID: {ids[2]}", until="data: 2")
        assert stream.texts == ["1", "2"]


@pytest.mark.anyio
async def test_last_event_id_sets_the_position_of_a_plain_event_source() -> None:
    app, sse = live_app()
    async with running(app) as site:
        path = await address(site, "channels=todos")
        ids = [await sse.publish("todos", str(number)) for number in range(3)]
        assert (await read(site, path, f"Last-Event-ID: {ids[1]}", until="data: 2")).texts == ["2"]
        assert (await read(site, path, "Last-Event-ID: nonsense", until="data: 2")).texts == ["0", "1", "2"]


@pytest.mark.anyio
async def test_a_cursor_of_another_log_gets_a_reset_and_the_stream_continues() -> None:
    app, sse = live_app()
    async with running(app) as site:
        path = await address(site, "channels=todos")
        stream = await read(site, f"{path}~another-7", until="sse:reset")
        assert f'{{"channels": ["sse:broadcast", "todos"], "cursor": "{sse.backend.cursor}"}}' in stream.frames[-1]
        await sse.publish("todos", "live")
        assert (await stream.until("data: live")).texts == ["live"]


def test_origins_that_are_none_are_refused_at_set_up() -> None:
    with pytest.raises(SetupError, match=r"^origins are such as .*, not '\*'$"):
        setup_sse(FastHTML(secret_key="key"), origins="*")


@pytest.mark.anyio
async def test_urls_of_a_mounted_app_include_its_path() -> None:
    app, sse = live_app()
    async with running(Starlette(routes=[Mount("/inner", app)])) as site:
        page = await site.get("/inner/page?channels=todos")
        entry = f"/inner/sse/assets/{version()}/index.js"
        assert f'<script src="{entry}" type="module" data-sse-namespace="' in page
        assert await site.get(entry) == (STATIC / "index.js").read_text()
        stream = await read(site, await address(site, "channels=todos", "/inner/page"), until="sse:open")
        await sse.publish("todos", "x")
        assert (await stream.until("data: x")).texts == ["x"]
        # Starlette does not run the lifespan of a mounted app.
        await sse.stop()


@pytest.mark.anyio
async def test_a_stopping_server_refuses_new_streams() -> None:
    app, sse = live_app()
    async with running(app) as site:
        path = await address(site, "channels=todos")
        await sse.stop()
        response = await (await site.open(path)).to_end()
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        assert response.body == b"the server is about to stop"
