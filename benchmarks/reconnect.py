"""Reconnecting: when 1,000 clients come back after a restart, with the kit's jitter and without any.

`python benchmarks/reconnect.py` prints histograms and writes `docs/pictures/reconnect.svg`. The clients are those of the
browser (`static/event-source.js`, run by Node 20), and so are their delays; the server is uvicorn, ended by SIGTERM (it
says farewell) and by SIGKILL (it cannot), and started anew at once. An arrival is an attempt that was answered. Linux or
macOS, a minute.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "pictures" / "reconnect.svg"
SIGNALS = {signal.SIGTERM: "SIGTERM, with a farewell", signal.SIGKILL: "SIGKILL, without one"}
BIN = 0.25  # seconds


@dataclass
class Run:
    """What came of one restart: seconds since the signal, in order."""

    tries: list[float]
    arrivals: list[float]
    back: float

    def peak(self, width: float) -> int:
        """Return the most arrivals within any `width` seconds."""
        return max(bisect_left(self.arrivals, at + width) - index for index, at in enumerate(self.arrivals))

    def bins(self) -> Counter[int]:
        """Return the number of arrivals in each bin."""
        return Counter(int(at / BIN) for at in self.arrivals)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int) -> subprocess.Popen[bytes]:
    """Start a server, and return when it listens."""
    server = subprocess.Popen([sys.executable, HERE / "server.py", "ours", str(port)])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.02)
    server.kill()
    raise RuntimeError("the server does not listen")


@contextmanager
def visitors(url: str, clients: int, jitter: str) -> Iterator[subprocess.Popen[str]]:
    """Run the clients; the block begins when each has its stream."""
    command = ["node", HERE / "load" / "reconnect.js", url, str(clients), jitter]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        try:
            if node.stdout is None or node.stdout.readline() != "open\n":
                raise RuntimeError("the clients have not got their streams")
            yield node
        finally:
            node.kill()


def restart(number: signal.Signals, clients: int, jitter: str) -> Run:
    """Let the clients lose their server and get it back."""
    port = free_port()
    server = serve(port)
    try:
        base = f"http://127.0.0.1:{port}"
        path = urllib.request.urlopen(f"{base}/path").read().decode()
        with visitors(base + path, clients, jitter) as node:
            begin = time.time()
            server.send_signal(number)
            server.wait()
            server = serve(port)
            back = time.time() - begin
            times = json.loads(node.communicate(timeout=60)[0])
    finally:
        server.kill()
        server.wait()
    tries, arrivals = ([at / 1000 - begin for at in sorted(times[name])] for name in ("tries", "answered"))
    return Run(tries, arrivals, back)


# ------------------------------------------------------------------ what is shown


def histogram(run: Run, clients: int) -> str:
    """Return a run's arrivals as text."""
    bins = run.bins()
    rows = [f"{at * BIN:6.2f} s {bins[at]:5} {'█' * round(60 * bins[at] / clients)}" for at in range(max(bins) + 1)]
    return "\n".join(rows)


def summary(run: Run) -> str:
    """Return a run in a line."""
    return (
        f"server back after {run.back:.1f} s, the last client after {run.arrivals[-1]:.1f} s; "
        f"at most {run.peak(1)} arrivals in a second, {run.peak(0.1)} in a tenth; {len(run.tries)} attempts"
    )


STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600; font-size: 15px }
  .quiet { fill: #667 }
  .axis { stroke: #889; fill: none }
  .jitter { fill: #2b6cb0 }
  .none { fill: #c05621; opacity: 0.45 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    .quiet { fill: #99a }
    .jitter { fill: #63b3ed }
    .none { fill: #f6ad55 }
  }
"""
LEFT, WIDTH, HEIGHT, ROW = 56, 680, 190, 270


def bars(run: Run, kind: str, scale: float, most: int) -> Iterator[str]:
    """Yield the bars of a run in a panel that shows `scale` pixels a second and `most` clients."""
    for at, count in sorted(run.bins().items()):
        x, width, height = LEFT + at * BIN * scale, BIN * scale - 1, HEIGHT * count / most
        yield f'<rect class="{kind}" x="{x:.1f}" y="{-height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def panel(title: str, runs: dict[str, Run], seconds: int, clients: int) -> Iterator[str]:
    """Yield one signal's drawing, its base line at 0."""
    scale = WIDTH / seconds
    yield f'<text class="title" x="{LEFT}" y="{-HEIGHT - 32}">{title}</text>'
    said = [f"{name}: at most {run.peak(1)} a second" for name, run in zip(("jitter", "none"), runs.values(), strict=True)]
    del said
    for kind, run in runs.items():
        yield from bars(run, kind, scale, clients)
    yield f'<path class="axis" d="M{LEFT} {-HEIGHT}V0H{LEFT + WIDTH}"/>'
    for second in range(seconds + 1):
        yield f'<text class="quiet" x="{LEFT + second * scale:.1f}" y="18" text-anchor="middle">{second}</text>'
