"""Whose a request is: the user whom the application has found, and the session, by an id of the kit's own."""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2s
from typing import Any, NamedTuple

from starlette.authentication import AuthCredentials, BaseUser
from starlette.datastructures import Headers

from ..events.wire import KitChannel
from ..protocol import CONTROL_PREFIX, TAB_HEADER, TAB_PREFIX

# Where the kit's id stands in the application's session.
SESSION_KEY = "sse"
TAB = re.compile(rf"{TAB_PREFIX}[A-Za-z0-9_-]{{8,64}}")


class Who(NamedTuple):
    """Whose a request is, as far as that is known.

    Attributes:
        user: whom the application has found, as text.
        session: the kit's id in the application's session.
    """

    user: str | None = None
    session: str | None = None

    @property
    def mark(self) -> str:
        """What a grant for them carries: the user's mark, or else the session's, or else none."""
        if self.user is not None:
            return f"u{digest(self.user)}"
        return "" if self.session is None else f"s{digest(self.session)}"

    def owns(self, mark: str) -> bool:
        """Tell whether what carries this mark is theirs, or everyone's."""
        return mark in ("", self.mark, Who(session=self.session).mark)


def who_is(scope: Mapping[str, Any]) -> Who:
    """Return whose a request is."""
    return Who(user_of(scope), session_id(scope.get("session")))


def user_of(scope: Mapping[str, Any]) -> str | None:
    """Return the user whom FastHTML's beforeware, or Starlette's authentication, has put into a request's scope."""
    auth = scope.get("auth")
    if isinstance(auth, AuthCredentials):
        auth = identity_of(scope["user"])
    return None if auth is None or auth is False or auth == "" else str(auth)


def identity_of(user: BaseUser) -> Any:
    """Return what tells a user of Starlette's authentication from others, if there is a user who has that."""
    try:
        return user.identity if user.is_authenticated else None
    except NotImplementedError:
        return None


def session_id(session: Any) -> str | None:
    """Return the kit's id in a session, if it has one."""
    found = session.get(SESSION_KEY) if isinstance(session, Mapping) else None
    return found if isinstance(found, str) else None


def ensure_session_id(session: Any) -> str | None:
    """Return the kit's id in a session, which gets one if it has none; None if there is no session."""
    if session is not None and session_id(session) is None:
        session[SESSION_KEY] = secrets.token_urlsafe(12)
    return session_id(session)


def tab_of(scope: Mapping[str, Any]) -> str | None:
    """Return the tab that a request comes from, if it says so."""
    name = Headers(raw=scope["headers"]).get(TAB_HEADER, "") if "headers" in scope else ""
    return name if is_tab(name) else None


def is_tab(name: str) -> bool:
    """Tell whether a name is a tab's."""
    return TAB.fullmatch(name) is not None


def user_channel(user: Any) -> KitChannel:
    """Return the channel of one user, in whichever browser."""
    return KitChannel(f"{CONTROL_PREFIX}user/{digest(str(user))}")


def session_channel(session: str) -> KitChannel:
    """Return the channel of one session, by the kit's id of it."""
    return KitChannel(f"{CONTROL_PREFIX}session/{digest(session)}")


def digest(value: str) -> str:
    """Return 132 bits of a text's hash, for a URL."""
    return urlsafe_b64encode(blake2s(value.encode(errors="backslashreplace")).digest()).decode()[:22]
