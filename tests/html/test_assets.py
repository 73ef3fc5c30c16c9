from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fasthtml.common import fast_app, to_xml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from sse_components import BroadcastManager, SetupError, setup_broadcast_routes
from sse_components.html import assets

STATIC = Path(__file__).parents[2] / "static"
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[Mount("/sse/assets", assets.serve)])) as client:
        yield client


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the package lie in a folder of the test's, with a file that is not ours beside it."""
    package = tmp_path / "sse_components"
    package.mkdir()
    monkeypatch.setattr(assets, "files", lambda _: package)
    forget()
    yield package
    forget()


def forget() -> None:
    for cached in (assets.static_dir, assets.browser_files, assets.version):
        cached.cache_clear()


def put(folder: Path, **contents: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.js").write_text(content)
    return folder


# ---------------------------------------------------------------------- where the files lie


def test_an_editable_install_has_them_beside_the_package() -> None:
    assert assets.static_dir() == STATIC


def test_a_wheel_has_them_inside_the_package(elsewhere: Path) -> None:
    put(elsewhere.parent / "static", index="another package's")
    inside = put(elsewhere / "static", index="ours")
    assert assets.static_dir() == inside


def test_a_folder_without_the_entry_is_not_taken_for_them(elsewhere: Path) -> None:
    put(elsewhere / "static", other="")
    beside = put(elsewhere.parent / "static", index="")
    assert assets.static_dir() == beside


def test_that_they_are_missing_is_told_with_where_they_were_looked_for(elsewhere: Path) -> None:
    message = f"the browser files are missing: neither in {elsewhere / 'static'} nor in {elsewhere.parent / 'static'}"
    with pytest.raises(SetupError, match=f"^{re.escape(message)}$"):
        assets.static_dir()


# ---------------------------------------------------------------------- their version


def test_the_version_is_in_the_path_so_that_relative_imports_keep_it() -> None:
    assert re.fullmatch("[0-9a-f]{12}", assets.version())
    assert assets.asset_url("index.js", "/live") == f"/live/assets/{assets.version()}/index.js"


def test_the_version_tells_names_and_contents(elsewhere: Path) -> None:
    folder, versions = elsewhere / "static", set()
    for contents in ({"index": "1"}, {"index": "2"}, {"index": "2", "more": ""}, {"index": "2", "more": "3"}):
        put(folder, **contents)
        forget()
        versions.add(assets.version())
    (folder / "more.js").rename(folder / "less.js")
    forget()
    assert len(versions | {assets.version()}) == 5


def test_only_browser_files_count(elsewhere: Path) -> None:
    folder = put(elsewhere / "static", index="1")
    before = assets.version()
    (folder / ".DS_Store").write_text("x")
    (folder / "notes.txt").write_text("x")
    (folder / "sub").mkdir()
    (folder / "folder.js").mkdir()
    forget()
    assert assets.version() == before
    assert assets.browser_files() == {"index.js": folder / "index.js"}


def test_folders_count_too(elsewhere: Path) -> None:
    folder = put(elsewhere / "static", index="1")
    put(folder / "page", heal="1")
    forget()
    before = assets.version()
    assert assets.browser_files() == {"index.js": folder / "index.js", "page/heal.js": folder / "page" / "heal.js"}
    put(folder / "page", heal="2")
    forget()
    assert assets.version() != before


def test_all_that_the_entry_needs_is_preloaded() -> None:
    url, styles = assets.asset_url("index.js", "/sse"), assets.asset_url("components.css", "/sse")
    preloads = [f'<link rel="modulepreload" href="{assets.asset_url(n, "/sse")}">' for n in assets.eager_modules()]
    assert to_xml(tuple(assets.entry_tags("/sse")), indent=False).replace("\n", "") == "".join(
        [
            f'<link rel="stylesheet" href="{styles}">',
            *preloads,
            f'<script src="{url}" type="module"></script>',
        ]
    )


def test_a_page_needs_what_is_imported_and_not_what_may_be_asked_for_later() -> None:
    names = assets.eager_modules()
    assert names[0] == "index.js"
    assert len(set(names)) == len(names)
    assert {"htmx/bridge.js", "stream/stream-reader.js", "hub/hub.js", "hub/hub-client.js", "protocol.js"} <= set(names)
    later = {"hub/worker.js", "page/morph.js", "morph/three-way.js", "components/toast-stack.js"}
    assert later <= set(assets.browser_files())
    assert not later & set(names)


def test_every_import_of_a_module_leads_to_a_file_that_is_served() -> None:
    names = assets.browser_files()
    for name in [name for name in names if name.endswith(".js")]:
        code = re.sub(r"/\*\*.*?\*/", "", (STATIC / name).read_text(), flags=re.DOTALL)
        for path in re.findall(r"""(?:from |import |import\(|URL\()"(\.[^"]*)\"""", code):
            assert posixpath.normpath(f"{name}/../{path}") in names, f"{name} imports {path}"


# ---------------------------------------------------------------------- serving them


@pytest.mark.parametrize("name", assets.browser_files())
def test_each_file_is_served_for_ever_under_its_version(client: TestClient, name: str) -> None:
    response = client.get(assets.asset_url(name, "/sse"))
    assert response.status_code == 200
    assert response.text == (STATIC / name).read_text()
    assert response.headers["cache-control"] == FOR_EVER
    assert response.headers["x-content-type-options"] == "nosniff"
    assert (
        response.headers["content-type"]
        == {
            "js": "text/javascript; charset=utf-8",
            "css": "text/css; charset=utf-8",
        }[name.rpartition(".")[2]]
    )


@pytest.mark.parametrize("name", ["index.js", "page/heal.js"])
@pytest.mark.parametrize("asked", ["000000000000", "x"])
def test_another_version_is_led_to_the_present_one_and_nobody_keeps_the_way(
    client: TestClient, asked: str, name: str
) -> None:
    response = client.get(f"/sse/assets/{asked}/{name}")
    assert response.text == (STATIC / name).read_text()
    assert response.url.path == assets.asset_url(name, "/sse")
    (led,) = response.history
    assert (led.status_code, led.headers["cache-control"]) == (307, "no-cache")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "nothing.js",
        "index",
        "INDEX.JS",
        "../pyproject.toml",
        "..%2fpyproject.toml",
        "%2e%2e/%2e%2e/pyproject.toml",
        "..%5cindex.js",
        "sub/index.js",
        "page",
        "page/",
        "page/index.js",
        "page/%2e%2e/index.js",
        "page/../../pyproject.toml",
        "page%5cheal.js",
        "page//heal.js",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "index.js%00",
        "index.js/",
        f"{300 * 'a'}.js",
        "%ff.js",
    ],
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    response = client.request("GET", f"/sse/assets/{assets.version()}/{name}")
    assert (response.status_code, response.text) == (404, "Not Found")


@pytest.mark.parametrize("path", ["/sse/assets/", "/sse/assets/x"])
def test_a_version_alone_is_nothing(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_files_are_only_read(client: TestClient, method: str) -> None:
    response = client.request(method, assets.asset_url("index.js", "/sse"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


def test_a_head_has_the_headers_and_no_body(client: TestClient) -> None:
    url = assets.asset_url("index.js", "/sse")
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == client.get(url).headers


def test_an_app_with_the_broadcast_routes_alone_serves_the_scripts_of_its_pages() -> None:
    app, _ = fast_app(secret_key="tests")
    setup_broadcast_routes(app, BroadcastManager(), "/live")
    setup_broadcast_routes(app, BroadcastManager(), "/live")
    assert [getattr(route, "path", "") for route in app.router.routes].count("/live/assets") == 1
    with TestClient(app) as client:
        answer = client.get(assets.asset_url("reconnect.js", "/live"))
    assert answer.headers["content-type"].startswith("text/javascript")
