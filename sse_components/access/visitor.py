"""The visitor of a request: the browser that sends it, by a cookie of the kit's own.

Nothing is written into the application's session: a slow answer would write it back as it was before a sign-in.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2s
from typing import Any, Literal, get_args
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from ..errors import SetupError

SCOPE_KEY = "sse_components.visitor"
SameSite = Literal["lax", "none"]
# What a browser is given: 132 random bits.
SECRET = re.compile(r"[A-Za-z0-9_-]{22}")
SALT = "sse_components.cookie"
UNKNOWN: Any = object()


class Visitors:
    """Makes the visitor of each request of an application.

    Args:
        secret_key: the application's key.
        same_site: `'lax'`, or `'none'` for an application that other sites show in a frame, over HTTPS.

    Raises:
        SetupError: for another `same_site`.
    """

    def __init__(self, secret_key: str, *, same_site: SameSite = "lax") -> None:
        if same_site not in get_args(SameSite):
            raise SetupError(f"same_site must be one of {', '.join(get_args(SameSite))}; not {same_site!r}")
        self._key = blake2s(f"sse_components.visitor\0{secret_key}".encode()).digest()
        self.serializer = URLSafeTimedSerializer(secret_key, salt=SALT)
        self.same_site = same_site

    def of(self, scope: Mapping[str, Any]) -> Visitor:
        """Return the visitor of a request."""
        return Visitor(self, scope)

    def hash(self, *texts: str) -> str:
        """Return 132 bits of the hash of some texts, which nobody can compute without the key."""
        text = "\0".join([str(len(texts)), *texts]).encode(errors="backslashreplace")
        return urlsafe_b64encode(blake2s(text, key=self._key).digest()).decode()[:22]


class Visitor:
    """The browser that sends a request.

    Its cookie has a random text, and nothing else. The kit works with keyed hashes of that text: the `browser`, and the
    `session`, which is a hash of the user as well. So a browser has another session as soon as somebody signs in or
    out, and whoever has planted the cookie does not know, and cannot follow, the session of the user who signs in.

    Attributes:
        path: where the application is mounted: the path of the cookies.
        user: what the application's `user` has returned; `UNKNOWN` without that option.
    """

    def __init__(self, visitors: Visitors, scope: Mapping[str, Any]) -> None:
        self._visitors, self._scope = visitors, scope
        self.path = quote(scope.get("root_path", "").rstrip("/")) or "/"
        self.user: Any = UNKNOWN
        self._changed: dict[str, str] = {}

    @property
    def browser(self) -> str | None:
        """The id of the browser in this application; None if it has no cookie."""
        secret = self._secret
        return None if secret is None else self._visitors.hash("browser", self.path, secret)

    def session(self, user: str | None) -> str | None:
        """Return the id of the browser's session with a user, or with nobody; None if it has no cookie."""
        secret = self._secret
        return None if secret is None else self._visitors.hash("session", self.path, secret, *named(user))

    def namespace(self, user: str | None) -> str:
        """Return the name under which browsers keep what belongs to this application, mount and user."""
        hash = self._visitors.hash
        return f"{hash('application', self.path)[:8]}.{hash('principal', self.path, *named(user))[:12] if user else ''}"

    def ensure(self) -> None:
        """Give the browser a cookie, if it has none."""
        if self._secret is None:
            self._changed[self.cookie_name] = secrets.token_urlsafe(17)[:22]

    def keep(self, name: str, value: Any, seconds: int) -> None:
        """Let the browser keep a value until its next page.

        Args:
            name: of the value.
            value: what JSON can represent; None to keep it no longer.
            seconds: for which the browser keeps it.
        """
        self.ensure()
        text = "" if value is None else self._visitors.serializer.dumps([self.browser, value])
        self._changed[f"{self.cookie_name}-{name}"] = f"{text}; Max-Age={seconds if text else 0}"

    def kept(self, name: str, seconds: int) -> Any:
        """Return the value that the browser has kept; None if there is none, or it is too old."""
        text, _, _ = self._cookie(f"{self.cookie_name}-{name}").partition(";")
        try:
            browser, value = self._visitors.serializer.loads(text, max_age=seconds)
        except BadData:
            return None
        return value if browser == self.browser else None

    @property
    def set_cookies(self) -> list[tuple[bytes, bytes]]:
        """The headers that give the browser what has changed."""
        rest = f"; Path={self.path}; HttpOnly; SameSite={self._visitors.same_site.capitalize()}"
        if self._visitors.same_site == "none":
            rest += "; Secure; Partitioned"
        elif self._is_secure:
            rest += "; Secure"
        return [(b"set-cookie", f"{name}={value}{rest}".encode()) for name, value in self._changed.items()]

    @cached_property
    def cookie_name(self) -> str:
        """The name of its cookie: other applications of the same host, or mounts of this one, have others.

        A cookie whose name begins with `__Host-` cannot be planted by a neighbouring host, or over plain HTTP.
        """
        name = f"sse-{self._visitors.hash('cookie', self.path)[:8]}"
        if not self._is_secure:
            return name
        return f"__Host-{name}" if self.path == "/" else f"__Secure-{name}"

    @property
    def _is_secure(self) -> bool:
        return bool(self._scope.get("scheme") == "https")

    @property
    def _secret(self) -> str | None:
        text = self._cookie(self.cookie_name)
        return text if SECRET.fullmatch(text) else None

    def _cookie(self, name: str) -> str:
        return self._changed.get(name, self._sent.get(name, ""))

    @cached_property
    def _sent(self) -> dict[str, str]:
        header = Headers(raw=self._scope.get("headers", [])).getlist("cookie")
        return cookie_parser("; ".join(header))


def visitor_of(scope: Mapping[str, Any]) -> Visitor | None:
    """Return the visitor of a request; None outside of an app with `setup_sse`."""
    return scope.get(SCOPE_KEY)


def named(user: str | None) -> list[str]:
    """Return a user as texts to hash: nobody is not the user with an empty name."""
    return [] if user is None else [user]
