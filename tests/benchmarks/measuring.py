"""What every benchmark needs: seconds of a command, a median with its samples, the load of the machine, the table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the answer: our samples, the baseline's where there is one, and what is promised.

    `limit` is of `value`: the ratio of the medians (ours / baseline) where there is a baseline, else our median in `unit`.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    limit: float | None = None

    @property
    def value(self) -> float:
        """What the limit is held against."""
        ours = statistics.median(self.ours)
        return ours / statistics.median(self.baseline) if self.baseline else ours

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None where nothing is promised."""
        return None if self.limit is None else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """The figure with its medians, its ratio and every sample."""
        return {
            **asdict(self),
            "ours_median": statistics.median(self.ours),
            "baseline_median": statistics.median(self.baseline) if self.baseline else None,
            "ratio": self.value if self.baseline else None,
            "met": self.met,
        }


def command_seconds(argv: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> float:
    """How long a whole process takes, by the wall clock. Raises RuntimeError with its stderr when it fails.

    Python may keep its bytecode, as an installed package has it: a checkout's is made by the first call.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env={**environ, **(env or {})}, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return taken


def machine() -> dict[str, Any]:
    """What the figures were measured on: CPUs, and the load of the last minute, which tells whether others worked."""
    return {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}


def tell(text: str) -> None:
    """One line of progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def table(figures: Iterable[Figure]) -> str:
    """The figures for a reader: medians, the range of ours, the ratio, the promise."""
    rows = [("figure", "mlpack", "range", "baseline", "ratio", "promised", "")]
    for figure in figures:
        baseline = f"{statistics.median(figure.baseline):.2f}" if figure.baseline else ""
        promised = "" if figure.limit is None else f"<= {figure.limit:g}{'' if figure.baseline else ' ' + figure.unit}"
        rows.append(
            (
                f"{figure.name} ({figure.unit})",
                f"{statistics.median(figure.ours):.2f}",
                f"{min(figure.ours):.2f}-{max(figure.ours):.2f}",
                baseline,
                f"{figure.value:.2f}" if figure.baseline else "",
                promised,
                {True: "met", False: "MISSED", None: ""}[figure.met],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
