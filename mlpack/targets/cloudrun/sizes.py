"""The size of an instance: from what the test measured, within the combinations that Cloud Run allows."""

from __future__ import annotations

import math
import re

from mlpack.artifacts.report import Report
from mlpack.errors import UsageError

# Mebibytes; what an instance writes to its files counts too, hence the margin over what was measured.
_STEPS = (512, 1024, 2048, 4096, 8192, 16384, 24576, 32768)
_MARGIN = 1.5
_MARGIN_MIB = 64
# The most memory by CPUs, and the least (Cloud Run's documentation, "Configure CPU limits for services").
_MOST = {1.0: 4096, 2.0: 8192, 4.0: 16384, 6.0: 24576, 8.0: 32768}
_LEAST = {4.0: 2048, 6.0: 4096, 8.0: 4096}
_SMALLEST_CPU = 0.08
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]i?)B?")
_FACTORS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "K": 10**3, "M": 10**6, "G": 10**9}
PROBE_LIMIT_S = 240


def parse_memory(text: str) -> int:
    """Mebibytes, rounded up, of 512Mi, 1Gi, 512MiB, 1.5GB; raises ValueError."""
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not an amount of memory, such as 512Mi or 1Gi")
    return math.ceil(float(found[1]) * _FACTORS[found[2]] / 1024**2)


def memory_text(mebibytes: int) -> str:
    """The shortest way that Cloud Run writes it."""
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi"


def measured_memory(report: Report | None) -> int | None:
    """The mebibytes that the measured peak requires, None if it was not measured."""
    if report is None or report.peak_memory_mb is None:
        return None
    needed = report.peak_memory_mb * _MARGIN + _MARGIN_MIB
    return next((step for step in _STEPS if step >= needed), _STEPS[-1])


def cpu_for(memory: int) -> str:
    """The fewest whole CPUs that may have so many mebibytes."""
    return f"{next((cpus for cpus, most in _MOST.items() if memory <= most), 8.0):g}"


def check_pair(cpu: str | None, memory: str | None, concurrency: int | None) -> None:
    """Raises UsageError for a pair that Cloud Run does not take; what is None is taken as what would be chosen."""
    mebibytes = parse_memory(memory) if memory is not None else None
    cpus = parse_cpu(cpu if cpu is not None else cpu_for(mebibytes or 512))
    amount = mebibytes if mebibytes is not None else max(512, int(_LEAST.get(cpus, 0)))
    least, most = _LEAST.get(cpus, 128), _MOST.get(cpus) or (512 if cpus < 0.5 else 1024)
    if amount > _MOST[8.0]:
        raise UsageError(
            f"--memory {memory}: an instance has at most 32Gi", hint="Use a smaller model or fewer workers."
        )
    if not least <= amount <= most:
        more = f"use --cpu {cpu_for(amount)}" if amount > most else f"use --memory {memory_text(least)}"
        raise UsageError(
            f"{cpus:g} CPU can have {memory_text(least)} to {memory_text(most)} of memory, not {memory_text(amount)}",
            hint=f"Cloud Run does not allow this combination: {more}.",
        )
    if cpus < 1 and (concurrency or 1) > 1:
        raise UsageError(f"--cpu {cpus:g} allows only one request at a time", hint="Use --concurrency 1 or --cpu 1.")


def parse_cpu(text: str) -> float:
    """CPUs of `1`, `0.5`, `500m`; raises UsageError for a number that Cloud Run does not take."""
    try:
        cpus = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        cpus = 0.0
    if cpus in _MOST or _SMALLEST_CPU <= cpus < 1:
        return cpus
    raise UsageError(f"--cpu {text}: Cloud Run does not allow it", hint="Use a value from 0.08 to 1, or 2, 4, 6 or 8.")


def probe_times(report: Report | None) -> tuple[int, int]:
    """Period in seconds, and failures allowed, of a startup probe: six times the measured start, 60 to 240 s."""
    cold_s = 10.0 if report is None or report.cold_start_ms is None else report.cold_start_ms / 1000
    window = min(PROBE_LIMIT_S, max(60, math.ceil(cold_s * 6)))
    period = 2 if window <= 120 else 5
    return period, math.ceil(window / period)
