"""The CPUs that this container may use, as the number of threads of math libraries: limit_threads()."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, MutableMapping, Optional

from .cgroups import groups, is_count, text_of

# OpenBLAS and MKL follow OMP_NUM_THREADS too; theirs is set beside it for builds that do not
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def limit_threads(workers: int = 1, environ: Optional[MutableMapping[str, str]] = None) -> None:
    """Let math libraries start as many threads as there are CPUs for each worker; call it before numpy is imported.

    By themselves they count the host's CPUs, and 64 threads on one CPU's worth of time wait for each other. What the user
    has set (`OMP_NUM_THREADS` and the like) stays. MLPACK_SERVE_WORKERS counts more than `workers`, as everywhere.
    """
    variables = os.environ if environ is None else environ
    if "OMP_NUM_THREADS" in variables:
        return
    given = variables.get("MLPACK_SERVE_WORKERS", "")
    sharing = int(given) if is_count(given) and int(given) > 0 else max(1, workers)
    for name in _VARIABLES:
        variables.setdefault(name, str(max(1, available_cpus() // sharing)))


def available_cpus(root: Path = Path("/")) -> int:
    """Whole CPUs that this process may use: the least of affinity and cgroup quota (v1 or v2), at least 1.

    A quota of 1.5 CPUs counts as 1: a second thread would be stopped for half of the time, and the first would wait for it.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *(int(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The CPUs that each group around this process grants, where one is limited. Source: cgroups(7), cpu.max, cpu.cfs_*."""
    for folder, is_v2 in groups(root, "cpu"):
        quota = _v2(folder) if is_v2 else _v1(folder)
        if quota is not None:
            yield quota


def _v2(folder: Path) -> Optional[float]:
    return _ratio(*(text_of(folder / "cpu.max").split() or ["max"]))


def _v1(folder: Path) -> Optional[float]:
    return _ratio(text_of(folder / "cpu.cfs_quota_us").strip(), text_of(folder / "cpu.cfs_period_us").strip())


def _ratio(quota: str, period: str = "100000") -> Optional[float]:
    if not is_count(quota) or not is_count(period) or int(quota) == 0 or int(period) == 0:  # max, -1, no such file
        return None
    return int(quota) / int(period)
