"""`python -m tests.fuzz [--seconds N] [--kinds pickle,zip] [--seed N] [--jobs N] [--source DIR]`, or `--again KIND:NUMBER`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.cases import Always, Input, generator

_ALL = "pickle,zip,hdf5,protobuf"


def main() -> int:
    """Fuzz, or check one input again; 1 when something failed."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what an input's number makes
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz", *sys.argv[1:]])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kinds", default=_ALL, help=f"some of {_ALL}")
    parser.add_argument("--seed", type=int, default=None, help="the first input's number (default: by the clock)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--source", default="", help="the checkout whose mlpack is tested (default: this one)")
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "mlpack-fuzz-findings")
    parser.add_argument("--again", default="", help="KIND:NUMBER of an input, or KIND:PATH of a file, to check alone")
    given = parser.parse_args()
    if given.again:
        if given.source:
            sys.path.insert(0, given.source)
        return _again(*given.again.split(":", 1))
    from tests.fuzz.runner import run

    seed = int(time.time()) % 1_000_000 * 1_000_000 if given.seed is None else given.seed
    print(f"inputs from number {seed} on; what fails is saved in {given.findings}", flush=True)
    summary = run(
        given.kinds.split(","),
        seconds=given.seconds,
        seed=seed,
        jobs=given.jobs,
        source=given.source,
        folder=given.findings,
    )
    print(summary.report())
    return 1 if summary.failures else 0


def _again(kind: str, which: str) -> int:
    from tests.fuzz.worker import Bench

    with Bench([kind]) as bench:
        if which.isdigit():
            made = bench.kinds[kind].make(generator(kind, int(which)))
        else:
            path = Path(which)
            made = Input(data=path.read_bytes(), suffix="".join(path.suffixes), recipe="file")
        outcome = bench.check(kind, made, Always())
    print(f"{len(made.data)} bytes, {made.recipe}: verdict {outcome.verdict}")
    for failure in outcome.failures:
        print(f"FAILURE {failure.key}\n  {failure.detail}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
