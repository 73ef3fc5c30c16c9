from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers

from sse_components import SetupError
from sse_components.access.limits import Refusal
from sse_components.access.same_origin import WARNINGS, SameOrigin, is_same_origin

HERE = {"host": "app.example.com"}


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://app.example.com"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://a.proxy.changed.it"}, True),
        ({"origin": "https://app.example.com"}, True),
        ({"origin": "http://App.example.com"}, True),
        ({"origin": "https://app.example.com:443"}, True),
        ({"origin": "https://app.example.com:8443"}, False),
        ({"origin": "https://example.com"}, False),
        ({"origin": "https://app.example.com.evil.com"}, False),
        ({"origin": "https://evil.com/app.example.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"}, True),
        ({"origin": "http://127.0.0.1:8001", "host": "127.0.0.1:8000"}, False),
        ({"origin": "http://[::1]:8000", "host": "[::1]:8000"}, True),
        ({"origin": "http://app.test:8080", "host": "app.test:8080"}, True),
        ({"origin": "http://app.test:8080", "host": "app.test"}, False),
        ({"origin": "http://[x"}, False),
        ({"origin": "http://app.example.com:port"}, False),
        ({"origin": "http://app.example.com:99999"}, False),
        ({"origin": "http://me@app.example.com"}, False),
        ({"origin": "file://app.example.com"}, False),
        ({"origin": "http://[x", "host": "[x"}, False),
        ({"origin": "http://", "host": ""}, False),
    ],
)
def test_only_same_origin_requests_and_non_browsers_are_accepted(headers: dict[str, str], passes: bool) -> None:
    assert is_same_origin(Headers({**HERE, **headers})) is passes


def check(headers: dict[str, str], *origins: str) -> None:
    SameOrigin(origins).check(Headers({**HERE, **headers}))


def test_the_refusal_names_the_reason() -> None:
    with pytest.raises(Refusal) as caught:
        check({"origin": "https://evil.com"})
    assert caught.value.response.status_code == 403
    assert b"another origin" in caught.value.response.body


def test_other_origins_may_be_allowed() -> None:
    allowed = "http://App.test:8080"
    for origin in ("http://app.test:8080", "HTTP://App.test:8080"):
        check({"origin": origin}, "https://a.example", allowed)
        check({"origin": origin, "sec-fetch-site": "cross-site"}, allowed)
    SameOrigin(allowed).check(Headers({**HERE, "origin": "http://app.test:8080"}))
    SameOrigin("https://a.example:443").check(Headers({**HERE, "origin": "https://a.example"}))
    for refused in ("https://app.test:8080", "http://app.test", "http://app.test:80801"):
        with pytest.raises(Refusal):
            check({"origin": refused}, allowed)


@pytest.mark.parametrize(
    "origin",
    ["*", "app.example.com", "https://app.example.com/", "https://", "null", "http://[x", "ftp://a", "", None, 1],
)
def test_what_is_no_origin_is_refused_at_set_up(origin: Any) -> None:
    with pytest.raises(SetupError, match=r"^origins are such as 'https://app\.example\.com' or .*, not "):
        SameOrigin([origin])


def refuse(same_origin: SameOrigin, headers: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        same_origin.check(Headers(headers))


def test_a_refusal_is_warned_about_once_with_both_values_and_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    same_origin = SameOrigin()
    for _ in range(3):
        refuse(same_origin, {"host": "app.test", "origin": "http://app.test:8080"})
    [message] = caplog.messages
    assert "the origin 'http://app.test:8080', and its Host is 'app.test'" in message
    assert "`proxy_set_header Host $http_host;`" in message
    assert "setup_sse(app, origins=['http://app.test:8080'])" in message


def test_strangers_can_neither_flood_the_log_nor_write_lines_into_it(caplog: pytest.LogCaptureFixture) -> None:
    same_origin = SameOrigin()
    for number in range(100):
        refuse(same_origin, {"host": "h", "origin": f"http://{number}\nERROR{'x' * 9_000}"})
    assert len(caplog.messages) == WARNINGS
    assert all("\n" not in message and len(message) < 1_500 for message in caplog.messages)
