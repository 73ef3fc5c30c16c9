"""Who sends a request: the user that the application has authenticated, and the session, by an id of the kit."""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2s
from typing import Any, NamedTuple

from starlette.authentication import AuthCredentials, BaseUser
from starlette.datastructures import Headers

from ..errors import WireError
from ..events.wire import KitChannel
from ..protocol import CONTROL_PREFIX, TAB_HEADER, TAB_PREFIX

# The key of the kit's id in the application's session.
SESSION_KEY = "sse"
TAB = re.compile(rf"{TAB_PREFIX}[A-Za-z0-9_-]{{8,64}}")


class Principal(NamedTuple):
    """Who sends a request, as far as that is known.

    Attributes:
        user: the authenticated user, as text.
        session: the kit's id in the application's session.
    """

    user: str | None = None
    session: str | None = None

    @property
    def binding(self) -> str:
        """What a grant is bound to: a hash of the user, or else of the session; an empty string without either."""
        if self.user is not None:
            return f"u{digest(self.user)}"
        return "" if self.session is None else f"s{digest(self.session)}"

    def owns(self, binding: str) -> bool:
        """Tell whether a binding is this principal's, or no binding at all."""
        return binding in ("", self.binding, Principal(session=self.session).binding)


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return the principal of a request."""
    return Principal(user_of(scope), session_id(scope.get("session")))


def user_of(scope: Mapping[str, Any]) -> str | None:
    """Return the user that FastHTML's beforeware, or Starlette's authentication, has put into a request's scope."""
    auth = scope.get("auth")
    if isinstance(auth, AuthCredentials):
        auth = identity_of(scope["user"])
    return None if auth is None or auth is False or auth == "" else str(auth)


def identity_of(user: BaseUser) -> Any:
    """Return the identity of a user of Starlette's authentication; None if there is none."""
    try:
        return user.identity if user.is_authenticated else None
    except NotImplementedError:
        return None


def session_id(session: Any) -> str | None:
    """Return the kit's id in a session; None if there is no id."""
    found = session.get(SESSION_KEY) if isinstance(session, Mapping) else None
    return found if isinstance(found, str) else None


def ensure_session_id(session: Any) -> str | None:
    """Return the kit's id in a session, and add one if there is none; None without a session."""
    if session is not None and session_id(session) is None:
        session[SESSION_KEY] = secrets.token_urlsafe(12)
    return session_id(session)


def tab_of(scope: Mapping[str, Any]) -> str | None:
    """Return the name of the tab that sends a request; None if the request does not say."""
    name = Headers(raw=scope["headers"]).get(TAB_HEADER, "") if "headers" in scope else ""
    return name if is_tab(name) else None


def is_tab(name: str) -> bool:
    """Tell whether a name is the name of a tab."""
    return TAB.fullmatch(name) is not None


def user_channel(user: Any) -> KitChannel:
    """Return the channel of one user, in all browsers."""
    return KitChannel(f"{CONTROL_PREFIX}user/{digest(str(user))}")


def session_channel(session: str) -> KitChannel:
    """Return the channel of one session, given the kit's id of the session."""
    return KitChannel(f"{CONTROL_PREFIX}session/{digest(session)}")


def digest(value: str) -> str:
    """Return 132 bits of a text's hash, for a URL."""
    return urlsafe_b64encode(blake2s(value.encode(errors="backslashreplace")).digest()).decode()[:22]


def as_set(names: str | Iterable[str | None] | None) -> frozenset[str]:
    """Return names as a set. A single name may be given as it is; None is left out."""
    return frozenset(name for name in ([names] if isinstance(names, str) else names or ()) if name is not None)


def check_tabs(names: str | Iterable[str] | None) -> frozenset[str]:
    """Return the tabs that are to show a message; an empty set, which means all tabs, only for None.

    Raises:
        WireError: for a name that is not the name of a tab, or for no name at all.
    """
    tabs = as_set(names)
    if names is not None and not (tabs and all(is_tab(name) for name in tabs)):
        raise WireError(f"only takes tabs, as this_tab() names them, not {names!r}")
    return tabs
