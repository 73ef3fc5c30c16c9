"""Hooks for the tests in `tests` and `e2e`."""

from __future__ import annotations

import pytest

from tests.support.patience import FACTOR, VARIABLE, give_time


def pytest_report_header() -> str:
    """Print the factor for time-outs."""
    return f"patience: {FACTOR} ({VARIABLE})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the time-outs of the tests."""
    give_time(items, float(config.getini("timeout")))
