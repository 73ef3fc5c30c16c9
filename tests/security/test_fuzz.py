"""A differential fuzz of the endpoints: whatever is sent, no fault of the server, and no byte of what is not allowed.

Each request is sent by somebody who may follow one channel, and by somebody who may follow none. Hypothesis makes the
requests from valid ones. `make fuzz` runs it for longer: `SSE_FUZZ_EXAMPLES` is the number of requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sse_components.middleware import PATHS
from tests.support.live_app import Browser, LiveApp, connection_of, run_live_app
from tests.support.patience import patient
from tests.support.serving import Stream

EXAMPLES = int(os.environ.get("SSE_FUZZ_EXAMPLES", "1000"))
SECRET, ALLOWED = "what only ann may read", "what bob may read"
# Seconds that a request may take, on a busy machine.
SECONDS = 10.0


class World(NamedTuple):
    """A server, ann who may follow `secret`, and bob who may follow `open`; and what bob can get hold of."""

    app: LiveApp
    bob: Browser
    stranger: Browser
    pieces: list[str]


@asynccontextmanager
async def make_world() -> AsyncIterator[World]:
    def authorize(request: Any, channel: str) -> bool:
        return channel != "secret" or request.scope["auth"] == "ann"

    async with run_live_app(authorize=authorize) as app:
        ann, bob = [await app.browser().login(name) for name in ("ann", "bob")]
        hers = [*await ann.grants("secret"), *await ann.grants("secret,open")]
        his = [*await bob.grants("open"), *await bob.grants("secret")]
        stream = await bob.follow(await bob.grants("open"))
        await app.sse.publish("secret", SECRET)
        await app.sse.publish("open", ALLOWED)
        epoch = app.sse.backend.cursor.epoch
        names = [connection_of(stream), "secret", "open", "sse:here/secret", "sse:broadcast"]
        yield World(app, bob, app.browser(), [*hers, *his, *[f"{epoch}-{n}" for n in (0, 1, 10**18)], *names])


class Loop:
    """An event loop in a thread, in which the world is as long as the tests run."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._world = make_world()
        self.world = self.run(self._world.__aenter__())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(patient(60))

    def close(self) -> None:
        try:
            self.run(self._world.__aexit__(None, None, None))
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(patient(10))
        self.loop.close()


@pytest.fixture(scope="module")
def here() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


JUNK = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["~", ".", "-", "", "\0", "%00", "\ud83d\ude00", "9" * 400, "../", "[" * 500, "null"]),
)
NAMES = st.sampled_from(["sub", "connection", "tabs", "id", "rooms", "visible", "connection_id", "x"])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(NAMES, inside, max_size=4),
    max_leaves=8,
)
KINDS = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "", "text/plain"]
HEADERS = ["last-event-id", "origin", "sec-fetch-site", "sse-tab", "cookie", "x-forwarded-for", "accept", "range"]


@st.composite
def text_of(draw: Any) -> Any:
    """Return a function of the pieces: some of them, cut and joined with junk."""
    parts = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200), JUNK), min_size=1, max_size=3))
    whole = draw(st.booleans())

    def make(pieces: list[str]) -> str:
        if whole:
            chosen = [pieces[parts[0][0] % len(pieces)], *[pieces[part[1] % len(pieces)] for part in parts[1:2]]]
            return "~".join(chosen)
        return "".join(pieces[index % len(pieces)][: cut or None] + junk for index, cut, junk in parts)

    return make


@st.composite
def requests(draw: Any) -> Any:
    """Return a function of the pieces, which gives method, target, headers and body."""
    path, method = (
        draw(st.sampled_from(PATHS)),
        draw(st.sampled_from(["GET", "POST", "POST", "HEAD", "PUT", "OPTIONS"])),
    )
    fields = draw(st.lists(st.tuples(NAMES, text_of()), max_size=4))
    headers = draw(st.lists(st.tuples(st.sampled_from(HEADERS), text_of()), max_size=2))
    kind, report, in_query = draw(st.sampled_from(KINDS)), draw(VALUES), draw(st.booleans())

    def make(pieces: list[str]) -> tuple[str, str, list[str], bytes]:
        form = "&".join(f"{name}={quote(make_text(pieces), safe='', errors='replace')}" for name, make_text in fields)
        lines = [f"{name}: {one_line(make_text(pieces))}" for name, make_text in headers]
        body = json.dumps(report).encode() if "json" in kind else form.encode()
        target = f"/sse{path}?{form}"[:8_000] if in_query or method != "POST" else f"/sse{path}"
        return method, target, [f"content-type: {kind}", *lines], body if method != "GET" else b""

    return make


def one_line(text: str) -> str:
    """Return what a header can carry."""
    return "".join(char for char in text if 32 <= ord(char) < 127)


async def send(browser: Browser, request: tuple[str, str, list[str], bytes], *, cookie: bool) -> tuple[int, bytes]:
    """Return the status of an answer, and what comes of a stream within a moment."""
    method, target, headers, body = request
    given = [*(browser.cookie if cookie else []), "connection: close", *headers]
    stream = await Stream.open(browser.port, target, method=method, headers=given, body=body)
    try:
        async with asyncio.timeout(patient(SECONDS)):
            while not stream.status:
                await stream.read()
        if stream.status == 200 and "event-stream" in stream.headers.get("content-type", ""):
            async with asyncio.timeout(0.02):
                while not stream.ended:
                    await stream.read()
    except TimeoutError:
        assert stream.status, "no answer in time"
    except ConnectionError:
        pass  # the end of a body without a length, or of a request that the server itself refuses
    finally:
        await stream.close()
    return stream.status, bytes(stream.body)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(make=requests())
def test_no_request_is_a_fault_or_gets_what_it_may_not(make: Any, here: Loop) -> None:
    world = here.world
    request = make(world.pieces)
    for browser, cookie in ((world.bob, True), (world.stranger, False)):
        status, body = here.run(send(browser, request, cookie=cookie))
        assert 200 <= status < 500 or status == 503, request
        assert SECRET.encode() not in body, request
        if not cookie:
            assert ALLOWED.encode() not in body, request


def test_the_fuzz_would_notice_what_somebody_gets(here: Loop) -> None:
    (grant,) = here.run(here.world.bob.grants("open"))
    here.run(publish(here.world))
    status, body = here.run(send(here.world.bob, ("GET", f"/sse/stream?sub={grant}", [], b""), cookie=True))
    assert (status, ALLOWED.encode() in body) == (200, True)


async def publish(world: World) -> None:
    await world.app.sse.publish("open", ALLOWED)
