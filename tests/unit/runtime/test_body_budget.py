"""The memory for requests follows the container's limit, as the kernel tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlpack.runtime.http import body_budget
from mlpack.runtime.http.body_budget import make_budget, memory_limit

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MIB = 2**20


def v2(root: Path, limit: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text(limit)
    return root


def v1(root: Path, limit: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("5:memory:/docker/abc\n4:cpu:/docker/abc\n")
    (root / "sys/fs/cgroup/memory").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text(limit)
    return root


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("67108864\n", 64 * MIB),
        ("max\n", MACHINE),
        ("9223372036854771712\n", MACHINE),
        ("", MACHINE),
        ("\u00b2", MACHINE),
    ],
)
def test_the_limit_is_the_groups_or_the_machines(tmp_path: Path, text: str, limit: int) -> None:
    """Both versions of cgroups; what is no limit, or no number, leaves the machine's memory."""
    assert memory_limit(v2(tmp_path / "v2", text)) == limit
    assert memory_limit(v1(tmp_path / "v1", text)) == limit
    assert memory_limit(tmp_path) == MACHINE


def test_workers_share_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the memory, or what is set, for all workers together; one body always fits in."""
    monkeypatch.setattr(body_budget, "memory_limit", lambda: 512 * MIB)
    assert make_budget(None, 32 * MIB).free == 128 * MIB
    assert make_budget(None, MIB, workers=4).free == 32 * MIB
    assert 32 * MIB < make_budget(None, 32 * MIB, workers=4).free < 33 * MIB
    assert make_budget(64 * MIB, MIB, workers=2).free == 32 * MIB
    assert 32 * MIB < make_budget(1, 32 * MIB).free < 33 * MIB
