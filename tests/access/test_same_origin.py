from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from sse_components.access.limits import Refusal
from sse_components.access.same_origin import check_same_origin, is_same_origin

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
    ],
)
def test_only_same_origin_requests_and_non_browsers_are_accepted(headers: dict[str, str], passes: bool) -> None:
    assert is_same_origin(Headers({**HERE, **headers})) is passes


def test_the_refusal_names_the_reason() -> None:
    with pytest.raises(Refusal) as caught:
        check_same_origin(Headers({**HERE, "origin": "https://evil.com"}))
    assert caught.value.response.status_code == 403
    assert b"another origin" in caught.value.response.body
