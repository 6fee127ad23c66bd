"""The inputs that fuzzing found, kept: a file in the folder `found` is a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.cases import Always, Input
from tests.fuzz.worker import Bench

_FOUND = sorted(one for one in (Path(__file__).parent / "found").iterdir() if one.suffix != ".md")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """All kinds with their loaders, but those of the frameworks."""
    with Bench(["pickle", "zip", "hdf5", "protobuf"], without=("torch", "tensorflow")) as bench:
        yield bench


@pytest.fixture(scope="module")
def whole_bench() -> Iterator[Bench]:
    """All kinds with all loaders."""
    with Bench(["pickle", "zip", "hdf5", "protobuf"]) as bench:
        yield bench


@pytest.mark.parametrize("path", _FOUND, ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(path: Path, bench: Bench) -> None:
    """Inspection refuses the file, or lists all that the loaders reach in it."""
    _check(path, bench)


@pytest.mark.slow
@pytest.mark.parametrize("path", _FOUND, ids=lambda path: path.name)
def test_what_was_found_once_stays_mended_for_the_frameworks_too(path: Path, whole_bench: Bench) -> None:
    """Inspection refuses the file, or lists all that torch and TensorFlow reach in it."""
    _check(path, whole_bench)


def _check(path: Path, bench: Bench) -> None:
    _, kind, suffix = path.name.split(".")
    made = Input(data=path.read_bytes(), suffix=f".{suffix}", recipe=path.name)
    outcome = bench.check(kind, made, Always())
    shown = "\n".join(f"{one.key}: {one.detail}" for one in outcome.failures)
    assert not outcome.failures, f"{shown}\nagain: python -m tests.fuzz --again {kind}:{path}"
