"""Who sends a request: the user that the application has authenticated, in a session of a browser."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple

from starlette.authentication import AuthCredentials, BaseUser
from starlette.datastructures import Headers

from ..errors import IdentityError, WireError
from ..events.wire import TAB_SEPARATOR, KitChannel
from ..protocol import CONTROL_PREFIX, TAB_HEADER, TAB_PREFIX
from .visitor import UNKNOWN, visitor_of

# What a browser calls a tab; and what the application gets, which has the browser, too.
TAB_NAME = re.compile(rf"{TAB_PREFIX}[A-Za-z0-9_-]{{8,64}}")
TAB = re.compile(rf"{TAB_NAME.pattern}{re.escape(TAB_SEPARATOR)}[A-Za-z0-9_-]{{22}}")


class Principal(NamedTuple):
    """Who sends a request, as far as that is known.

    Attributes:
        user: the authenticated user, as text.
        session: the id of the browser's session with this user, or with nobody.
        browser: the id of the browser, which stays when somebody signs in or out.
    """

    user: str | None = None
    session: str | None = None
    browser: str | None = None

    @property
    def binding(self) -> str:
        """What a grant is bound to: a hash of the user, or else the browser; an empty string without either."""
        if self.user is not None:
            return f"u{digest(self.user)}"
        return "" if self.browser is None else f"b{self.browser}"

    @property
    def bindings(self) -> tuple[str, ...]:
        """Its bindings: the user's, the browser's, and that of nobody."""
        return bindings_of(self)

    def owns(self, binding: str) -> bool:
        """Tell whether a binding is this principal's, or no binding at all."""
        return binding in self.bindings


@lru_cache(maxsize=1_000)
def bindings_of(principal: Principal) -> tuple[str, ...]:
    """Return a principal's bindings: each grant of a request is compared with them."""
    return principal.binding, Principal(browser=principal.browser).binding, ""


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return the principal of a request.

    Raises:
        IdentityError: if the application says that somebody is signed in, and not who.
    """
    user, visitor = user_of(scope), visitor_of(scope)
    return Principal(user) if visitor is None else Principal(user, visitor.session(user), visitor.browser)


def user_of(scope: Mapping[str, Any]) -> str | None:
    """Return the user of a request: what the application's `user` returns, or else its `scope['auth']`.

    FastHTML's beforeware, or Starlette's authentication, puts it there. None, False and `''` mean that nobody is signed
    in.

    Raises:
        IdentityError: if it says that somebody is signed in, and not who.
    """
    visitor = visitor_of(scope)
    auth = scope.get("auth") if visitor is None or visitor.user is UNKNOWN else visitor.user
    if isinstance(auth, AuthCredentials):
        auth = identity_of(scope["user"])
    return None if auth is None or auth is False or auth == "" else user_name(auth)


def user_name(user: Any) -> str:
    """Return a user as text, for comparison and as part of the names of channels.

    Raises:
        IdentityError: for a value that all users share, or that another value stands for in the next request.
    """
    kind: Any = type(user)
    if isinstance(user, bool) or user is None or user == "":
        fault = f"{user!r} names nobody"
    elif kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        fault = f"a {kind.__name__} has no text of its own"
    else:
        return str(user)
    raise IdentityError(f"{fault}: a user is named by an id or a name, in request.scope['auth'] and wherever user= is")


def identity_of(user: BaseUser) -> Any:
    """Return the identity of a user of Starlette's authentication; None if there is none."""
    try:
        return user.identity if user.is_authenticated else None
    except NotImplementedError:
        return None


def tab_of(scope: Mapping[str, Any]) -> str | None:
    """Return the tab that sends a request, as `<name>.<browser>`; None if the request does not say.

    Its browser names it. So that nobody can speak for a tab of another browser, it counts with its browser only.
    """
    name = Headers(raw=scope["headers"]).get(TAB_HEADER, "") if "headers" in scope else ""
    visitor = visitor_of(scope)
    browser = None if visitor is None else visitor.browser
    return f"{name}{TAB_SEPARATOR}{browser}" if is_tab_name(name) and browser is not None else None


def is_tab(text: str) -> bool:
    """Tell whether a text stands for a tab of a browser, as `tab_of` has it."""
    return TAB.fullmatch(text) is not None


def is_tab_name(text: str) -> bool:
    """Tell whether a text is what a browser calls a tab."""
    return TAB_NAME.fullmatch(text) is not None


def user_channel(user: Any) -> KitChannel:
    """Return the channel of one user, in all browsers.

    Raises:
        IdentityError: for a value that names nobody.
    """
    return KitChannel(f"{CONTROL_PREFIX}user/{digest(user_name(user))}")


def session_channel(session: str) -> KitChannel:
    """Return the channel of one session, given its id."""
    return KitChannel(f"{CONTROL_PREFIX}session/{digest(session)}")


def is_personal(channel: str) -> bool:
    """Tell whether a channel is that of one user or one session."""
    return channel.startswith((f"{CONTROL_PREFIX}user/", f"{CONTROL_PREFIX}session/"))


def is_of_another(channel: str, principal: Principal) -> bool:
    """Tell whether a channel is that of another user or session than a principal's."""
    user, session = principal.user, principal.session
    own = [user_channel(user)] if user is not None else []
    own += [session_channel(session)] if session is not None else []
    return is_personal(channel) and channel not in own


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
