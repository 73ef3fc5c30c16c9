from __future__ import annotations

import asyncio
import re
from contextlib import AbstractContextManager
from typing import Any

import pytest
from fasthtml.common import Safe, to_xml

from sse_components import IdentityError, Kit, MarkupError, SetupError, ToastStack
from sse_components.access.identity import session_channel, user_channel
from sse_components.access.visitor import SCOPE_KEY
from sse_components.components.toast_stack import EVERYONE, KEPT, KEPT_BYTES, KEPT_SECONDS
from sse_components.events.log import Cursor, Event
from sse_components.html.page_context import Page, current_page
from sse_components.protocol import TAB_HEADER
from tests.support.rendering import rendering

pytestmark = pytest.mark.anyio

TAB = "tab_0123456789abcdef"


def request(
    browser: dict[str, str] | None = None,
    user: str | None = None,
    tab: str = "",
    mode: str = "cors",
    anybody: bool = False,
    **scope: Any,
) -> AbstractContextManager[Page]:
    """Run a block in the context of a request, as set by `SSEMiddleware` and the application's middleware.

    Args:
        browser: its cookies.
        user: who is signed in.
        tab: the tab that sends the request.
        mode: `navigate` for a page.
        anybody: outside of an app with `setup_sse`.
        scope: more of the request's scope.
    """
    cookie = "; ".join(f"{name}={value}" for name, value in (browser or {}).items())
    texts = {TAB_HEADER.lower(): tab, "sec-fetch-mode": mode, "cookie": cookie}
    headers = [(name.encode(), text.encode()) for name, text in texts.items()]
    if anybody:
        scope[SCOPE_KEY] = None
    return rendering(headers=headers, auth=user, **scope)


def store_cookies(page: Page, browser: dict[str, str]) -> None:
    """Store what a response sets, as a browser does."""
    assert page.visitor is not None
    for _, header in page.visitor.set_cookies:
        name, _, value = header.decode().partition("=")
        browser[name] = "" if "Max-Age=0" in value else value.partition(";")[0]


def only_event(sse: Kit, channel: str) -> Event:
    """Return the only event of a channel."""
    (event,) = sse.backend.since([channel], Cursor(sse.backend.cursor.epoch, 0))
    return event


async def test_a_toast_goes_to_everyone(sse: Kit) -> None:
    await sse.toast("<b>Saved</b>", Safe("<i>now</i>"), level="success")
    frame = only_event(sse, EVERYONE).frame.decode()
    assert 'hx-swap-oob="beforeend:#sse-toasts-news"' in frame
    assert '<b>success</b><div class="sse-toast-text">&lt;b&gt;Saved&lt;/b&gt;<i>now</i></div>' in frame
    assert 'data-level="success" data-sse-toast="6000"' in frame


async def test_a_toast_goes_to_a_user_or_a_session(sse: Kit) -> None:
    await sse.toast("a", user="alice")
    assert b">a<" in only_event(sse, user_channel("alice")).frame
    await sse.toast("b", session="an id")
    assert b">b<" in only_event(sse, session_channel("an id")).frame
    session = {"user": "alice"}
    with request(session=session) as page:
        session.clear()
        await sse.toast("c", session=session)
        assert page.session_channel is not None
        assert b">c<" in only_event(sse, page.session_channel).frame
    with pytest.raises(SetupError, match="keep this_session"):
        await sse.toast("d", session=session)
    with pytest.raises(IdentityError, match="True names nobody"):
        await sse.toast("e", user=True)


async def test_a_toast_may_go_to_the_tab_of_the_request(sse: Kit) -> None:
    with request(tab=TAB) as page:
        page.begin_session()
        await sse.toast("a", tab=page.tab)
        assert page.session_channel is not None
        assert f"\nonly: {TAB}.{page.principal.browser}\n" in only_event(sse, page.session_channel).frame.decode()
    with request(tab=TAB, anybody=True) as page, pytest.raises(MarkupError, match="has no recipient"):
        await sse.toast("b", tab=page.tab)


async def test_an_unknown_tab_uses_the_channel_of_the_session(sse: Kit) -> None:
    with request() as page:
        await sse.toast("a", tab=page.tab)
        assert page.session_channel is not None
        assert "only" not in only_event(sse, page.session_channel).frame.decode()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "loud"}, "unknown level 'loud'; allowed are: info, success, warning, error"),
        ({"timeout": 0}, "timeout must be a number above 0, not 0"),
        ({"user": None}, "toast(user=None) has no recipient; leave user out to send it to everyone"),
        ({"session": None}, "toast(session=None) has no recipient; leave session out to send it to everyone"),
        ({"tab": None}, "toast(tab=None) has no recipient; leave tab out to send it to everyone"),
        ({"user": "a", "tab": TAB}, "a toast has one recipient: user, session or tab, not user and tab"),
    ],
)
async def test_invalid_options_of_a_toast_are_refused_and_nothing_is_sent(
    sse: Kit, options: dict[str, Any], message: str
) -> None:
    before = sse.backend.cursor
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        sse.toast("a", **options)
    assert str(caught.value) == message
    assert sse.backend.cursor == before


@pytest.mark.parametrize(
    ("level", "timeout", "milliseconds", "shown_in"),
    [
        ("info", {}, "6000", "news"),
        ("success", {"timeout": 0.5}, "500", "news"),
        ("warning", {}, "12000", "alerts"),
        ("error", {}, "0", "alerts"),
        ("error", {"timeout": 3}, "3000", "alerts"),
        ("info", {"timeout": None}, "0", "news"),
    ],
)
async def test_the_level_of_a_toast_decides_how_long_it_is_shown(
    sse: Kit, level: str, timeout: dict[str, Any], milliseconds: str, shown_in: str
) -> None:
    await sse.toast("a", level=level, **timeout)
    frame = only_event(sse, EVERYONE).frame.decode()
    assert f'data-sse-toast="{milliseconds}"' in frame
    assert f"beforeend:#sse-toasts-{shown_in}" in frame


def channels_of(stack: Any) -> frozenset[str]:
    grant = re.search(r"sub=([\w.-]+)", str(stack.attrs["data-sse-connect"]))
    assert grant
    page = current_page.get()
    return page.grants.read(grant[1], page.principal, place=page.prefix).channels


def test_a_stack_follows_the_channels_of_its_page() -> None:
    with request(anybody=True):
        assert channels_of(ToastStack()) == {EVERYONE}
    with request(user="alice") as page:
        assert channels_of(ToastStack()) == {EVERYONE, page.session_channel, page.user_channel}


def test_a_stack_has_two_lists_and_takes_attributes() -> None:
    with request():
        html = to_xml(ToastStack("hello", limit=2, cls="wide", title="t"), indent=False)
    assert 'class="sse-toasts wide"' in html
    for attribute in ('aria-label="Notifications"', 'data-sse-toasts="2"', 'title="t"'):
        assert attribute in html
    assert 'role="status" aria-atomic="false" hx-preserve="true" id="sse-toasts-news">hello</div>' in html
    assert 'role="alert" aria-atomic="false" hx-preserve="true" id="sse-toasts-alerts"></div>' in html
    with pytest.raises(ValueError, match="limit must be a whole number of at least 1, not 0"):
        ToastStack(limit=0)


async def test_a_toast_is_shown_once_by_the_page_after_a_redirect(sse: Kit) -> None:
    browser: dict[str, str] = {}
    session: dict[str, Any] = {}
    with request(mode="navigate", session=session) as page:
        await sse.toast("<b>Saved</b>", level="success")
        await sse.toast("But", level="warning", session=session)
        await sse.toast("not mine", user="bob")
    store_cookies(page, browser)
    assert session == {}
    with request(browser):
        assert "Saved" not in to_xml(ToastStack())  # a page that heals, or a part of one
    with request(browser, mode="navigate") as page:
        shown = to_xml(ToastStack())
    store_cookies(page, browser)
    assert "&lt;b&gt;Saved&lt;/b&gt;" in shown
    assert shown.index("sse-toasts-news") < shown.index("Saved") < shown.index("sse-toasts-alerts") < shown.index("But")
    assert "not mine" not in shown
    with request(browser, mode="navigate"):
        assert "Saved" not in to_xml(ToastStack())
    id = re.search(r'id="(toast-[\w-]+)"', shown)
    assert id
    assert id[1] in sent_first(sse)


def sent_first(sse: Kit) -> str:
    return sse.backend.since([EVERYONE], Cursor(sse.backend.cursor.epoch, 0))[0].frame.decode()


async def test_toasts_kept_for_the_next_page_are_limited_in_time_and_size(sse: Kit) -> None:
    with request(mode="navigate") as page:
        assert page.visitor is not None
        for number in range(20):
            await sse.toast(f"toast {number}")
        assert len(str(page.visitor.kept(KEPT, KEPT_SECONDS))) <= KEPT_BYTES
        assert "toast 19" in str(page.visitor.kept(KEPT, KEPT_SECONDS))
        await sse.toast("x" * 10_000)
        assert "xxx" not in str(page.visitor.kept(KEPT, KEPT_SECONDS))
        page.visitor.keep(KEPT, [[0, "sse-toasts-news", "old"]], KEPT_SECONDS)
        assert "old" not in to_xml(ToastStack())


async def test_a_toast_may_be_sent_from_a_sync_handler(sse: Kit) -> None:
    await asyncio.to_thread(lambda: sse.toast("a", level="error").result(5))
    assert b">a<" in only_event(sse, EVERYONE).frame
