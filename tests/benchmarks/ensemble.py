"""Figures of ensembles beside one member and a coordinator by hand: `python -m tests.benchmarks.ensemble [--json PATH]`."""

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

from tests.benchmarks import ensemble_sides
from tests.benchmarks.ensemble_sides import Services
from tests.benchmarks.goals import Goal, goal_table
from tests.benchmarks.measuring import machine, tell
from tests.benchmarks.open_loop import OpenLoad, measure_open
from tests.benchmarks.sides import Running
from tests.benchmarks.wrk import Load, measure_checked

PER_SECOND = 200  # requests of the open loop
PROBABILITIES = "/predict?method=predict_proba"
MANY = 16  # members of the largest ensemble

Sides = dict[str, list[Load]]  # a load for each round
OpenSides = dict[str, list[OpenLoad]]


def main() -> int:
    """Measures, prints the tables, writes JSON; ends with 1 when `--check` is given and a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ensemble", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here too")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="length of one (default 3)")
    parser.add_argument("--only", choices=[*CLOSED, "overhead"], help="one comparison, without the goals")
    parser.add_argument("--check", action="store_true", help="end with 1 when a goal is missed")
    words = parser.parse_args()
    before = machine()
    chosen = [words.only] if words.only else [*CLOSED, "overhead"]
    closed = {name: _with_services(CLOSED[name], words) for name in chosen if name in CLOSED}
    opened: OpenSides = _with_services(overhead, words) if "overhead" in chosen else {}
    facts = {**before, "load_after": machine()["load"], "rounds": words.rounds, "seconds": words.seconds}
    print(
        f"{facts['cpus']} CPUs, load {facts['load']} before and {facts['load_after']} after; medians of {words.rounds}"
    )
    print(table(closed, opened))
    goals = [] if words.only else [*goals_of(closed, opened)]
    if goals:
        print(goal_table(goals, "goal"))
    if words.json:
        words.json.write_text(json.dumps(document(facts, closed, opened, goals), indent=2) + "\n")
    return int(words.check and any(not goal.met for goal in goals))


def _with_services(measured: Callable[..., Any], words: argparse.Namespace) -> Any:
    with tempfile.TemporaryDirectory(prefix="mlpack-bench-") as name, ExitStack() as stack:
        return measured(Services(stack, Path(name)), words.rounds, words.seconds)


ALONE = "member alone"
PATHS = {ALONE: PROBABILITIES}  # other services answer the mean at /predict


def overhead(services: Services, rounds: int, seconds: float) -> OpenSides:
    """A soft vote of three different models, and each of its members alone: 200 requests/s in an open loop.

    The models are light, so that members and coordinator together do not take all of two cores.
    """
    members = [services.member(kind, kind, seed) for seed, kind in enumerate(("linear", "bayes", "tree"))]
    coordinator = services.coordinator("soft-vote", "soft_vote", members)
    targets = {one.name: (one.service, ensemble_sides.probability_rows([one])) for one in members}
    targets["ensemble"] = (coordinator, ensemble_sides.probability_rows(members))
    found: OpenSides = {}
    for service, rows in targets.values():
        measure_open(service.url, PROBABILITIES, rows, PER_SECOND, 1, seed=0)
    for n in range(rounds):
        for side, (service, rows) in targets.items():
            load = measure_open(service.url, PROBABILITIES, rows, PER_SECOND, 2 * seconds, seed=n)
            found.setdefault(side, []).append(load)
        tell(f"overhead, round {n + 1}: " + ", ".join(f"{s} {v[-1].p50_ms:.2f} ms" for s, v in found.items()))
    return found


def two_members(services: Services, rounds: int, seconds: float) -> Sides:
    """Two equal members, one, and the member without a coordinator, at one connection."""
    members = [services.member(name, "forest", 0) for name in ("first", "second")]
    rows = ensemble_sides.probability_rows(members)
    targets = {
        ALONE: members[0].service,
        "ensemble of one": services.coordinator("one", "mean", members[:1]),
        "ensemble of two": services.coordinator("two", "mean", members),
    }
    return _in_turn("two members", targets, rows, 1, rounds, seconds)


def many_members(services: Services, rounds: int, seconds: float) -> Sides:
    """The mean of 16 different members, at one connection and at 16."""
    members = [services.member(f"member{n}", "linear", n) for n in range(MANY)]
    rows = ensemble_sides.probability_rows(members)
    coordinator = services.coordinator("many", "mean", members)
    found = _in_turn("16 members", {"16 members, 1 connection": coordinator}, rows, 1, rounds, seconds)
    return {
        **found,
        **_in_turn("16 members", {"16 members, 16 connections": coordinator}, rows, 16, rounds, seconds),
    }


def throughput(services: Services, rounds: int, seconds: float) -> Sides:
    """The mean of three models, by our coordinator and by the one of Flask and aiohttp, at 16 connections."""
    members = [services.member(f"linear{n}", "linear", n) for n in range(3)]
    rows = ensemble_sides.probability_rows(members)
    targets = {"mlpack": services.coordinator("mean", "mean", members), "Flask + aiohttp": services.by_hand(members)}
    return _in_turn("throughput", targets, rows, 16, rounds, seconds)


CLOSED = {"two": two_members, "many": many_members, "throughput": throughput}


def _in_turn(
    name: str,
    targets: dict[str, Running],
    rows: ensemble_sides.Rows,
    connections: int,
    rounds: int,
    seconds: float,
) -> Sides:
    """All sides, one after the other within each round, so that they meet the same machine."""
    found: Sides = {}
    for side, service in targets.items():
        measure_checked(service.url, PATHS.get(side, "/predict"), rows, connections, 1, service.pid)
    for n in range(rounds):
        for side, service in targets.items():
            load = measure_checked(service.url, PATHS.get(side, "/predict"), rows, connections, seconds, service.pid)
            found.setdefault(side, []).append(load)
        tell(f"{name}, round {n + 1}: " + ", ".join(f"{s} {v[-1].rate:,.0f}/s" for s, v in found.items()))
    return found


def goals_of(closed: dict[str, Sides], opened: OpenSides) -> Iterator[Goal]:
    """What the issue promises, each as the median over rounds of a ratio or a difference within one round."""
    for percentile, limit in (("p50_ms", 3.0), ("p99_ms", 10.0)):
        later = [
            getattr(ours, percentile) - max(getattr(one, percentile) for one in others)
            for ours, *others in zip(
                opened["ensemble"], *(v for k, v in opened.items() if k != "ensemble"), strict=True
            )
        ]
        name = f"{PER_SECOND} requests/s, {percentile[:3]} beyond the slowest member"
        yield Goal(name=name, value=statistics.median(later), limit=limit, at_least=False, unit="ms")
    two, fast = closed["two"], closed["throughput"]
    value = _ratio(two["ensemble of two"], two["ensemble of one"], lambda load: load.p50_ms)
    yield Goal(name="latency of two equal members to one, 1 connection", value=value, limit=1.4, at_least=False)
    rate = statistics.median(load.rate for load in fast["mlpack"])
    yield Goal(name="mean of three, 16 connections", value=rate, limit=1000, at_least=True, unit="/s")
    value = _ratio(fast["mlpack"], fast["Flask + aiohttp"], lambda load: load.rate)
    yield Goal(name="requests a second to Flask + aiohttp, 16 connections", value=value, limit=5, at_least=True)


def _ratio(ours: list[Load], theirs: list[Load], of: Callable[[Load], float]) -> float:
    return statistics.median(of(a) / of(b) for a, b in zip(ours, theirs, strict=True))


def table(closed: dict[str, Sides], opened: OpenSides) -> str:
    """Medians of every side, for a reader."""
    lines = [f"\n{'wrk':<32}{'requests':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us':>10}"]
    for sides in closed.values():
        for side, loads in sides.items():
            rate, p50, p99, cpu = (
                statistics.median(values)
                for values in zip(*((x.rate, x.p50_ms, x.p99_ms, x.cpu_us) for x in loads), strict=True)
            )
            lines.append(f"{side:<32}{rate:>10,.0f}/s{p50:>10.2f}{p99:>10.2f}{cpu:>10.0f}")
    if opened:
        lines.append(f"\n{f'open loop, {PER_SECOND} requests/s':<44}{'p50 ms':>10}{'p99 ms':>10}")
    for side, given in opened.items():
        p50, p99 = statistics.median(x.p50_ms for x in given), statistics.median(x.p99_ms for x in given)
        lines.append(f"{side:<44}{p50:>10.2f}{p99:>10.2f}")
    return "\n".join(lines)


def document(facts: dict[str, Any], closed: dict[str, Sides], opened: OpenSides, goals: list[Goal]) -> dict[str, Any]:
    """Every sample, and the goals."""
    return {
        "machine": facts,
        "closed": {name: _samples(sides) for name, sides in closed.items()},
        "open": _samples(opened),
        "goals": [goal.to_json() for goal in goals],
    }


def _samples(sides: Sides | OpenSides) -> dict[str, list[dict[str, float]]]:
    return {side: [asdict(load) for load in loads] for side, loads in sides.items()}


if __name__ == "__main__":
    sys.exit(main())
