"""What the documents say of routes, options and numbers is what the code has, and their commands can be run."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import FastHTML

import sse_components
from sse_components import EventLog, Limits, setup_sse
from sse_components.access.grants import GRANT_SECONDS
from sse_components.background import REPEAT_SECONDS
from sse_components.callbacks import THREADS, TOGETHER
from sse_components.delivery.shutdown import GRACE
from sse_components.protocol import HEAL_SPREAD_MS, HEARTBEAT_SECONDS, LIVENESS_HEARTBEATS, RETRY_CAP_MS
from tests.support.patience import patient
from tests.support.proxies import NAME, application, new, our_nginx
from tests.support.serving import HOST, free_port

ROOT = Path(__file__).parents[1]
DOCUMENTS = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
EVERYTHING = "\n".join(DOCUMENTS.values())
WORDS = {"one": 1, "two": 2, "three": 3, "five": 5, "six": 6, "an hour": 3_600, "a minute": 60}

# A sentence with a number, for each number of the code that documents repeat; a text that nothing says fails.
NUMBERS: dict[str, float] = {
    r"heartbeat every (\d+) seconds": HEARTBEAT_SECONDS,
    r"([\d.]+) heartbeats of silence": LIVENESS_HEARTBEATS,
    r"sent after (\d+) seconds of silence": HEARTBEAT_SECONDS,
    r"limit of (\d+) connections per client": Limits().connections_per_client,
    r"read is cut after ([\d.]+) seconds": GRACE,
    r"range doubles with each failure up to (\d+) seconds": RETRY_CAP_MS / 1_000,
    r"fetches itself again within (\w+) seconds": HEAL_SPREAD_MS / 1_000,
    r"older than `grant_seconds` \(([\d,]+)\)": GRANT_SECONDS,
    r"There are (\d+) threads for this": THREADS,
    r"`authorize` uses up to (\d+) of them": TOGETHER,
    r"and its like once (a minute) at most": REPEAT_SECONDS,
}
# Functions whose options documents name in calls.
CALLS: dict[str, Callable[..., Any]] = {
    name: getattr(sse_components, name)
    for name in ("setup_sse", "EventLog", "SSE", "TabCount", "PresenceList", "LiveText", "ConnectionStats")
}


def number(text: str) -> float:
    return WORDS[text] if text in WORDS else float(text.replace(",", ""))


@pytest.mark.parametrize("sentence", NUMBERS)
def test_a_number_is_that_of_the_code(sentence: str) -> None:
    said = re.findall(sentence.replace(" ", r"\s+"), EVERYTHING)
    assert said, "no document says this any more"
    assert {number(text) for text in said} == {NUMBERS[sentence]}


def test_the_read_timeout_of_nginx_is_as_many_heartbeats_as_the_file_says() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    [seconds] = re.findall(r"proxy_read_timeout (\d+)s;", text)
    assert "this is four of them" in text
    assert int(seconds) == 4 * HEARTBEAT_SECONDS


def test_routes_that_documents_name_are_there() -> None:
    app = FastHTML(secret_key="key")
    setup_sse(app)
    served = {getattr(route, "path", "") for route in app.routes}
    named = set(re.findall(r"(?<![\w.])/sse/[a-z]+(?=[`\s?'\"/)])", EVERYTHING))
    assert named - served == set()
    assert len(named) > 3


def calls(text: str, name: str) -> Iterator[str]:
    """Yield the arguments of the calls of a function in a document's code, as far as they stand on a line."""
    for found in re.finditer(rf"\b{name}\(", text):
        depth, end = 1, found.end()
        while depth and end < len(text) and text[end] not in "\n`":
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[found.end() : end - 1]


def options(arguments: str) -> set[str]:
    """Return the names of the keyword arguments of a call, without those of calls in it."""
    while (flat := re.sub(r"\([^()]*\)|\[[^\[\]]*\]|'[^']*'|\"[^\"]*\"", "", arguments)) != arguments:
        arguments = flat
    return set(re.findall(r"(?:^|,)\s*(\w+)=", arguments))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("document", sorted({*DOCUMENTS} - {"migration.md"}))
def test_options_in_calls_are_those_of_the_code(name: str, document: str) -> None:
    parameters = inspect.signature(CALLS[name]).parameters
    known = set(parameters)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for arguments in calls(DOCUMENTS[document], name):
        unknown = options(arguments) - known
        assert not unknown or takes_any, f"{name}({arguments})"


def test_limits_in_calls_are_those_of_the_code() -> None:
    known = {field.name for field in fields(Limits)} | set(inspect.signature(EventLog).parameters)
    found = [each for name in ("Limits", "EventLog") for each in calls(EVERYTHING, name)]
    named = {option for arguments in found for option in options(arguments)}
    assert len(named) > 1
    assert named - known == set()


@pytest.mark.anyio
async def test_the_commands_for_a_check_show_what_the_page_says(tmp_path: Path) -> None:
    section = DOCUMENTS["deployment.md"].partition("## Check it yourself\n")[2]
    [commands] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    upstream = free_port()
    async with application(upstream, new(tmp_path / "app")), our_nginx(new(tmp_path / "nginx"), upstream) as front:
        own = f"curl --cacert {front.certificate} --resolve {NAME}:{front.port}:{HOST} --max-time {patient(2):.0f}"
        adapted = re.sub(r"\bcurl\b", own, commands).replace(f"https://{NAME}/", f"https://{NAME}:{front.port}/")
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", adapted.replace(f":{front.port}/ ", f":{front.port}/page "), cwd=tmp_path, stdout=-1
        )
        output = (await process.communicate())[0].decode()
    assert output.startswith("HTTP/2 200")
    assert "content-type: text/event-stream" in output
    assert "event: sse:open\n" in output
    assert "\n:\n" in output.partition("event: sse:open\n")[2]
