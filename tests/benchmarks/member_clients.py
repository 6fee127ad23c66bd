"""aiohttp and httpx as the client between coordinator and members: `python -m tests.benchmarks.member_clients`."""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from mlpack.runtime.ensembles.plan import Member, Query
from mlpack.runtime.ensembles.wire import write_request
from tests.benchmarks import client_load, sides
from tests.benchmarks.ensemble_sides import Services
from tests.benchmarks.measuring import machine, tell
from tests.benchmarks.peers import environment

CONCURRENCY = (1, 16, 48)
CLIENTS = ("aiohttp", "httpx")


def main() -> int:
    """Measures both in turn, prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.member_clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each client (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="length of one (default 2)")
    words = parser.parse_args()
    before = machine()
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="mlpack-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        python = environment(folder, (*CLIENTS, "uvloop"))
        service = Services(stack, folder).member("member", "linear", 0).service
        request = _request(service.url)
        for n in range(words.rounds):
            for concurrency in CONCURRENCY:
                for client in CLIENTS:
                    given = {**request, "client": client, "concurrency": concurrency, "seconds": words.seconds}
                    found.setdefault((client, concurrency), []).append(_measured(python, given))
            tell(f"round {n + 1}: " + ", ".join(f"{c} {k}: {v[-1]['cpu_us']:.0f} us" for (c, k), v in found.items()))
    print(
        f"{before['cpus']} CPUs, load {before['load']} before and {machine()['load']} after; medians of {words.rounds}"
    )
    print(f"\n{'client':<10}{'concurrent':>12}{'calls':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us':>10}")
    for (client, concurrency), loads in found.items():
        rate, p50, p99, cpu = (
            statistics.median(x[key] for x in loads) for key in ("rate", "p50_ms", "p99_ms", "cpu_us")
        )
        print(f"{client:<10}{concurrency:>12}{rate:>10,.0f}/s{p50:>10.2f}{p99:>10.2f}{cpu:>10.0f}")
    return 0


def _request(url: str) -> dict[str, Any]:
    """A call of one row as the coordinator makes it, and the tensor at the end of each response."""
    card = json.loads(sides.ask_get(url))
    signature = card["signatures"][0]
    query = Query.from_json({"method": signature["name"], "inputs": signature["inputs"], "output": "predict"})
    member = Member.from_json({"name": "m", "url": url, "model": card["name"], "contract": "v2", "queries": {}})
    wire = write_request(member, query, {"input": np.array([[5.1, 3.5, 1.4, 0.2]])})
    answer = sides.ask(url + wire.path, wire.body, wire.headers)[-8:]
    return {
        "url": url + wire.path,
        "headers": wire.headers,
        "body": base64.b64encode(wire.body).decode(),
        "answer": base64.b64encode(answer).decode(),
    }


def _measured(python: Path, given: dict[str, Any]) -> dict[str, float]:
    program = [str(python), client_load.__file__]
    done = subprocess.run(program, input=json.dumps(given), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{given['client']}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
