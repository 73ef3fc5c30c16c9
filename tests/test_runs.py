"""A run of the tests ends, however it was started and whatever a test has left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import VARIABLE, patient
from tests.support.serving import ROOT

INTERRUPTIBLE = """
import signal, subprocess, sys

def test_a_program_can_be_interrupted():
    ignores = "import signal; raise SystemExit(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    assert subprocess.run([sys.executable, "-c", ignores]).returncode == 0
"""
THREAD = """
import threading

def test_that_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="left").start()
"""


def run(program: Path, text: str, *, patience: str = "1") -> subprocess.CompletedProcess[str]:
    """Run a test with the hooks of these tests, as a background job of a shell does."""
    program.write_text(text)
    options = ["-q", "-p", "conftest", "-p", "no:cacheprovider", "-o", "timeout=60"]
    command = [sys.executable, "-m", "pytest", *options, str(program)]
    return subprocess.run(
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        cwd=program.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), VARIABLE: patience},
        timeout=patient(60),
    )


@pytest.mark.skipif(os.name != "posix", reason="no other system has shells that ignore signals for their jobs")
def test_programs_can_be_interrupted_in_a_background_job(tmp_path: Path) -> None:
    ran = run(tmp_path / "test_interruptible.py", INTERRUPTIBLE)
    assert ran.returncode == 0, ran.stdout


def test_a_thread_that_a_test_leaves_does_not_keep_the_run(tmp_path: Path) -> None:
    ran = run(tmp_path / "test_thread.py", THREAD, patience="0.02")
    assert "1 passed" in ran.stdout
    assert ran.returncode == 1
    assert "Timeout" in ran.stderr
