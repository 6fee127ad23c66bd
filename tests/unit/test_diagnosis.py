"""What `mlpack doctor` says of things that no test can bring about: a full disk, a clock that is off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from mlpack.cli.output.console import Console
from mlpack.cli.wiring import make_line
from mlpack.maintenance.diagnosis import Finding, clock_finding, diagnose, disk_finding
from tests.unit.packages.standin_index import Release, serve

PIP = Release("pip", "25.0", "2025-01-26T00:00:00Z")


def test_a_disk_without_room_is_told() -> None:
    """Too little space and a folder that cannot be written each have their remedy; enough is fine."""
    assert disk_finding("disk", Path("/x"), free=50_000_000_000, writable=True).state == "ok"
    small = disk_finding("disk", Path("/x"), free=1_000_000_000, writable=True)
    assert (small.state, "mlpack clean" in small.remedy) == ("warn", True)
    locked = disk_finding("disk", Path("/x"), free=50_000_000_000, writable=False)
    assert (locked.state, "not writable" in locked.seen) == ("warn", True)


def test_a_clock_that_is_off_is_told() -> None:
    """Some seconds are nothing, hours in either direction are."""
    assert clock_finding(3).state == "ok"
    assert clock_finding(-7200).state == clock_finding(7200).state == "warn"
    assert "timedatectl" in clock_finding(7200).remedy


def _diagnosed(folder: Path) -> Iterable[Finding]:
    line = make_line(console=Console(json=True))
    return diagnose(engine=lambda: line.tools.engine, settings=line.tools.packages, cache=folder)


def test_the_clock_is_asked_with_the_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An index with a password tells its time too, and the password is in no finding."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with serve((PIP,), login="me:hush-hush") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        found = {finding.name: finding for finding in _diagnosed(tmp_path)}
    assert found["clock"].state == found["index"].state == "ok"
    assert "hush" not in repr(found)
