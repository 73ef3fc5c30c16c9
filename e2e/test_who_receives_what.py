"""Nobody ever receives a byte of a channel that they may not follow at that moment: three browsers walk at random.

Each browser has a network of its own (a proxy), which keeps every byte that comes from the server. A model knows who
may follow what. `tests/security/test_who_receives_what.py` walks without browsers, and steals grants.
"""

from __future__ import annotations

import itertools
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page

from e2e.conftest import HTMX
from e2e.fault_proxy import FaultProxy
from e2e.page_server import PageServer, wait_until
from e2e.pages.who_receives_what import APPS, USERS

TABS = 2
STEPS = int(os.environ.get("SSE_WALK_STEPS", "16"))
# A walk on each generation of htmx.
SEEDS = os.environ.get("SSE_WALK_SEEDS", "1 2").split()
WALKS = [(htmx, int(seed)) for htmx, seed in zip(itertools.cycle(HTMX), SEEDS)]
MARK = re.compile(rb"\(\((\d+):(\w):([\w-]+)\)\)")


class Person:
    """A browser, its network, its tabs, and who is signed in to each application."""

    def __init__(self, number: int, context: BrowserContext, proxy: FaultProxy) -> None:
        self.number, self.context, self.proxy = number, context, proxy
        self.user: dict[str, str | None] = dict.fromkeys(APPS)
        self.tabs: dict[str, list[Page]] = {app: [] for app in APPS}
        proxy.tap = bytearray()

    def go(self, app: str, path: str) -> None:
        """Go somewhere in one of the application's tabs, which a new one may be."""
        tab = self.tabs[app][0] if self.tabs[app] else self.new_tab(app)
        tab.goto(f"{self.proxy.url}/{app}/{path}")

    def new_tab(self, app: str) -> Page:
        self.tabs[app].append(self.context.new_page())
        return self.tabs[app][-1]

    def open_tabs(self) -> list[tuple[str, Page]]:
        return [(app, tab) for app in APPS for tab in self.tabs[app]]


class Walk:
    """A random walk, and the model of who may follow what."""

    def __init__(self, seed: int, server: PageServer, people: list[Person]) -> None:
        self.random, self.server, self.people = random.Random(seed), server, people
        self.members = {app: {"ann", "bob"} for app in APPS}
        self.number, self.received = 0, Counter[str]()
        # What each browser might follow when something was published, by its number.
        self.allowed: dict[int, set[tuple[int, str, str]]] = {}
        self.history = [f"seed {seed}"]
        for app in APPS:
            self.tell_members(app)

    def run(self) -> None:
        for person, app in itertools.product(self.people, APPS):
            self.history.append(f"begin {person.number} {app}")
            self.sign_in(person, app)
            self.open_page(person, app)
        often = [self.sign_in, self.sign_in, self.sign_out, self.open_page, self.change_team, self.reconnect, self.back]
        for step in range(STEPS):
            person, app = self.random.choice(self.people), self.random.choice(APPS)
            action = self.restart if step in (STEPS // 3, 2 * STEPS // 3) else self.random.choice(often)
            self.history.append(f"{action.__name__} {person.number} {app}")
            action(person, app)
            self.publish_until_all_pages_have_it()
            for found in self.people:
                self.check(found)

    # ------------------------------------------------------------------ what people do

    def sign_in(self, person: Person, app: str) -> None:
        user = self.random.choice(USERS)
        self.history[-1] += f" as {user}"
        person.user[app] = user
        person.go(app, f"login?user={user}")
        self.wait_for_page(person, app)

    def sign_out(self, person: Person, app: str) -> None:
        revokes = self.random.random() < 0.5
        person.user[app] = None
        person.go(app, f"logout?revokes={revokes}")
        self.wait_for_page(person, app)

    def open_page(self, person: Person, app: str) -> None:
        tabs = person.tabs[app]
        tab = person.new_tab(app) if len(tabs) < TABS else self.random.choice(tabs)
        tab.goto(f"{person.proxy.url}/{app}/page")
        wait_until(partial(is_settled, tab), what="the page to follow")

    def back(self, person: Person, app: str) -> None:
        """Go back to a page of before, which the browser may have kept, and stay there."""
        for tab in person.tabs[app]:
            tab.go_back(wait_until="commit")
            if "/page" not in tab.url:
                tab.goto(f"{person.proxy.url}/{app}/page")
            wait_until(partial(is_settled, tab), what="the page of before to follow")

    def change_team(self, person: Person, app: str) -> None:
        user = self.random.choice(USERS)
        self.history[-1] += f" of {user}"
        self.members[app] ^= {user}
        self.tell_members(app, removed="" if user in self.members[app] else user)

    def tell_members(self, app: str, removed: str = "") -> None:
        self.server.post(f"/{app}/change-team", members=" ".join(self.members[app]), removed=removed)

    def reconnect(self, person: Person, app: str) -> None:
        person.proxy.reset()

    def restart(self, person: Person, app: str) -> None:
        self.server.kill()
        self.server.start()

    def wait_for_page(self, person: Person, app: str) -> None:
        """Wait until the page that has been opened follows: the streams of who was signed in before have ended then."""
        wait_until(partial(is_settled, person.tabs[app][0]), what="the page to follow")

    # ------------------------------------------------------------------ what they get

    def publish_until_all_pages_have_it(self) -> None:
        """Publish to everything, again and again, until each page that is not refused shows the last part."""
        first = self.number + 1
        wait_until(lambda: self.publish(first), what=f"all pages to have {first}: {self.history}")

    def publish(self, first: int) -> bool:
        self.number += 1
        self.allowed[self.number] = {
            (person.number, app, target)
            for person in self.people
            for app in APPS
            for target in self.may_follow(person, app)
        }
        for app in APPS:
            self.server.post(f"/{app}/publish", number=self.number)
        return all(has(tab, first) for person in self.people for _, tab in person.open_tabs())

    def may_follow(self, person: Person, app: str) -> set[str]:
        user = person.user[app]
        return {f"of-{user}", f"user-{user}", *(["team"] if user in self.members[app] else [])}

    def check(self, person: Person) -> None:
        """Compare all bytes that have come with the model: one might follow it when it was sent, and may do so now."""
        found = bytes(person.proxy.tap or b"")
        person.proxy.tap = bytearray()
        for number, app, target in MARK.findall(found):
            name = (person.number, app.decode(), target.decode())
            story = f"{person.number} got {target!r} of {app!r}, number {number!r}: {self.history}"
            assert name in self.allowed[int(number)], story
            assert name[2] in self.may_follow(person, name[1]), story
            self.received[name[2].partition("-")[0]] += 1


def is_settled(tab: Page) -> bool:
    return (
        tab.locator("[data-sse-state=live], [data-sse-state=denied]").count() > 0
        and not tab.locator("[data-sse-state=connecting]").count()
    )


def has(tab: Page, number: int) -> bool:
    hall = tab.locator("#live-hall")
    if hall.get_attribute("data-sse-state") == "denied":
        return True
    return int(tab.locator("#hall").text_content() or 0) >= number


@pytest.fixture
def people(new_context: Callable[..., BrowserContext], server: PageServer) -> Iterator[Callable[[], list[Person]]]:
    proxies = [FaultProxy(server.port) for _ in range(3)]
    yield lambda: [Person(number, new_context(), proxy) for number, proxy in enumerate(proxies)]
    for proxy in proxies:
        proxy.close()


@pytest.mark.parametrize(("htmx", "seed"), WALKS, indirect=["htmx"])
def test_three_browsers_of_users_who_come_and_go(
    seed: int, server: PageServer, people: Callable[[], list[Person]]
) -> None:
    walk = Walk(seed, server, people())
    walk.run()
    assert set(walk.received) == {"of", "user", "team"}, walk.received
