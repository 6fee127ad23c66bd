"""Hostile and broken models of every format: each is told for what it is, soon, and nothing of it runs; beside picklescan."""

from __future__ import annotations

import pickle
import resource
import time
from pathlib import Path

import numpy as np
import pytest
from picklescan.scanner import scan_file_path  # type: ignore[import-untyped]  # it has no types
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack.errors import ModelError
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load, names
from mlpack.readers.pickles.files import read_pickles
from tests.hostile import CANARY, make_hostile
from tests.hostile_models import Hostile, make_hostile_models

SECONDS = 40  # of the processor's time: the slowest takes 2 to 6, some machines are slower
MEMORY_MB = 650  # what a packed file of 700 MB of zeros may not take; 490 are taken, as 256 MiB of it are looked at


def test_hostile_models_are_told(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Each ends with its word within seconds and bounded memory, is never called safe, and leaves nothing behind."""
    formats = [load("formats", name)() for name in names("formats")]
    folder = tmp_path / "hostile"
    made = make_hostile_models(folder)
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for one in made:
        with subtests.test(one.path.name):
            start = time.process_time()
            assert _said(one, formats) & one.may_be
            assert time.process_time() - start < SECONDS
    assert not (folder / CANARY).exists()
    assert sorted(path.as_posix() for path in tmp_path.rglob("*")) == before
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024 < MEMORY_MB


def _said(one: Hostile, formats: list[object]) -> set[str]:
    """The error's code, and the verdict."""
    try:
        info = inspect(one.path, formats=formats)  # type: ignore[arg-type]  # as the command has them
    except ModelError as error:
        refusal = error
    else:
        assert info.safety.verdict != "safe"
        return {info.safety.verdict}
    verdict = (refusal.info.get("safety") or {}).get("verdict", "unknown")
    assert verdict != "safe"
    assert refusal.message
    assert refusal.hint
    return {refusal.code} | ({verdict} - {"unknown"})


def test_all_that_picklescan_finds_is_found(tmp_path: Path) -> None:
    """What picklescan calls infected is never safe here; compressed joblib files and others that it is blind to are found."""
    only_here = []
    for case in make_hostile(tmp_path / "hostile"):
        pickles = read_pickles(case.path)
        verdict = None if pickles is None else pickles.safety.verdict
        if _infected(case.path):
            assert verdict in ("dangerous", "unknown"), case.path.name
            assert case.verdict != "dangerous" or verdict == "dangerous", case.path.name
        elif verdict == "dangerous":
            only_here.append(case.path.name)
    assert any(name.endswith(".joblib") for name in only_here)
    assert len(only_here) >= 5


def _infected(path: Path) -> bool:
    """What picklescan says; of a file that it stumbles over it says nothing."""
    try:
        return bool(scan_file_path(str(path)).infected_files)
    except Exception:  # noqa: BLE001 - whatever it raises, it found nothing
        return False


def test_no_alarm_on_real_files(tmp_path: Path) -> None:
    """A real model is safe here as it is for picklescan."""
    data = load_iris()
    models = {
        "forest": RandomForestClassifier(5).fit(data.data, data.target),
        "pipeline": make_pipeline(StandardScaler(), RandomForestClassifier(5)).fit(
            data.data, data.target_names[data.target]
        ),
        "arrays": {"a": np.arange(10.0), "b": np.array(["x", None], dtype=object)},
    }
    for name, model in models.items():
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(pickle.dumps(model))
        found = read_pickles(path)
        assert found is not None
        assert found.safety.verdict == "safe"
        assert not _infected(path)
