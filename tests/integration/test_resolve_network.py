"""Resolving against PyPI itself, with this machine's own package settings: what the index tells, and sets that import."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from uv import find_uv_bin

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import Requirement
from mlpack.artifacts.prepared import Prepared
from mlpack.packages.compiler import compile_lock
from mlpack.packages.era import CAPS, find_era
from mlpack.packages.index import query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import is_final, normalise, parse_requirement, version_key
from mlpack.packages.pythons import SUPPORTED, usable_pythons, wheels_of
from mlpack.packages.settings import PackageSettings, read_settings
from mlpack.packages.settings.variables import uv_variables
from mlpack.packages.target import Target
from mlpack.packages.wheels import parse_wheel
from mlpack.pipeline.resolve import ResolveOptions, resolve
from tests.built_in import distributions
from tests.extra import few
from tests.unit.packages.models import sklearn_model

pytestmark = [pytest.mark.network, pytest.mark.slow]

RUNTIME = "httptools\nuvloop\n"
# What PyPI held when it was measured: the oldest and the newest scikit-learn with a wheel for each Python.
HELD = {
    "3.9": ("0.24.0", "1.6.1"), "3.10": ("1.0.2", "1.7.2"), "3.11": ("1.1.3", "1.9.1"), "3.12": ("1.3.1", "1.9.1"),
    "3.13": ("1.5.2", "1.9.1"),
}  # fmt: skip
# Models of these were made in the wild; what loads them was measured.
EXPECTED = {
    "0.24.2": ("3.9", "1.20", "1.6"), "1.0.2": ("3.10", "1.22", "1.7"), "1.2.2": ("3.11", "1.24", "1.10"),
    "1.4.2": ("3.11", "1.26", "1.13"), "1.6.1": ("3.11", "2.2", "1.15"), "1.9.1": ("3.11", "2.4", "1.17"),
}  # fmt: skip
OLDEST, MIDDLE, NEWEST = "0.24.2", "1.2.2", "1.9.1"
USE = """
import numpy, pandas, scipy.stats, sklearn
from sklearn.ensemble import RandomForestClassifier
model = RandomForestClassifier(n_estimators=3, random_state=0).fit(numpy.eye(4), [0, 1, 0, 1])
print(sklearn.__version__, model.predict(pandas.DataFrame(numpy.eye(4)).values).tolist())
"""


@pytest.fixture(scope="module")
def settings() -> PackageSettings:
    """This machine's own settings."""
    return read_settings(os.environ, Path.cwd())


@pytest.fixture(scope="module")
def files(settings: PackageSettings) -> dict[str, tuple[IndexFile, ...]]:
    """What the index has of scikit-learn."""
    return query_all(["scikit-learn"], settings)


def locked(version: str, settings: PackageSettings, cache: Path) -> Lock:
    """The lock of a model made with a scikit-learn."""
    return resolve(
        Prepared(info=sklearn_model(version, Requirement(module="pandas", distribution="pandas"))),
        options=ResolveOptions(distributions=distributions()),
        settings=settings,
        runtime_requirements=RUNTIME,
        base_digest=lambda _base, _platform: None,
        cache_dir=cache,
    )


def versions(lock: Lock) -> dict[str, str]:
    """The locked versions by name."""
    lines = (line.split(" ")[0] for line in lock.requirements.splitlines() if not line.startswith(" "))
    return dict(line.split("==") for line in lines)


def test_the_index_tells_what_was_measured(files: dict[str, tuple[IndexFile, ...]]) -> None:
    """For each Python, the oldest scikit-learn with a wheel is as measured, and the newest is there."""
    offered = files["scikit-learn"]
    every = {wheel.version for file in offered if (wheel := parse_wheel(file.filename)) and is_final(wheel.version)}
    for python, (oldest, newest) in HELD.items():
        having = [one for one in every if wheels_of(one, offered, python, "linux/amd64")]
        assert min(having, key=version_key) == oldest, python
        assert newest in having, python


@pytest.mark.parametrize("version", few(EXPECTED, OLDEST, MIDDLE, NEWEST))
def test_recorded_versions_get_their_time(version: str, settings: PackageSettings, tmp_path: Path) -> None:
    """Python, numpy and scipy are those of the framework's time, with today's web server beside them."""
    lock = locked(version, settings, tmp_path)
    python, numpy, scipy = EXPECTED[version]
    found = versions(lock)
    assert (lock.python, found["scikit-learn"]) == (python, version)
    assert found["numpy"].startswith(f"{numpy}."), found
    assert found["scipy"].startswith(f"{scipy}."), found
    assert version_key(found["httptools"]) >= (0, 9)


@pytest.mark.parametrize("version", few(EXPECTED, MIDDLE, NEWEST))
def test_the_locked_set_imports_and_computes(version: str, settings: PackageSettings, tmp_path: Path) -> None:
    """Installed by its hashes, the set imports without an ABI clash, fits and predicts."""
    lock = locked(version, settings, tmp_path)
    uv, venv = find_uv_bin(), tmp_path / "venv"
    interpreter = sys.executable if lock.python == f"{sys.version_info[0]}.{sys.version_info[1]}" else lock.python
    made = subprocess.run(
        [uv, "venv", "-q", "--no-config", "--no-python-downloads", "-p", interpreter, venv], check=False
    )
    if made.returncode != 0:
        pytest.skip(f"no Python {lock.python} on this machine; its image runs it")
    (tmp_path / "requirements.lock").write_text(lock.requirements)
    env = {**os.environ, **{name: value for name, value in uv_variables(settings).items() if value}}
    subprocess.run(
        [uv, "pip", "install", "-q", "--no-config", "-p", venv / "bin/python", "--no-deps", "--require-hashes",
         "-r", tmp_path / "requirements.lock"],
        env=env, check=True,
    )  # fmt: skip
    done = subprocess.run([venv / "bin/python", "-c", USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{version} [")


@pytest.mark.parametrize("minor", few(CAPS, min(CAPS), max(CAPS)))
def test_the_known_caps_agree_with_the_upload_times(
    minor: tuple[int, int], settings: PackageSettings, files: dict[str, tuple[IndexFile, ...]]
) -> None:
    """For the last release of each minor version, what its time gives is within the caps of an index without times."""
    every = {wheel.version for file in files["scikit-learn"] if (wheel := parse_wheel(file.filename))}
    version = max((one for one in every if is_final(one) and version_key(one)[:2] == minor), key=version_key)
    pins = {"scikit-learn": version}
    python = usable_pythons(pins, files, "linux/amd64", None)[0]
    now = datetime.now(timezone.utc)
    era = find_era(pins, files, python=python, platform="linux/amd64", numpy_major=None, now=now)
    lines, target = [f"scikit-learn=={version}", "pandas"], Target(python=python, platform="linux/amd64")
    free = compile_lock(
        lines, target=target, settings=settings, constraints=era.constraints, cutoff=era.cutoff, exempt=["scikit-learn"]
    )
    held = {normalise(package.name): package.version for package in free}
    for cap in era.caps:
        name, bound = parse_requirement(cap)
        assert version_key(held[name]) < version_key(bound.removeprefix("<")), (version, cap, held[name])


def test_every_python_with_an_image_can_be_locked(settings: PackageSettings, tmp_path: Path) -> None:
    """3.10 and 3.12 too, which have no stand-in image: a lock comes out, for both machines."""
    for python in SUPPORTED:
        for platform in ("linux/amd64", "linux/arm64"):
            version = {"3.9": "1.6.1", "3.10": "1.7.2"}.get(python, "1.9.1")
            lock = resolve(
                Prepared(info=sklearn_model(version)),
                options=ResolveOptions(python=python, platform=platform, distributions=distributions()),
                settings=settings,
                runtime_requirements=RUNTIME,
                base_digest=lambda _base, _platform: None,
                cache_dir=tmp_path,
            )
            assert (lock.python, lock.base) == (python, f"python:{python}-slim")
            assert versions(lock)["scikit-learn"] == version
