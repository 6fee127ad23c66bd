"""The container's CPUs: read from what the kernel writes, told to the math libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.runtime.cpus import available_cpus, limit_threads

HOST = len(os.sched_getaffinity(0))


def v2(root: Path, limit: str, group: str = "/") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{group}\n")
    folder = root / "sys/fs/cgroup" / group.strip("/")
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text(limit)
    return root


def v1(root: Path, quota: str, mount: str = "cpu,cpuacct") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"5:memory:/docker/abc\n4:{mount}:/docker/abc\n")
    folder = root / "sys/fs/cgroup" / mount
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    return root


@pytest.mark.parametrize(
    ("limit", "cpus"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("150000 100000\n", 1), ("max 100000\n", HOST), ("", HOST)],
)
def test_version_2(tmp_path: Path, limit: str, cpus: int) -> None:
    """cpu.max: a quota in whole CPUs, at least one; `max` is no limit."""
    assert available_cpus(v2(tmp_path, limit)) == cpus


def test_a_group_within_the_mount(tmp_path: Path) -> None:
    """A process that runs without a namespace of its own finds its limit in its group's folder, or above it."""
    root = v2(tmp_path, "100000 100000", "/machine/service")
    assert available_cpus(root) == 1
    (root / "proc/self/cgroup").write_text("0::/machine/service/inner\n")
    assert available_cpus(root) == 1


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_version_1(tmp_path: Path, mount: str) -> None:
    """cpu.cfs_quota_us, under either name of the mount; -1 is no limit."""
    assert available_cpus(v1(tmp_path / "a", "100000\n", mount)) == 1
    assert available_cpus(v1(tmp_path / "b", "-1\n", mount)) == HOST


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    """Elsewhere the affinity counts."""
    assert available_cpus(tmp_path) == HOST


def test_what_the_user_set_stays() -> None:
    """OMP_NUM_THREADS speaks for all; one library's own variable for that library."""
    given = {"OMP_NUM_THREADS": "3"}
    limit_threads(environ=given)
    assert given == {"OMP_NUM_THREADS": "3"}
    given = {"OPENBLAS_NUM_THREADS": "7"}
    limit_threads(environ=given)
    assert given["OPENBLAS_NUM_THREADS"] == "7"
    assert given["OMP_NUM_THREADS"] == str(available_cpus())


def test_workers_share() -> None:
    """Each worker gets its part of the CPUs, at least one thread; the variable wins over the argument."""
    given: dict[str, str] = {}
    limit_threads(workers=1000, environ=given)
    assert given["OMP_NUM_THREADS"] == "1"
    given = {"MLPACK_SERVE_WORKERS": "1"}
    limit_threads(workers=1000, environ=given)
    assert given["OMP_NUM_THREADS"] == str(available_cpus())


def test_numpy_has_that_many_threads() -> None:
    """The BLAS that numpy brings was told: threadpoolctl sees one thread where one was allowed."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from mlpack.runtime.cpus import limit_threads; limit_threads()\n"
        "import numpy, threadpoolctl; print({one['num_threads'] for one in threadpoolctl.threadpool_info()})"
    )
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{1}"
