"""The hostile set: every file is judged as it deserves, in bounded time, and nothing of it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlpack.readers.pickles import read_pickles
from tests.hostile import CANARY, Case, make_hostile

SECONDS = 10


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return make_hostile(tmp_path_factory.mktemp("hostile"))


def test_hostile_files_are_judged(cases: list[Case], subtests: pytest.Subtests) -> None:
    """Each hostile or broken file gets its verdict, names its callable, tells its problem, and is done within seconds."""
    for case in cases:
        with subtests.test(case.path.name):
            _check(case)


def _check(case: Case) -> None:
    began = time.monotonic()
    told = read_pickles(case.path)
    assert time.monotonic() - began < SECONDS
    if case.verdict is None:
        assert told is None
        return
    assert told is not None
    assert told.safety.verdict == case.verdict, (told.safety, told.problem)
    assert case.problem in told.problem
    assert not case.callable or any(case.callable in finding.callable for finding in told.safety.findings)
    assert all(finding.why for finding in told.safety.findings)
    assert len(repr(told)) < 100_000, "a value's repr must not follow the nesting"


def test_nothing_of_a_hostile_file_runs(cases: list[Case], tmp_path: Path) -> None:
    """No payload leaves its mark, neither beside the files nor in a folder that an archive's names lead to."""
    for case in cases:
        read_pickles(case.path)
    folder = cases[0].path.parent
    assert not (folder / CANARY).exists()
    assert sorted(path.name for path in folder.iterdir()) == sorted(case.path.name for case in cases)
    assert not list(tmp_path.iterdir())
