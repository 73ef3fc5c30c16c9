"""Streams for the conformance tests: the cases, and random ones."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fasthtml.common import FastHTML, JSONResponse, RedirectResponse, Request, Response, StreamingResponse, Title
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from e2e.pages import NO_ICON

ROOT = Path(__file__).parents[2]
STREAM = "text/event-stream"
STATUSES = (204, 205, 210, 299, 400, 404, 410, 500, 502, 503)
END = b"event: end\ndata: end\n\n"


@dataclass
class Answer:
    """An answer to a request for a stream.

    Attributes:
        chunks: of the body.
        status: of the response.
        kind: its content type.
        to: where it redirects to.
    """

    chunks: list[bytes] = field(default_factory=list)
    status: int = 200
    kind: str | None = STREAM
    to: str | None = None


@dataclass
class Case:
    """A stream, as the standard's own tests have it.

    Attributes:
        answers: to one request after another; the last one to all that follow.
        comes_back: whether it is followed beyond its end.
    """

    answers: list[Answer]
    comes_back: bool = False


def body(*chunks: str | bytes, kind: str | None = STREAM) -> Case:
    """Return the case of one stream."""
    parts = [chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks]
    return Case([Answer(parts, kind=kind)])


def back(first: str, *, status: int = 200) -> Case:
    """Return the case of a stream that comes back: after its last id."""
    return Case([Answer([b"retry: 1\n", first.encode()], status), Answer([END])], comes_back=True)


# By the behaviour that each asks for: https://github.com/web-platform-tests/wpt/tree/master/eventsource
CASES = {
    "a byte order mark is ignored": body("\ufeffdata: 1\n\n"),
    "a byte order mark before an empty line": body("\ufeff\ndata: 1\n\n"),
    "a second byte order mark belongs to the name": body("\ufeff\ufeffdata: 1\n\ndata: 2\n\n"),
    "a byte order mark later on is content": body("data: 1\n\n\ufeffdata: 2\n\ndata: 3\n\n"),
    "comments are ignored": body("data: 1\n:\x00\n:\r\ndata: 2\n:" + "x" * 70_000 + "\r:data: 3\ndata: 4\n\n"),
    "an event without its last line is dropped": body("retry: 1000\ndata: test1\n\nid: test\ndata: test2"),
    "data without a colon is an empty line": body("data:\n\ndata\ndata\n\ndata: test\n\n"),
    "an event may have a name": body("event: add\ndata: x\n\ndata: x\n\n"),
    "an empty name is none": body("event:add\nevent:\ndata: data\n\n"),
    "the last name counts": body("event: add\nevent: x:y\ndata: 1\n\n"),
    "a name outside of ASCII": body("event: Ä\ndata: €\n\n"),
    "an id stays": body("id: 1\ndata: a\n\ndata: b\n\n"),
    "an empty id is an id": body("id: 1\ndata: a\n\nid\ndata: b\n\nid:\ndata: c\n\n"),
    "an id with a null is ignored": body("id: 1\ndata: a\n\nid: x\x00y\ndata: b\n\nid: \x00\ndata: c\n\n"),
    "an id without data counts for the next event": body("id: 7\n\ndata: a\n\n"),
    "a name without data is no event": body("event: add\n\ndata: a\n\n"),
    "fields are parsed as they are": body(
        "data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\n",
        "data:3\rdata:\r\n data:32\ndata:4\n\n",
    ),
    "unknown fields are ignored": body(
        "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n"
    ),
    "one leading space is dropped": body("data:\ttest\rdata: \ndata:test\n\ndata:   x\n\n"),
    "line ends of three kinds": body("data:test\r\ndata\ndata:test\r\n\r\ndata: cr\r\rdata: lf\n\n"),
    "a line end over two chunks": body("data: a\r", "\ndata: b\r", "\n\r", "\n", "data: c\n\n"),
    "a null is content": body("data:\x00\n\n\n\n"),
    "what is not UTF-8 is replaced": body(b"data: \xff\xc3\n\ndata: \xe2\x82\n\ndata: ok\n\n"),
    "a character over several chunks": body(b"data: \xe2", b"\x82", b"\xac\n\n"),
    "a line over several chunks": body("da", "ta", ":", " ", "x", "\n", "\n"),
    "nothing": body(),
    "only line ends": body("\n\n\r\r\r\n\r\n"),
    "retry: with other characters is ignored": body("retry: 1x\nretry: -1\nretry: 1.5\nretry:\ndata: a\n\n"),
    "a content type with a parameter": body("data: a\n\n", kind="text/event-stream; charset=UTF-8"),
    "a content type with a charset": body("data: a\n\n", kind="text/event-stream;charset=windows-1252"),
    "a content type with a semicolon": body("data: a\n\n", kind="text/event-stream;"),
    "a content type in capitals": body("data: a\n\n", kind="Text/EVENT-Stream"),
    "another content type": body("data: a\n\n", kind="text/plain"),
    "a content type that only begins so": body("data: a\n\n", kind="text/event-streamx"),
    "no content type": body("data: a\n\n", kind=None),
    **{
        f"status {status}": Case([Answer(status=status)])
        for status in (204, 205, 210, 299, 400, 404, 410, 500, 502, 503)
    },
    **{
        f"a redirect by {status}": Case([Answer(status=status, to="/answer/an event may have a name")])
        for status in (301, 302, 303, 307, 308)
    },
    "a redirect to a page": Case([Answer(status=302, to="/answer/another content type")]),
    "a stream comes back after its id": back("id: 1\ndata: a\n\n"),
    "a stream comes back after an id without data": back("id: 2\n\n"),
    "a stream comes back without an id that was taken back": back("id: 3\ndata: a\n\nid:\ndata: b\n\n"),
    "a stream comes back after an id outside of ASCII": back("id: …\ndata: a\n\n"),
    "a stream comes back after an id with spaces": back("id: a b \ndata: a\n\n"),
    "a stream comes back without an id whose event was not complete": back("id: 4\ndata: a"),
}


WORDS = (
    "data,event,id,retry,dat,,x,:,: ,:  , ,\ufeff,\x00,add,message,1,007,Ä,€,\U0001f600,x:y,:comment,"
    "data:,data: ,event:,event: ,id: ,retry: "
).split(",")


def random_stream(seed: int) -> list[bytes]:
    """Return a stream of fields, line ends and characters that parsers find hard, cut anywhere."""
    chance = random.Random(seed)
    ends = ["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n"]
    count = chance.randrange(1, 30)
    lines = ["".join(chance.choices(WORDS, k=chance.randrange(5))) + chance.choice(ends) for _ in range(count)]
    whole = "".join(lines).removeprefix("\ufeff\n").removeprefix("\ufeff\r").encode()  # Chromium reads these wrongly
    if chance.random() < 0.2:
        at = chance.randrange(len(whole) + 1)
        whole = whole[:at] + bytes(chance.randrange(128, 256) for _ in range(3)) + whole[at:]
    cuts = sorted(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(4)))
    return [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]


def make_app(*, htmx4: bool) -> Any:
    """Return the application, which does not need htmx."""
    app = FastHTML(default_hdrs=False, hdrs=(NO_ICON,), secret_key="e2e")
    counts: Counter[str] = Counter()
    ids: defaultdict[str, list[str | None]] = defaultdict(list)

    @app.get("/")
    def page() -> Any:
        return Title("Conformance")

    @app.get("/answer/{name}")
    def answer(request: Request, name: str, who: str = "") -> Any:
        key = f"{who} {name}"
        ids[key].append(request.headers.get("last-event-id"))
        answers = CASES[name].answers
        found = answers[min(counts[key], len(answers) - 1)]
        counts[key] += 1
        return respond(found, who)

    @app.get("/random/{seed:int}")
    def random_answer(seed: int) -> Any:
        return respond(Answer(random_stream(seed)), "")

    @app.get("/ids/{name}")
    def last_ids(name: str, who: str) -> Any:
        return JSONResponse(ids[f"{who} {name}"])

    implementation = Path(os.environ.get("SSE_CONFORMANCE", ROOT / "e2e/conformance/kit.js"))
    for path, folder in {
        "static": ROOT / "static",
        "lib": ROOT / "e2e/conformance",
        "tested": implementation.parent,
    }.items():
        app.router.routes.insert(0, Mount(f"/{path}", StaticFiles(directory=folder)))
    return app


def respond(answer: Answer, who: str) -> Response:
    """Return the response."""
    if answer.to is not None:
        return RedirectResponse(f"{answer.to}?who={who}", answer.status)
    if not answer.chunks:
        return Response(None, answer.status, headers={"content-type": answer.kind} if answer.kind else {})
    return StreamingResponse(sent(answer.chunks), answer.status, {"content-type": answer.kind} if answer.kind else {})


async def sent(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
