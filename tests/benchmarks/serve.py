"""Serving figures beside a Flask stub and a bare echo: `python -m tests.benchmarks.serve [--json PATH] [--peers]`."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import moments, sides
from tests.benchmarks.chart import chart
from tests.benchmarks.goals import Goal, goal_table
from tests.benchmarks.measuring import machine, tell
from tests.benchmarks.wrk import Load, measure

BODY = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
CONNECTIONS = (1, 16, 64)
NAMES = {"logistic": "LogisticRegression pipeline", "forest": "RandomForest(100)"}


Loads = dict[str, dict[str, dict[int, list[Load]]]]  # model, side, connections: a load a round


def main() -> int:
    """Measures, prints the tables, writes JSON and chart; ends with 1 when `--check` is given and a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serve", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here too")
    parser.add_argument("--chart", type=Path, metavar="PATH", help="draw the figures here")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="length of one (default 3)")
    parser.add_argument("--peers", action="store_true", help="measure BentoML, MLServer, LitServe and MLflow too")
    parser.add_argument("--check", action="store_true", help="end with 1 when a goal is missed")
    words = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(prefix="mlpack-bench-") as name:
        folder = Path(name)
        loads = {
            kind: under_load(folder, kind, words.rounds, words.seconds, peers=words.peers and kind == "logistic")
            for kind in NAMES
        }
        moment = moments.all_of_them(folder, words.rounds)
    facts = {**before, "load_after": machine()["load"], "rounds": words.rounds, "seconds": words.seconds}
    goals = [*goals_of(loads), *moments.goals_of(moment)]
    print(
        f"{facts['cpus']} CPUs, load {facts['load']} before and {facts['load_after']} after; medians of {words.rounds}"
    )
    print(table(loads))
    print(goal_table(goals, "goal (mlpack to Flask unless said)"))
    if words.json:
        words.json.write_text(json.dumps(document(facts, loads, moment, goals), indent=2) + "\n")
    if words.chart:
        words.chart.write_text(chart({NAMES[kind]: rates(loads[kind], 16) for kind in loads}))
    return int(words.check and any(not goal.met for goal in goals))


def under_load(
    folder: Path, kind: str, rounds: int, seconds: float, *, peers: bool
) -> dict[str, dict[int, list[Load]]]:
    """All sides, one after the other within each round, so that they meet the same machine."""
    model = sides.train(folder / f"{kind}.pkl", kind)
    commands = {
        "mlpack": sides.ours(folder / f"{kind}-mlpack", model),
        "Flask": sides.flask(folder / f"{kind}-flask", model),
        "echo": sides.echo(folder / f"{kind}-echo"),
    }
    found: dict[str, dict[int, list[Load]]] = {}
    with ExitStack() as stack:
        targets = {
            side: (stack.enter_context(sides.running(words, folder / f"{kind}-{side}.log")), "/predict", BODY)
            for side, words in commands.items()
        }
        if peers:
            from tests.benchmarks.peers import running_peers

            targets.update(running_peers(stack, folder, model))
        for server, path, body in targets.values():
            sides.ask(server.url + path, body.encode())
        for n in range(rounds):
            for side, (server, path, body) in targets.items():
                for connections in CONNECTIONS:
                    load = measure(server.url, path, body, connections, seconds, server.pid)
                    found.setdefault(side, {}).setdefault(connections, []).append(load)
            tell(f"{kind}, round {n + 1}: " + ", ".join(f"{s} {v[16][-1].rate:,.0f}/s" for s, v in found.items()))
    return found


def goals_of(loads: Loads) -> Iterator[Goal]:
    """What the issue promises of speed, each as the median over rounds of a ratio within one round."""
    logistic, forest = loads["logistic"], loads["forest"]
    for connections, limit in ((16, 10.0), (64, 12.0)):
        value = ratio(logistic, connections, lambda load: load.rate)
        yield Goal(name=f"requests a second, {connections} connections", value=value, limit=limit, at_least=True)
        ours, theirs = logistic["mlpack"][connections], logistic["Flask"][connections]
        value = statistics.median(a.p99_ms / b.p50_ms for a, b in zip(ours, theirs, strict=True))
        yield Goal(name=f"p99 to Flask's p50, {connections} connections", value=value, limit=1.0, at_least=False)
        value = 1 / ratio(logistic, connections, lambda load: load.cpu_us)
        yield Goal(name=f"requests a CPU second, {connections} connections", value=value, limit=limit, at_least=True)
    value = ratio(logistic, 1, lambda load: load.p50_ms)
    yield Goal(name="latency, 1 connection", value=value, limit=0.6, at_least=False)
    value = ratio(forest, 16, lambda load: load.rate)
    yield Goal(name="requests a second, RandomForest(100), 16 connections", value=value, limit=13.0, at_least=True)


def ratio(sides_: dict[str, dict[int, list[Load]]], connections: int, of: Callable[[Load], float]) -> float:
    """Ours to Flask's, round by round, the median."""
    pairs = zip(sides_["mlpack"][connections], sides_["Flask"][connections], strict=True)
    return statistics.median(of(ours) / of(theirs) for ours, theirs in pairs)


def rates(sides_: dict[str, dict[int, list[Load]]], connections: int) -> dict[str, float]:
    """The median requests a second of each side."""
    return {side: statistics.median(load.rate for load in by[connections]) for side, by in sides_.items()}


def table(loads: Loads) -> str:
    """Medians of every side, for a reader."""
    lines = []
    for kind, by_side in loads.items():
        lines.append(f"\n{NAMES[kind]:<28}" + "".join(f"{c:>8} conn.  p50 ms  p99 ms  CPU us" for c in CONNECTIONS))
        for side, by in by_side.items():
            cells = [
                f"{statistics.median(x.rate for x in by[c]):>12,.0f}/s{statistics.median(x.p50_ms for x in by[c]):>8.2f}"
                f"{statistics.median(x.p99_ms for x in by[c]):>8.2f}{statistics.median(x.cpu_us for x in by[c]):>8.0f}"
                for c in CONNECTIONS
            ]
            lines.append(f"{side:<28}" + "".join(cells))
    return "\n".join(lines)


def document(facts: dict[str, Any], loads: Loads, moment: dict[str, Any], goals: list[Goal]) -> dict[str, Any]:
    """Every sample, and the goals."""
    samples = {
        kind: {
            side: {str(c): [asdict(load) for load in found] for c, found in by.items()} for side, by in by_side.items()
        }
        for kind, by_side in loads.items()
    }
    return {
        "machine": facts,
        "loads": samples,
        "moments": moment,
        "goals": [goal.to_json() for goal in goals],
    }


if __name__ == "__main__":
    sys.exit(main())
