"""The tests' application mounted in another one: `mounted:in_fastapi` and `mounted:in_starlette`."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.served import app as ui

in_fastapi = FastAPI()
in_fastapi.mount("/ui", ui)

in_starlette = Starlette(routes=[Mount("/ui", ui)])
