"""Hooks for the tests in `tests` and `e2e`."""

from __future__ import annotations

import faulthandler
import signal
import sys

import pytest

from tests.support.patience import FACTOR, VARIABLE, give_time, patient

# Seconds in which the process ends when its tests have ended.
EXIT_SECONDS = 60.0


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, also where this run is a shell's background job.

    Such a shell has `SIGINT` ignored, and what is ignored stays so in every program that is started from here.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End the process, and print every stack, if something such as a thread that a test has left keeps it."""
    faulthandler.dump_traceback_later(patient(EXIT_SECONDS), exit=True, file=sys.__stderr__)


def pytest_report_header() -> str:
    """Print the factor for time-outs."""
    return f"patience: {FACTOR} ({VARIABLE})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the time-outs of the tests."""
    give_time(items, float(config.getini("timeout")))
