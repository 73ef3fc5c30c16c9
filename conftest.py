"""What the tests of both folders share."""

from __future__ import annotations

import pytest

from tests.support.patience import FACTOR, VARIABLE, give_time


def pytest_report_header() -> str:
    """Say how patient the tests are."""
    return f"patience: {FACTOR} ({VARIABLE})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the time-outs of tests."""
    give_time(items, float(config.getini("timeout")))
