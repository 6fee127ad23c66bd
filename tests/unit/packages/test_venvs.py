"""Environments on this machine: the Pythons that are here, locks for them, and venvs that are made once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.lock import Lock
from mlpack.errors import ResolveError
from mlpack.packages.interpreters import Interpreter, interpreters, platform_here, running_interpreter
from mlpack.packages.settings import PackageSettings
from mlpack.packages.venvs import find_venv, make_venv
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import serve

__all__ = ["lock_of"]  # a fixture is found by its name in the module

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="environments are made for the process engine, on Linux"
)
VERSIONS = {"3.10": "1.2.2", "3.11": "1.2.2", "3.12": "1.9.1", "3.13": "1.9.1"}  # what the small index has for a Python


@pytest.fixture(scope="module")
def here() -> Interpreter:
    """The Python that runs this."""
    found = running_interpreter()
    if found.python not in VERSIONS:
        pytest.skip(f"the small index has nothing for Python {found.python}")
    return found


@pytest.fixture
def lock_here(lock_of: Resolve, here: Interpreter) -> Callable[[PackageSettings], Lock]:
    """Locks a model for this machine."""

    def lock_here(settings: PackageSettings) -> Lock:
        info = sklearn_model(VERSIONS[here.python])
        return lock_of(info, settings, pythons=(here.python,), platform=platform_here())

    return lock_here


def installed(python: Path) -> dict[str, str]:
    """The distributions that a Python finds."""
    code = "import json; from importlib.metadata import distributions as d; print(json.dumps({one.name: one.version for one in d()}))"
    found: dict[str, str] = json.loads(
        subprocess.run([python, "-I", "-c", code], capture_output=True, check=True).stdout
    )
    return found


def test_the_running_python_is_first() -> None:
    """Each minor once, this one first; each is a CPython that starts and is what it says."""
    places = (
        "/usr",
        "/usr/bin",
        "/usr/local/bin",
        sys.base_prefix,
    )  # not the shims of a version manager, which are slow
    found = interpreters(lambda path: path.is_relative_to(sys.base_prefix) or str(path.parent) in places)
    assert found[0].python == f"3.{sys.version_info.minor}"
    assert len({one.python for one in found}) == len(found)
    for one in found:
        told = subprocess.run(
            [one.path, "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == one.version
        assert one.version.startswith(one.python + ".")


def test_a_python_that_may_not_be_run_is_none() -> None:
    """What is not usable is passed by, and named when nothing else is left."""
    asked: list[Path] = []
    with pytest.raises(ResolveError, match="no Python on this machine") as raised:
        interpreters(lambda path: bool(asked.append(path)))  # type: ignore[func-returns-value]  # its None is our no
    assert asked
    assert str(asked[-1]) in raised.value.message
    assert raised.value.hint


def test_a_lock_for_the_pythons_that_there_are(lock_of: Resolve) -> None:
    """Their order decides among those with wheels; no base image is asked for; none of them is told with what would do."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_of(sklearn_model("1.2.2"), settings, pythons=("3.13", "3.10", "3.11"), digest="sha256:" + "1" * 64)
        assert (lock.python, lock.base_digest) == ("3.10", None)
        assert lock.reasons[0] == "Python 3.10, which is installed on this machine."
        assert not any("not pinned" in reason for reason in lock.reasons)
        assert lock_of(sklearn_model("1.2.2"), settings).python == "3.11", "an image's lock is another"
        with pytest.raises(ResolveError, match=r"runs on Python 3\.11, 3\.10, 3\.9; this machine has 3\.13") as raised:
            lock_of(sklearn_model("1.2.2"), settings, pythons=("3.13",))
        assert "uv python install 3.11" in raised.value.hint


def test_it_is_made_once(lock_here: Callable[[PackageSettings], Lock], here: Interpreter, tmp_path: Path) -> None:
    """Exactly the locked packages, compiled ahead; the second time nothing is asked or made."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_here(settings)
        assert find_venv(lock, here, tmp_path) is None
        python = make_venv(lock, here, settings=settings, folder=tmp_path)
    assert installed(python) == versions(lock)
    assert find_venv(lock, here, tmp_path) == python
    assert make_venv(lock, here, settings=settings, folder=tmp_path) == python, "the index is gone"
    other = replace(lock, requirements=lock.requirements.replace("scipy", "scipi"))
    assert find_venv(other, here, tmp_path) is None


def test_many_at_once(lock_here: Callable[[PackageSettings], Lock], here: Interpreter, tmp_path: Path) -> None:
    """All who ask at once get the one that was made, whole."""
    with serve() as index, ThreadPoolExecutor(6) as pool:
        settings = PackageSettings(index_url=index.url)
        lock = lock_here(settings)
        made = set(pool.map(lambda _: make_venv(lock, here, settings=settings, folder=tmp_path), range(6)))
    [python] = made
    assert installed(python) == versions(lock)
    assert {path.suffix for path in tmp_path.iterdir() if path.name != python.parent.parent.name} <= {".lock"} | {""}
    assert not list(tmp_path.glob(".new-*"))


def test_another_hash_is_refused(
    lock_here: Callable[[PackageSettings], Lock], here: Interpreter, tmp_path: Path
) -> None:
    """A wheel that is not the locked one is not installed, and nothing is kept."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_here(settings)
        lock = replace(lock, requirements=re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.requirements))
        with pytest.raises(ResolveError):
            make_venv(lock, here, settings=settings, folder=tmp_path / "venvs")
    assert [path.suffix for path in (tmp_path / "venvs").iterdir()] == [".lock"]


def test_what_is_shared_can_be_read(
    lock_here: Callable[[PackageSettings], Lock], here: Interpreter, tmp_path: Path
) -> None:
    """Also under a mask that gives others nothing."""
    before = os.umask(0o077)
    try:
        with serve() as index:
            settings = PackageSettings(index_url=index.url)
            python = make_venv(
                lock_here(settings), here, settings=settings, folder=tmp_path / "venvs", account=(65532, 65532)
            )
    finally:
        os.umask(before)
    venv = python.parent.parent
    for path in (venv, *venv.rglob("*")):
        wanted = 0o055 if path.is_dir() else 0o044
        assert path.stat().st_mode & wanted == wanted, path


def test_what_was_killed_half_made(
    lock_here: Callable[[PackageSettings], Lock], here: Interpreter, tmp_path: Path
) -> None:
    """A half-made environment is never taken for a whole one; an old one is taken away by the next making."""
    old, new = tmp_path / ".new-old", tmp_path / ".new-now"
    for left in (old, new):
        (left / "venv").mkdir(parents=True)
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        make_venv(lock_here(settings), here, settings=settings, folder=tmp_path)
    assert not old.exists()
    assert new.exists(), "it may be somebody's at work"
