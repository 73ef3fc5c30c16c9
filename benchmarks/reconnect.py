"""Reconnecting: when 1,000 clients reconnect after a restart, with the kit's jitter and without.

`python benchmarks/reconnect.py` prints histograms and draws `docs/pictures/reconnect.svg`, in less than a minute. The
clients run the code of browsers, `static/stream/stream-reader.js`, in one process of Node (20 or newer). The server is
uvicorn. It is ended by SIGTERM, with a shutdown frame for each client, or by SIGKILL, without. A new server starts
shortly afterwards. An arrival is an attempt that the new server answers.
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
from math import ceil
from pathlib import Path
from typing import Any

from fasthtml.common import FastHTML
from starlette.responses import PlainTextResponse

from sse_components import Limits, setup_sse
from sse_components.html.page_context import this_page

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "pictures" / "reconnect.svg"
ENDS = {signal.SIGTERM: "SIGTERM: the server sends a shutdown frame", signal.SIGKILL: "SIGKILL: the server is gone"}
KINDS = {"jitter": "with jitter", "none": "without jitter"}
# Seconds: from the signal to the new server's start, and the width of a histogram's bin.
AWAY, BIN = 1.8, 0.25


@dataclass
class Run:
    """One restart, in seconds since the signal.

    Attributes:
        tries: when clients were due to try, whether or not a server was running.
        arrivals: the tries that were answered.
        back: when the new server was listening.
        late: the largest delay of the event loop in the clients' process.
    """

    tries: list[float]
    arrivals: list[float]
    back: float
    late: float

    @property
    def bins(self) -> Counter[int]:
        """The number of arrivals in each bin."""
        return Counter(int(at / BIN) for at in self.arrivals)

    @property
    def nearly_all(self) -> float:
        """When 99 % had arrived."""
        return self.arrivals[len(self.arrivals) * 99 // 100]

    def peak(self, width: float) -> int:
        """Return the most arrivals within `width` seconds."""
        return max(bisect_left(self.arrivals, at + width) - first for first, at in enumerate(self.arrivals))


# ---------------------------------------------------------------------- the restart


def stream_url(channel: str) -> str:
    """Return the URL of a stream. Its grant belongs to no session, because these clients have no cookies."""
    page = this_page()
    page.enter({})
    return page.stream_url([channel])


def application() -> Any:
    """Return the application that is restarted."""
    app = FastHTML(secret_key="benchmark")
    setup_sse(app, limits=Limits(connections=100_000, connections_per_client=100_000))

    @app.route("/path")
    def path() -> PlainTextResponse:
        return PlainTextResponse(stream_url("news"))

    return app


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def allow_files(count: int) -> None:
    """Raise the limit of open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def serve(port: int) -> subprocess.Popen[bytes]:
    """Start a server, and return when it listens."""
    command = ["uvicorn", "--factory", "reconnect:application", "--app-dir", str(HERE), "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", *command, "--log-level", "warning"])
    deadline = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return server
        except OSError:
            time.sleep(0.02)
    server.kill()
    raise RuntimeError("the server does not listen")


@contextmanager
def run_clients(url: str, clients: int, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Run the clients. The block begins when all have a stream."""
    command = ["node", str(HERE / "load" / "reconnect.js"), url, str(clients), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        try:
            if node.stdout is None or node.stdout.readline() != "open\n":
                raise RuntimeError("the clients could not open their streams")
            yield node
        finally:
            node.kill()


def restart(end: signal.Signals, clients: int, kind: str) -> Run:
    """Restart the server, and return when its clients reconnected."""
    port = free_port()
    server = serve(port)
    try:
        site = f"http://127.0.0.1:{port}"
        path = urllib.request.urlopen(f"{site}/path").read().decode()
        with run_clients(site + path, clients, kind) as node:
            begin = time.time()
            server.send_signal(end)
            server.wait()
            time.sleep(max(0, begin + AWAY - time.time()))
            server = serve(port)
            back = time.time() - begin
            result = json.loads(node.communicate(timeout=60)[0])
    finally:
        server.kill()
        server.wait()
    tries, arrivals = (sorted(at / 1000 - begin for at in result[name]) for name in ("tries", "answered"))
    return Run(tries, arrivals, back, result["late"] / 1000)


# ---------------------------------------------------------------------- as text


def report(run: Run, name: str) -> str:
    """Return a run as figures, and as a histogram until nearly all are back."""
    bins = run.bins
    most, first, last = max(bins.values()), min(bins), int(run.nearly_all / BIN)
    rows = [f"{at * BIN:8.2f} s{bins[at]:6} {'█' * round(50 * bins[at] / most)}" for at in range(first, last + 1)]
    return "\n".join(
        [
            f"  {name}: at most {run.peak(1)} arrivals in a second, {run.peak(0.1)} in a tenth of one",
            f"  server back after {run.back:.1f} s, 99 % of the clients after {run.nearly_all:.1f} s,"
            f" the last after {run.arrivals[-1]:.1f} s",
            f"  {len(run.tries)} attempts; the clients' process was late by {run.late:.2f} s at most",
            *rows,
        ]
    )


# ---------------------------------------------------------------------- as a picture

LEFT, TOP, WIDTH, HEIGHT, PANEL = 50, 100, 680, 170, 270
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #2d3748 }
  .head { font-weight: 600; font-size: 15px }
  .axis { stroke: #8a94a6; fill: none }
  .jitter { fill: #2b6cb0 }
  .none { fill: #dd6b20; opacity: 0.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e2e8f0 }
    .jitter { fill: #63b3ed }
    .none { fill: #f6ad55 }
  }
"""


def text(x: float, y: float, words: str, *, css: str = "", anchor: str = "start") -> str:
    """Return a text element at a position."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{words}</text>'


def bars(run: Run, kind: str, *, second: float, client: float) -> Iterator[str]:
    """Yield the bars of a run, upwards from 0. `second` is the width of a second, `client` the height of a client."""
    width = BIN * second
    for at, count in sorted(run.bins.items()):
        if at * BIN > run.nearly_all:
            return
        size = f'width="{width - 1:.1f}" height="{count * client:.1f}"'
        yield f'<rect class="{kind}" x="{at * width:.1f}" y="{-count * client:.1f}" {size}/>'


def panel(title: str, runs: dict[str, Run], seconds: int) -> Iterator[str]:
    """Yield the histogram for one signal. The axes cross at 0."""
    second, most = WIDTH / seconds, max(max(run.bins.values()) for run in runs.values())
    yield text(0, -HEIGHT - 42, title, css="head")
    for row, (kind, run) in enumerate(runs.items()):
        yield f'<rect class="{kind}" x="{row * 250}" y="{-HEIGHT - 31}" width="12" height="12"/>'
        yield text(row * 250 + 18, -HEIGHT - 20, f"{KINDS[kind]}: at most {run.peak(1)} a second")
        yield from bars(run, kind, second=second, client=HEIGHT / most)
    yield f'<path class="axis" d="M0 {-HEIGHT}V0H{WIDTH}"/>'
    yield text(-6, -HEIGHT + 5, str(most), anchor="end") + text(-6, 4, "0", anchor="end")
    for at in range(seconds + 1):
        yield text(at * second, 18, f"{at} s" if at == seconds else str(at), anchor="middle")


def picture(runs: dict[signal.Signals, dict[str, Run]], clients: int) -> str:
    """Return the histograms as SVG, for light and dark pages."""
    seconds = ceil(max(run.nearly_all for both in runs.values() for run in both.values()))
    title = f"Arrivals of {clients:,} clients after a restart, each quarter of a second"
    parts = [text(LEFT, 24, title)]
    for row, (end, both) in enumerate(runs.items()):
        inside = "\n".join(panel(ENDS[end], both, seconds))
        parts.append(f'<g transform="translate({LEFT} {TOP + HEIGHT + row * PANEL})">\n{inside}\n</g>')
    width, height = LEFT + WIDTH + 30, TOP + PANEL * len(runs) - 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    allow_files(options.clients + 200)
    runs: dict[signal.Signals, dict[str, Run]] = {}
    for end, title in ENDS.items():
        print(f"\n{title}, {options.clients} clients", flush=True)
        runs[end] = {}
        for kind, name in KINDS.items():
            runs[end][kind] = restart(end, options.clients, kind)
            print(report(runs[end][kind], name), flush=True)
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_text(picture(runs, options.clients))


if __name__ == "__main__":
    main()
