"""The same-origin check of requests that change something."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ..errors import SetupError
from .limits import refusal

logger = logging.getLogger("sse_components")

DEFAULT_PORTS = {"http": 80, "https": 443}
# Different refusals that are warned about, and characters of what a client sent: both are a stranger's choice.
WARNINGS, SHOWN = 20, 200


class SameOrigin:
    """Refuses requests that a page of another origin has sent.

    Args:
        origins: origins whose pages may send requests, too: those under which browsers know the application, where a
            proxy passes on another `Host`.

    Raises:
        SetupError: for what is no origin.
    """

    def __init__(self, origins: str | Iterable[str] = ()) -> None:
        self._origins = frozenset(map(check_origin, [origins] if isinstance(origins, str) else origins))
        self._warned: set[tuple[str, str]] = set()

    def check(self, headers: Headers) -> None:
        """Check that a request comes from a page of the same origin, or not from a browser.

        A refusal is warned about once for each pair of origin and host, with what to do about it.

        Raises:
            Refusal: 403.
        """
        if not (is_same_origin(headers) or normal_origin(headers.get("origin", "")) in self._origins):
            self._warn(headers.get("origin", "none")[:SHOWN], headers.get("host", "none")[:SHOWN])
            raise refusal(
                403, "this address is for the application's own pages, and the request comes from another origin"
            )

    def _warn(self, origin: str, host: str) -> None:
        if (origin, host) in self._warned or len(self._warned) >= WARNINGS:
            return
        self._warned.add((origin, host))
        logger.warning(
            "a request was refused, because it comes from the origin %r, and its Host is %r. If that is the"
            " application's own page, a proxy has changed the Host: in nginx, write"
            " `proxy_set_header Host $http_host;`. If it is a page of yours elsewhere, or the proxy has to change the"
            " Host, write setup_sse(app, origins=[%r])",
            *(origin, host, origin),
        )


def is_same_origin(headers: Headers) -> bool:
    """Tell whether a request comes from a page of the same origin, or not from a browser.

    Browsers send `Sec-Fetch-Site` only over HTTPS and to the local host, and `Origin` always.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := headers.get("origin")) is None:
        return True
    found = normal_origin(origin)
    # What a proxy speaks to the application says nothing about the browser's scheme.
    schemes = DEFAULT_PORTS if found else ()
    return any(found == normal_origin(f"{scheme}://{headers.get('host', '')}") for scheme in schemes)


def normal_origin(text: str) -> str | None:
    """Return an origin in lower case and without the scheme's own port; None for what is no origin of a page."""
    try:
        found = urlsplit(text.strip().lower())
        port = found.port
    except ValueError:
        return None
    rest = (found.username, found.password, found.path, found.query, found.fragment)
    if found.scheme not in DEFAULT_PORTS or not found.hostname or any(rest):
        return None
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    return f"{found.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[found.scheme]) else f":{port}")


def check_origin(text: str) -> str:
    """Return an origin as `normal_origin` writes it.

    Raises:
        SetupError: for what is no origin.
    """
    if not isinstance(text, str) or (found := normal_origin(text)) is None:
        raise SetupError(
            "origins are such as 'https://app.example.com' or 'http://app.test:8080', with a scheme and without a"
            f" path, not {text!r}"
        )
    return found
