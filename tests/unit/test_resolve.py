"""Resolving against a small real index, with the real uv: the right Python, the right time, kept for the next asking."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import ModelInfo, Requirement
from mlpack.errors import ConfigError, MissingVersionError, MlpackError, PythonTooOldError, ResolveError, UsageError
from mlpack.packages.settings import PackageSettings
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import serve

__all__ = ["lock_of"]  # a fixture is found by its name in the module

NUMPY = Requirement(module="numpy", distribution="numpy")


@pytest.mark.parametrize("shape", ["json", "html"])
def test_companions_are_of_the_frameworks_time_and_the_server_of_today(lock_of: Resolve, shape: str) -> None:
    """scikit-learn 1.2.2 gets numpy 1.24 and scipy 1.10 beside the newest web server, in one lock."""
    with serve(shape=shape) as index:
        lock = lock_of(sklearn_model("1.2.2", NUMPY), PackageSettings(index_url=index.url))
    assert versions(lock) == {
        "h11": "0.16.0", "numpy": "1.24.2", "scikit-learn": "1.2.2", "scipy": "1.10.1", "uvicorn": "0.54.0",
    }  # fmt: skip
    assert (lock.python, lock.base, lock.cutoff) == ("3.11", "python:3.11-slim", "2023-03-23T09:57:10Z")
    assert lock.installer.startswith("uv==0.13.8 \\\n    --hash=sha256:")
    assert lock.local_wheels != ()  # the index is on this machine only, so its wheels must travel


def test_the_text_is_the_same_from_any_index_and_names_no_place(lock_of: Resolve, tmp_path: Path) -> None:
    """Two indexes of different addresses and shapes give the same bytes, with hashes of the target's wheels alone."""
    texts = set()
    for shape in ("json", "html"):
        with serve(shape=shape) as index:
            lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
            texts.add((lock.requirements, lock.installer, lock.reasons))
    ((requirements, installer, _),) = texts
    assert not any(word in requirements + installer for word in ("://", "#", str(tmp_path), "127.0.0.1"))
    assert requirements.count("--hash=") == 5  # one wheel each: those of other Pythons and machines are not in it


@pytest.mark.parametrize(
    ("version", "python", "says"),
    [
        ("1.2.2", "3.11", "the default"),
        ("1.0.2", "3.10", "nearest older"),
        ("0.24.2", "3.9", "nearest older"),
        ("1.9.1", "3.11", "the default"),
    ],
)
def test_the_python_is_the_one_with_wheels(lock_of: Resolve, version: str, python: str, says: str) -> None:
    """3.11 where the recorded version has wheels for it, else the nearest that has; with its reason."""
    with serve() as index:
        lock = lock_of(sklearn_model(version), PackageSettings(index_url=index.url))
    assert lock.python == python
    assert says in lock.reasons[0]
    assert versions(lock)["scikit-learn"] == version


def test_a_newer_python_is_taken_before_an_older(lock_of: Resolve) -> None:
    """A framework with wheels for 3.12 and 3.13 alone runs on 3.12."""
    info = sklearn_model(None, framework="new-kind", framework_version="1.0", requirements=())
    with serve() as index:
        lock = lock_of(info, PackageSettings(index_url=index.url))
    assert lock.python == "3.12"
    assert "nearest newer" in lock.reasons[0]


def test_the_users_python_holds_or_fails(lock_of: Resolve) -> None:
    """`python:` is kept where there are wheels, and refused by name where there are none."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_of(sklearn_model("1.2.2"), settings, python="3.10")
        assert (lock.python, lock.base) == ("3.10", "python:3.10-slim")
        with pytest.raises(
            ResolveError, match=r"Python 3\.13: scikit-learn 1\.2\.2 has wheels for 3\.8, 3\.9, 3\.10, 3\.11"
        ):
            lock_of(sklearn_model("1.2.2"), settings, python="3.13")
        with pytest.raises(PythonTooOldError):
            lock_of(sklearn_model("1.2.2"), settings, python="3.8")


def test_a_python_that_is_gone_is_refused_with_a_remedy(lock_of: Resolve) -> None:
    """Only Pythons before 3.9: exit 4, the versions, and the next release that has an image."""
    with serve() as index, pytest.raises(PythonTooOldError) as caught:
        lock_of(sklearn_model("0.23.1"), PackageSettings(index_url=index.url))
    assert "scikit-learn 0.23.1 has wheels for Python 3.6, 3.7, 3.8 only" in caught.value.message
    assert "--framework scikit-learn==0.24.2" in caught.value.hint
    assert caught.value.exit == 4


def test_the_other_platform_gets_its_own_wheels(lock_of: Resolve) -> None:
    """The same versions for arm64, with other hashes; an unknown platform is a usage error."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        amd, arm = (lock_of(sklearn_model("1.2.2"), settings, platform=name) for name in ("linux/amd64", "linux/arm64"))
        with pytest.raises(UsageError):
            lock_of(sklearn_model("1.2.2"), settings, platform="windows/amd64")
    assert versions(amd) == versions(arm)
    assert amd.requirements != arm.requirements
    assert all("x86_64" in wheel.filename or "-any" in wheel.filename for wheel in amd.local_wheels)


def test_the_users_words_are_kept(lock_of: Resolve) -> None:
    """A pinned requirement has its version whatever its date, an unpinned one the time's; --framework and base win."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        assert versions(lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas==2.2.*",)))["pandas"] == "2.2.3"
        assert versions(lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas",)))["pandas"] == "1.5.3"
        lock = lock_of(
            sklearn_model("0.23.1"), settings, framework="scikit-learn==0.24.2", base="mine:1", apt=("curl",)
        )
        assert (versions(lock)["scikit-learn"], lock.base, lock.apt) == ("0.24.2", "mine:1", ("curl",))
        with pytest.raises(ConfigError):
            lock_of(sklearn_model("1.2.2"), settings, requirements=("--index-url https://evil.example",))


def test_a_requirement_of_later_is_taken_and_told(lock_of: Resolve) -> None:
    """What did not exist at the framework's time is today's, and the reasons say which."""
    with serve() as index:
        lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=("late-comer",))
    assert (versions(lock)["late-comer"], versions(lock)["numpy"]) == ("1.0", "1.24.2")
    assert any("late-comer" in reason for reason in lock.reasons)


def test_numpy_follows_the_file(lock_of: Resolve) -> None:
    """A file that numpy 1 wrote gets numpy 1 from a framework that takes either."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        assert versions(lock_of(sklearn_model("1.9.1", NUMPY, numpy_major=1), settings))["numpy"] == "1.26.4"
        assert versions(lock_of(sklearn_model("1.9.1", NUMPY, numpy_major=2), settings))["numpy"] == "2.4.6"


def test_with_a_lock_in_place_nothing_is_asked(lock_of: Resolve) -> None:
    """The same question again asks neither index nor registry; another question and --refresh do."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        first = lock_of(sklearn_model("1.2.2"), settings, digest="sha256:" + "1" * 64)
        asked = len(index.requests)
        again = lock_of(sklearn_model("1.2.2"), settings, digest="sha256:" + "2" * 64)
        assert (again, len(index.requests)) == (first, asked)
        lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas",))
        assert len(index.requests) > asked
        assert lock_of(sklearn_model("1.2.2"), settings, digest=None, refresh=True).base_digest is None


def test_locks_made_at_once_are_the_same(lock_of: Resolve) -> None:
    """Several at the same cache do not trip over each other."""
    with serve() as index, ThreadPoolExecutor() as pool:
        settings = PackageSettings(index_url=index.url)
        locks = list(pool.map(lambda _: lock_of(sklearn_model("1.2.2"), settings), range(4)))
    assert all(lock == locks[0] for lock in locks)


@pytest.mark.parametrize(
    ("info", "options", "message"),
    [
        (sklearn_model("1.2.99"), {}, "scikit-learn 1.2.99 is not on the package index"),
        (sklearn_model("1.2.2\n--index-url http://evil"), {}, "as the version of scikit-learn"),
        (sklearn_model("1.2.2"), {"requirements": ("scipy==1.17.1",)}, "scipy==1.17.1"),
        (sklearn_model("1.2.2"), {"requirements": ("no-such-package",)}, "no-such-package was not found"),
    ],
)
def test_a_set_that_is_not_there_names_what_does_not_fit(
    lock_of: Resolve, info: ModelInfo, options: dict[str, Any], message: str
) -> None:
    """Exit 4, the package that stands in the way, and something to do."""
    with serve() as index, pytest.raises(ResolveError) as caught:
        lock_of(info, PackageSettings(index_url=index.url), **options)
    assert message in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 600


def test_a_file_without_a_version_is_not_guessed(lock_of: Resolve) -> None:
    """Nobody tells the version: it is asked for; with --framework it works."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        with pytest.raises(MissingVersionError) as caught:
            lock_of(sklearn_model(None), settings)
        assert "--framework scikit-learn==VERSION" in caught.value.hint
        assert (
            versions(lock_of(sklearn_model(None), settings, framework="scikit-learn==1.2.2"))["scikit-learn"] == "1.2.2"
        )
        with pytest.raises(MlpackError, match="has no version"):
            lock_of(sklearn_model(None), settings, framework="scikit-learn")
