"""The headers of a request to the kit's own routes, from which frameworks make numbers and addresses."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from .limits import refusal


def check_headers(headers: Headers) -> None:
    """Check that FastHTML and Starlette can read the headers of a request.

    Raises:
        Refusal: 400 if they could not, 415 for a form with files, which no route of the kit takes.
    """
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise refusal(400, "the content-length is not a number")
    try:
        urlsplit(f"http://{headers.get('host', '')}").port  # noqa: B018 - it raises
    except ValueError as error:
        raise refusal(400, "the host is not the name of a host") from error
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise refusal(415, "this address takes no multipart body")
