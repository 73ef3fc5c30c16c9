"""The same-origin check of requests that change something."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from .limits import refusal

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def check_same_origin(headers: Headers) -> None:
    """Refuse a request that a page of another origin has sent.

    Raises:
        Refusal: 403.
    """
    if not is_same_origin(headers):
        raise refusal(403, "this address is for the application's own pages, and the request comes from another origin")


def is_same_origin(headers: Headers) -> bool:
    """Tell whether a request comes from a page of the same origin, or not from a browser.

    Browsers send `Sec-Fetch-Site` only over HTTPS and to the local host, and `Origin` always.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := headers.get("origin")) is None:
        return True
    scheme, place = urlsplit(origin.lower())[:2]
    port = DEFAULT_PORTS.get(scheme, "")
    return bool(place) and place.removesuffix(port) == headers.get("host", "").lower().removesuffix(port)
