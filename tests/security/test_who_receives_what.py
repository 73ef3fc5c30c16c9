"""Nobody ever receives a byte of a channel that they may not follow at that moment.

A random walk over two applications with one key on one origin, and three browsers that several users use after one
another: they sign in and out, members are removed and invited, pages are opened, kept open and opened again later,
grants are stolen, the server is restarted. A model knows who may follow what. After each step the walk publishes to
everything, asks every stream what it has got, and compares.

Each way in which an application can keep a removed member out has a walk without the others.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fasthtml.common import Beforeware, FastHTML, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from sse_components import SSE, Kit, ToastStack, setup_sse
from tests.support.live_app import Browser, set_user
from tests.support.running import running
from tests.support.serving import Stream

pytestmark = pytest.mark.anyio

USERS = ["ann", "bob", "eve"]
APPS = ["a", "b"]
STEPS = int(os.environ.get("SSE_WALK_STEPS", "150"))
# How an application keeps removed members out: by what it calls, and by what it is asked.
REVOKED, ASKED, BOTH = "revoke", "disconnect and authorize", "revoke and authorize"
SEEDS = [int(seed) for seed in os.environ.get("SSE_WALK_SEEDS", "1").split()]


class Members:
    """The members of the team of each application: what an application has in its database."""

    def __init__(self) -> None:
        self.of = {app: {"ann", "bob"} for app in APPS}


def make_part(name: str, members: Members, kept_out_by: str, **options: Any) -> tuple[FastHTML, Kit]:
    """Return one of the two applications, which have the same key."""
    app = FastHTML(secret_key="tests", before=Beforeware(set_user), session_cookie=f"session_{name}")

    def authorize(request: Request, channel: str) -> bool:
        return channel != "team" or request.scope["auth"] in members.of[name]

    sse = setup_sse(app, authorize=None if kept_out_by == REVOKED else authorize, **options)

    @app.route("/page")
    def page(request: Request) -> Any:
        user = request.scope["auth"]
        own = [SSE(channels=f"of-{user}")] if user else []
        team = [SSE(channels="team")] if user in members.of[name] else []
        return SSE(channels="hall"), *own, *team, ToastStack()

    @app.route("/login")
    def login(user: str, request: Request) -> PlainTextResponse:
        request.session["auth"] = user
        return PlainTextResponse(user)

    @app.route("/logout")
    async def logout(request: Request, revokes: bool) -> PlainTextResponse:
        request.session.clear()
        if revokes:
            await sse.revoke(session=request.session)
        return PlainTextResponse("out")

    @app.route("/tell-me")
    async def tell_me(text: str, request: Request) -> PlainTextResponse:
        await sse.toast(text, session=request.session)
        return PlainTextResponse("sent")

    return app, sse


def make_app(members: Members, kept_out_by: str, folder: Path | None) -> tuple[Starlette, dict[str, Kit]]:
    """Return both applications on one origin, and what publishes in each."""
    backends: dict[str, Any] = {name: {"backend": f"sqlite:///{folder}/{name}.db"} if folder else {} for name in APPS}
    parts = {name: make_part(name, members, kept_out_by, **backends[name]) for name in APPS}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with AsyncExitStack() as stack:
            for app, _sse in parts.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    app = Starlette(routes=[Mount(f"/{name}", part) for name, (part, _) in parts.items()], lifespan=lifespan)
    return app, {name: sse for name, (_, sse) in parts.items()}


class Person:
    """A browser: who is signed in to each application, its open streams, and all grants that it has ever had."""

    def __init__(self, number: int) -> None:
        self.number, self.browser = number, Browser(0)
        self.user: dict[str, str | None] = dict.fromkeys(APPS)
        self.streams: dict[str, list[Stream]] = {app: [] for app in APPS}
        self.grants: dict[str, list[str]] = {app: [] for app in APPS}


class Walk:
    """A random walk, and the model of who may follow what."""

    def __init__(self, seed: int, kept_out_by: str = BOTH, folder: Path | None = None) -> None:
        self.random, self.members = random.Random(seed), Members()
        self.kept_out_by, self.folder = kept_out_by, folder
        self.people = [Person(number) for number in range(3)]
        self.sent, self.received = 0, Counter[str]()
        self.history: list[str] = []

    async def run(self) -> None:
        """Walk, with restarts of the server in between."""
        for _ in range(3):
            app, self.sse = make_app(self.members, self.kept_out_by, self.folder)
            async with running(app) as site:
                for person in self.people:
                    person.browser.port = site.port
                for _ in range(STEPS // 3):
                    await self.step()
                for person in self.people:
                    for stream in [stream for streams in person.streams.values() for stream in streams]:
                        await stream.close()
                    person.streams = {app: [] for app in APPS}
            self.history.append("restart")

    async def step(self) -> None:
        """Do something, then publish to everything, and check what each stream gets."""
        person, app = self.random.choice(self.people), self.random.choice(APPS)
        often = [
            *4 * [self.open],
            *3 * [self.sign_in],
            *2 * [self.sign_out],
            *3 * [self.reopen],
            *2 * [self.change_team],
        ]
        action = self.random.choice([*often, self.steal])
        self.history.append(f"{action.__name__} {person.number} {app}")
        await action(person, app)
        await self.publish_everything()
        for app in APPS:
            await self.sse[app].broadcast("barrier", {"number": self.sent})
        for person in self.people:
            for app in APPS:
                await self.check(person, app)

    # ------------------------------------------------------------------ what people do

    async def open(self, person: Person, app: str) -> None:
        """Open a page, which is a stream with its grants."""
        grants = await person.browser.grants_of(f"/{app}/page")
        person.grants[app] += grants
        await self.follow(person, app, grants)

    async def sign_in(self, person: Person, app: str) -> None:
        """Sign in, perhaps in the place of somebody else, and get to a page."""
        user = self.random.choice(USERS)
        self.history[-1] += f" as {user}"
        await person.browser.get(f"/{app}/login?user={user}")
        person.user[app] = user
        await self.open(person, app)

    async def sign_out(self, person: Person, app: str) -> None:
        """Sign out: with `revoke`, or by getting to a page afterwards."""
        revokes = self.random.random() < 0.5
        await person.browser.get(f"/{app}/logout?revokes={revokes}")
        person.user[app] = None
        if not revokes:
            await self.open(person, app)

    async def reopen(self, person: Person, app: str) -> None:
        """Reconnect with the grants of all pages that this browser has ever shown."""
        await self.follow(person, app, person.grants[app])

    async def steal(self, person: Person, app: str) -> None:
        """Open a stream with the grants of somebody else, perhaps at the other application."""
        victim = self.random.choice(self.people)
        await self.follow(person, app, victim.grants[self.random.choice(APPS)], keeps=victim is person)

    async def change_team(self, person: Person, app: str) -> None:
        """Invite somebody; or remove a member, whose browsers try to come back."""
        user = self.random.choice(USERS)
        self.members.of[app] ^= {user}
        if user not in self.members.of[app]:
            sse = self.sse[app]
            await (sse.disconnect if self.kept_out_by == ASKED else sse.revoke)(user=user, channel="team")
            for removed in [person for person in self.people if person.user[app] == user]:
                await self.reopen(removed, app)

    async def follow(self, person: Person, app: str, grants: list[str], *, keeps: bool = True) -> None:
        if not grants:
            return
        stream = await person.browser.post(grants[-200:], f"/{app}/sse/stream")
        while not stream.status:
            await stream.read()
        if stream.status == 200:
            person.streams[app].append(await stream.until("sse:open"))
        else:
            assert stream.status == 403, stream.body
            await stream.close()

    # ------------------------------------------------------------------ what they get

    async def publish_everything(self) -> None:
        for app in APPS:
            for channel in ("hall", "team", *(f"of-{user}" for user in USERS)):
                await self.sse[app].publish(channel, self.mark(app, channel))
            for user in USERS:
                await self.sse[app].toast(self.mark(app, f"user-{user}"), user=user)
            for person in self.people:
                mark = self.mark(app, f"session-{person.number}-{person.user[app]}")
                await person.browser.get(f"/{app}/tell-me?text={mark}")

    def mark(self, app: str, target: str) -> str:
        self.sent += 1
        return f"<{self.sent}:{app}:{target}>".replace("<", "((").replace(">", "))")

    def may_follow(self, person: Person, app: str, target: str) -> bool:
        user = person.user[app]
        if target == "team":
            return user in self.members.of[app]
        kind, _, whose = target.partition("-")
        return {
            "hall": True,
            "of": whose == user,
            "user": whose == user,
            "session": whose == f"{person.number}-{user}",
        }[kind]

    async def check(self, person: Person, app: str) -> None:
        """Read each stream up to now, and compare with the model."""
        for stream in list(person.streams[app]):
            while f'"number": {self.sent}}}' not in stream.body.decode() and not stream.ended:
                await stream.read()
            found = stream.body.decode()
            stream.body.clear()
            for text in found.split("((")[1:]:
                number, got, target = text.partition("))")[0].split(":")
                assert got == app, self.story(person, number, got, target)
                assert self.may_follow(person, app, target), self.story(person, number, got, target)
                self.received[target.partition("-")[0]] += 1
            if stream.ended:
                person.streams[app].remove(stream)
                await stream.close()

    def story(self, person: Person, number: str, app: str, target: str) -> str:
        steps = "; ".join(self.history[-15:])
        return f"browser {person.number}, used by {person.user}, got {target} of {app} ({number}) after: {steps}"


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("kept_out_by", [REVOKED, ASKED, BOTH])
@pytest.mark.parametrize("seed", SEEDS)
async def test_nobody_receives_what_they_may_not_follow(
    seed: int, kept_out_by: str, store: str, tmp_path: Path
) -> None:
    walk = Walk(seed, kept_out_by, tmp_path if store == "sqlite" else None)
    await walk.run()
    # The walk has seen all of it, or it would prove nothing.
    assert {kind for kind, count in walk.received.items() if count > 20} == {"hall", "team", "of", "user", "session"}
