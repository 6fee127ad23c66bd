"""What lets the tests run in several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.extra import few
from tests.shared import VARIABLE, once

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="locks files as only POSIX can")
def test_a_shared_folder_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes meanwhile waits for it; after a failure the next one tries again, in an empty folder."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    calls: list[Path] = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        (folder / "half").touch(exist_ok=False)
        time.sleep(0.1)
        if len(calls) == 1:
            raise OSError("the first one fails")
        (folder / "whole").touch()

    with pytest.raises(OSError, match="fails"):
        once("thing", fill)
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: once("thing", fill), range(4)))
    assert set(folders) == {tmp_path / "thing"}
    assert len(calls) == 2
    assert (tmp_path / "thing" / "whole").exists()


def test_workers_choose_from_different_ports() -> None:
    """Between the choice of a port and the start of its server no other worker takes it."""
    program = "from tests.ports import free_port; print(*{free_port() % 8 for _ in range(50)})"

    def shares(worker: str) -> str:
        env = {**os.environ, "PYTEST_XDIST_WORKER": worker}
        return subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        ).stdout

    assert [shares(worker) for worker in ("gw0", "gw1", "gw9")] == ["0\n", "1\n", "1\n"]


def test_some_values_are_for_make_test_extra() -> None:
    """All values stay, in their order; those that are not kept have the mark."""
    found = few(["a", "b", "c"], "b")
    assert [value if isinstance(value, str) else value.values[0] for value in found] == ["a", "b", "c"]
    assert found[1] == "b"
    assert [mark.name for value in (found[0], found[2]) for mark in value.marks] == ["extra", "extra"]
