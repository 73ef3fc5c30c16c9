"""Which requests may change something: those of the application's own pages, and of what is no browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from .limits import refused

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def check_same_origin(headers: Headers) -> None:
    """Let a request pass if no page of another origin has sent it.

    Raises:
        Refused: 403, if one has.
    """
    if not is_same_origin(headers):
        raise refused(403, "this address is for the application's own pages, and the request comes from another origin")


def is_same_origin(headers: Headers) -> bool:
    """Tell whether a request comes from a page of its own origin, or from no browser.

    Browsers name the relation in `Sec-Fetch-Site`, but only over HTTPS or to the local host; the origin always.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := headers.get("origin")) is None:
        return True
    scheme, place = urlsplit(origin.lower())[:2]
    port = DEFAULT_PORTS.get(scheme, "")
    return bool(place) and place.removesuffix(port) == headers.get("host", "").lower().removesuffix(port)
