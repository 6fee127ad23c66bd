"""The hostile set: every file is judged as it deserves, in bounded time, and nothing of it runs."""

from __future__ import annotations

import time

import pytest

from mlpack.readers.pickles.files import read_pickles
from tests.hostile import CANARY, Case, make_hostile

SECONDS = 10


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return make_hostile(tmp_path_factory.mktemp("hostile"))


def test_hostile_files_are_judged(cases: list[Case], subtests: pytest.Subtests) -> None:
    """Each hostile or broken file gets its verdict, names its callable, tells its problem, and is done in seconds; nothing runs."""
    for case in cases:
        with subtests.test(case.path.name):
            _check(case)
    folder = cases[0].path.parent
    assert not (folder / CANARY).exists()
    assert sorted(path.name for path in folder.iterdir()) == sorted(case.path.name for case in cases)


def _check(case: Case) -> None:
    began = time.process_time()
    told = read_pickles(case.path)
    assert time.process_time() - began < SECONDS
    if case.verdict is None:
        assert told is None
        return
    assert told is not None
    assert told.safety.verdict == case.verdict, (told.safety, told.problem)
    assert case.problem in told.problem
    assert not case.callable or any(case.callable in finding.callable for finding in told.safety.findings)
    assert all(finding.why for finding in told.safety.findings)
    assert len(repr(told)) < 100_000, "a value's repr must not follow the nesting"
