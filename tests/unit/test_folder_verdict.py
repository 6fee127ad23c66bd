"""The verdict on a folder that a predictor reads: of every file in it, and never `safe` for what was not read to its end."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from mlpack.artifacts.model import Safety
from mlpack.discovery import opaque
from mlpack.discovery.opaque import judge_files


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        """Call os.system."""
        return os.system, ("true",)


EVIL = pickle.dumps(Evil(), 2)
UNREAD = {
    "nested too deep": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"0" + EVIL[2:],
    "cut off": pickle.dumps({"a": list(range(100))})[:-20],
    "an unknown opcode": b"\x80\x02}q\x00(X\x01\x00\x00\x00a\xffu.",
}


def folder(tmp_path: Path, **files: bytes) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("name", UNREAD)
def test_a_file_that_was_not_read_to_its_end_is_a_finding(tmp_path: Path, name: str) -> None:
    """It is named, and needs --trust, beside files that are fine."""
    found = judge_files(folder(tmp_path, **{"x.pkl": UNREAD[name], "y.pkl": pickle.dumps([1])}))
    assert found.verdict == "unknown"
    [finding] = found.findings
    assert finding.unread
    assert "x.pkl" in finding.callable


def test_every_file_is_judged(tmp_path: Path) -> None:
    """Also the last of many; the number of files whose packages are looked for is smaller."""
    for number in range(opaque._MOST_FILES + 50):
        (tmp_path / f"a{number:04}.txt").write_text("text\n")
    assert judge_files(tmp_path) == Safety(verdict="safe")
    (tmp_path / "zz.pkl").write_bytes(EVIL)
    assert judge_files(tmp_path).verdict == "dangerous"


def test_a_folder_of_too_many_files_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not looked at is never safe."""
    monkeypatch.setattr(opaque, "_MOST_JUDGED", 3)
    found = judge_files(folder(tmp_path, a=b"", b=b"", c=b"", d=EVIL))
    assert found.verdict == "unknown"
    assert "only 3 of its 4 files" in found.findings[0].why
