"""The examples of the reference's notebook, with their import line changed; `e2e/test_notebook.py` has the one with a page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fasthtml.common import FastHTML, Response, to_xml

from sse_components import (
    BroadcastManager,
    BroadcastMessage,
    create_broadcast_endpoint,
    create_broadcast_handler,
)

pytestmark = pytest.mark.anyio
