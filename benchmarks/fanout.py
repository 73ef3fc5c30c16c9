"""Fan-out: CPU per delivery, latency and memory, against the C floor and rivals, interleaved in one run.

`python benchmarks/fanout.py --clients 100 1000 --rounds 3` prints Markdown tables: medians, and medians of ratios taken
within a round. The server has one core, the load generator (`load/sseload.c`) the other. Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
FLOOR = "C floor"
KINDS = (FLOOR, "ours", "task", "starlette", "sse-starlette")
PHASES = ("burst", "burst10", "steady")  # one a tick, ten a tick, 10,000 deliveries a second


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compile_program(name: str, folder: Path) -> str:
    """Compile a C program of this folder, and return the path of the executable."""
    out = folder / name
    subprocess.run(["cc", "-O2", "-w", "-o", out, HERE / "load" / f"{name}.c"], check=True)
    return str(out)


def start(kind: str, port: int, floor: str) -> subprocess.Popen[bytes]:
    """Start a server on the first core, and return when it listens."""
    command = [floor, str(port)] if kind == FLOOR else [sys.executable, str(HERE / "server.py"), kind, str(port)]
    server = subprocess.Popen(["taskset", "-c", "0", *command])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return server
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise RuntimeError(f"{kind} does not listen")


def measure(kind: str, clients: int, load: str, floor: str) -> dict[str, dict[str, float]]:
    """Return the figures of each phase for one server with `clients` connections."""
    port = free_port()
    server = start(kind, port, floor)
    try:
        path = "/sse"
        if kind != FLOOR:
            path = urllib.request.urlopen(f"http://127.0.0.1:{port}/path").read().decode()
        events = max(10, 100_000 // clients)
        phases = [f"burst:{events // 10}:0", f"steady:{max(20, 20_000 // clients)}:{10_000 / clients:g}"]
        phases += [f"burst:{events}:0", f"burst10:{events}:0"]
        command = ["taskset", "-c", "1", load, "-p", str(port), "-u", path, "-n", str(clients), "-s", str(server.pid)]
        command += ["-t", "60", "-T", "5", "-B"]
        done = subprocess.run(
            command + [part for phase in phases for part in ("-x", phase)], capture_output=True, text=True, check=True
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
    finally:
        server.terminate()
        server.wait()
    found: dict[str, dict[str, float]] = {}
    for line in lines:  # a later burst overwrites the first, which only warms up
        found[line["phase"]] = line
    return found


def median(values: list[float]) -> str:
    """Return a median, with its range if there are several."""
    middle = f"{statistics.median(values):.3g}"
    return f"{middle} ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else middle


def table(rounds: list[dict[str, dict[str, dict[str, float]]]], clients: int) -> str:
    """Return the Markdown table for one number of clients."""
    rows = [f"\n### {clients} clients, {len(rounds)} rounds\n"]
    heads = ("server", "µs a delivery", "÷ C floor", "ten a tick, µs", "steady p50 ms", "p99 ms", "KiB a client")
    rows.append(f"| {' | '.join(heads)} | connect, µs | lost |")
    rows.append("|---" * 9 + "|")
    for kind in rounds[0]:
        runs = [kinds[kind] for kinds in rounds if kind in kinds]
        values: dict[str, list[float]] = defaultdict(list)
        for run, all_kinds in zip(runs, rounds, strict=True):
            values["cpu"].append(run["burst"]["cpu_us"])
            values["ratio"].append(run["burst"]["cpu_us"] / all_kinds[FLOOR]["burst"]["cpu_us"])
            values["ten"].append(run["burst10"]["cpu_us"])
            values["p50"].append(run["steady"]["lat_p50_ms"])
            values["p99"].append(run["steady"]["lat_p99_ms"])
            values["kib"].append(run["connect"]["kib_per_conn"])
            values["connect"].append(run["connect"]["conn_cpu_us"])
            values["lost"].append(sum(run[phase].get("missing", 0) for phase in PHASES))
        cells = [median(values[name]) for name in ("cpu", "ratio", "ten", "p50", "p99", "kib", "connect")]
        rows.append(f"| {kind} | {' | '.join(cells)} | {max(values['lost']):.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    kinds = dict.fromkeys((FLOOR, *options.kinds))
    with tempfile.TemporaryDirectory() as folder:
        load, floor = compile_program("sseload", Path(folder)), compile_program("floor", Path(folder))
        for clients in options.clients:
            rounds = []
            for number in range(options.rounds):
                print(f"{clients} clients, round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
                rounds.append({kind: measure(kind, clients, load, floor) for kind in kinds})
            print(table(rounds, clients), flush=True)


if __name__ == "__main__":
    main()
