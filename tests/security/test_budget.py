"""What the largest allowed request of one anonymous client costs the server, in plain pages of the same application."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from fasthtml.common import A, Div, FastHTML, Li, P, Titled, Ul

from sse_components import SSE, EventLog, Limits, setup_sse
from sse_components.access.grants import Grants
from sse_components.access.rooms import room_channel
from sse_components.events.log import Cursor
from sse_components.middleware import PATHS
from tests.support.patience import patient

pytestmark = pytest.mark.anyio

LIMITS = Limits()
PAGES = 20
ROUNDS = 9
BODY = LIMITS.body_bytes - 1_000
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


class Client:
    """Calls an application as a server does, without a network, whose cost is not the kit's."""

    def __init__(self, app: Any, cursor: Cursor) -> None:
        self.app, self.cursor = app, cursor

    async def ask(self, method: str, target: str, body: bytes = b"", kind: str = FORM) -> int:
        """Send a request that goes away as soon as the response begins; return the status."""
        requests = [{"type": "http.request", "body": body, "more_body": False}]
        status: list[int] = []

        async def receive() -> Any:
            return requests.pop() if requests else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            status.append(message.get("status", 0))

        await self.app(scope_of(method, target, kind), receive, send)
        return status[0]

    @asynccontextmanager
    async def stream(self, body: bytes) -> AsyncIterator[str]:
        """Have a stream open while the block runs; yield the id of its connection."""
        requests = [{"type": "http.request", "body": body, "more_body": False}]
        leaves, opened = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def receive() -> Any:
            if not requests:
                await leaves.wait()
                return {"type": "http.disconnect"}
            return requests.pop()

        async def send(message: Any) -> None:
            if not opened.done() and (found := re.search(rb'"connection": ?"([^"]+)"', message.get("body", b""))):
                opened.set_result(found[1].decode())

        stream = asyncio.create_task(self.app(scope_of("POST", "/sse/stream", FORM), receive, send))
        await asyncio.wait([stream, opened], timeout=patient(10), return_when=asyncio.FIRST_COMPLETED)
        yield opened.result()
        leaves.set()
        await stream

    async def pages(self, *requests: Any) -> float:
        """Return how many times the CPU seconds of a page some requests take.

        Rounds of both have the same noise.
        """
        page = ("GET", "/")
        for each in (page, *requests):
            await self.ask(*each)
        rounds = [(await self._cost(page), await self._cost(*requests)) for _ in range(ROUNDS)]
        return min(cost for _, cost in rounds) / min(cost for cost, _ in rounds)

    async def _cost(self, *requests: Any) -> float:
        begin = time.process_time()
        for request in requests:
            await self.ask(*request)
        return time.process_time() - begin


def scope_of(method: str, target: str, kind: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    headers = [(b"host", b"localhost"), (b"content-type", kind.encode())]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
    scope |= {"query_string": query.encode(), "headers": headers, "client": ("203.0.113.9", 1), "scheme": "http"}
    return scope | {"server": ("localhost", 80), "asgi": {"spec_version": "2.4"}}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = FastHTML(secret_key="tests")
    sse = setup_sse(app, limits=LIMITS)

    @app.route("/")
    def index() -> Any:
        items = [Li(A(f"Item {number}", href=f"/{number}"), P("A few words about it")) for number in range(20)]
        return Titled("A plain page", Div(Ul(*items), SSE(channels="news")))

    async with sse:
        for number in range(5_000):
            await sse.registry.add_connection(f"connection-{number}")
        yield Client(app, sse.backend.cursor)


def filled(texts: Iterator[str]) -> bytes:
    """Return a form with as many grants as fit."""
    form: list[tuple[str, str]] = []
    size = 0
    for text in texts:
        size += len(text) + 5
        if size > BODY or len(form) == LIMITS.channels_per_connection:
            break
        form.append(("sub", text))
    return urlencode(form).encode()


def requests(from_here: Cursor) -> dict[str, tuple[Any, ...]]:
    grants = Grants("tests")
    one = grants.sign(["news"], from_here, place="/sse")
    single = [grants.sign([f"channel-{n}"], from_here, place="/sse") for n in range(LIMITS.channels_per_connection)]
    many = grants.sign([f"channel-{number}" for number in range(200)], from_here, place="/sse")
    deep = b"[" * BODY
    tabs = [{"id": f"tab_{number:08}", "visible": True, "rooms": ["board"] * 100} for number in range(200)]
    report = json.dumps({"connection": "x", "tabs": tabs}).encode()[:BODY]
    large: dict[str, tuple[Any, ...]] = {}
    for path in ("/sse/stream", "/sse/renew"):
        large |= {
            f"{path} copies of one grant": ("POST", path, filled(one for _ in iter(int, 1))),
            f"{path} one large forged grant": ("POST", path, b"sub=" + b"x" * BODY),
            f"{path} forged grants": ("POST", path, filled(f"{number}{one}" for number in range(10**6))),
            f"{path} a grant of many channels": (
                "POST",
                path,
                filled(iter([many])),
            ),
            f"{path} grants of one channel each": ("POST", path, filled(iter(single))),
            f"{path} tiny fields": ("POST", path, b"a&" * (BODY // 2)),
            f"{path} grants with cursors": ("POST", path, filled(f"{one}~e-{'9' * 18}" for _ in iter(int, 1))),
        }
    large |= {f"{path} a long address": ("GET", f"/sse{path}?{'sub=x&' * 1_300}") for path in PATHS}
    large |= {
        "/sse/presence a report": ("POST", "/sse/presence", report, JSON),
        "/sse/presence deep": ("POST", "/sse/presence", deep, JSON),
        "/sse/presence no JSON": ("POST", "/sse/presence", b'{"a":' * (BODY // 5), JSON),
    }
    return large


@pytest.mark.parametrize("name", requests(EventLog().cursor))
async def test_the_largest_request_costs_no_more_than_some_pages(name: str, client: Client) -> None:
    assert await client.pages(requests(client.cursor)[name]) <= PAGES


async def test_the_largest_report_costs_no_more_than_some_pages(client: Client) -> None:
    rooms = [f"room {number}" for number in range(LIMITS.rooms_per_tab)]
    grant = Grants("tests").sign([room_channel(room) for room in rooms], client.cursor, place="/sse")
    async with client.stream(urlencode([("sub", grant)]).encode()) as connection:
        # Every other report has no tab: then each tab enters or leaves all rooms.
        tabs = [{"id": f"tab_{number:08}", "visible": True, "rooms": rooms} for number in range(LIMITS.tabs_per_client)]
        bodies = [json.dumps({"connection": connection, "tabs": shown}).encode() for shown in (tabs, [])]
        assert await client.ask("POST", "/sse/presence", bodies[0], JSON) == 204
        assert client.app.state.sse.presence.tabs(rooms[0]) == LIMITS.tabs_per_client
        reports = [("POST", "/sse/presence", body, JSON) for body in bodies]
        assert await client.pages(*reports) <= PAGES * len(reports)


async def test_the_grants_that_are_measured_are_valid(client: Client) -> None:
    large = requests(client.cursor)
    for name in (
        "copies of one grant",
        "a grant of many channels",
        "grants of one channel each",
        "grants with cursors",
    ):
        assert await client.ask(*large[f"/sse/stream {name}"]) == 200
