"""A Python that mlpack chose is no dead end: where it has no set of packages, the next one is tried."""

from __future__ import annotations

import pytest

from mlpack.errors import ResolveError
from mlpack.packages.settings import PackageSettings
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, binary, serve

__all__ = ["lock_of"]  # a fixture is found by its name in the module

DATE = "2026-01-01T10:00:00Z"
INDEX = (
    *RELEASES,
    Release("modern", "1.0", DATE, requires_python=">=3.12"),
    Release("compiled", "1.0", DATE, (), binary(13)),
    Release("asks", "1.0", DATE, ("compiled",)),
    Release("marked", "1.0", DATE, ("numpy<1.20; python_version < '3.12'",)),
    Release("nowhere", "1.0", DATE, (), binary(8)),
)


@pytest.mark.parametrize(
    ("requirement", "python", "why"),
    [
        ("modern", "3.12", "Python>=3.12"),  # requires-python
        ("compiled", "3.13", "compiled"),  # a wheel for one Python
        ("asks", "3.13", "compiled"),  # the same, of a dependency
        ("marked", "3.12", "numpy"),  # versions that conflict on one Python only
    ],
)
def test_the_next_python_is_tried(lock_of: Resolve, requirement: str, python: str, why: str) -> None:
    """The nearest Python with a set is taken, and one line says why not the default."""
    with serve(INDEX) as index:
        lock = lock_of(sklearn_model("1.9.1"), PackageSettings(index_url=index.url), requirements=(requirement,))
    assert (lock.python, lock.base) == (python, f"python:{python}-slim")
    assert requirement in versions(lock)
    assert lock.reasons[0].startswith(f"Python {python}, because Python 3.11 has no set: ")
    assert why in lock.reasons[0]
    assert "\n" not in lock.reasons[0]


def test_the_users_python_is_kept(lock_of: Resolve) -> None:
    """With `python:` no other is tried."""
    with serve(INDEX) as index, pytest.raises(ResolveError, match=r"no set of packages fits Python 3\.11"):
        lock_of(sklearn_model("1.9.1"), PackageSettings(index_url=index.url), requirements=("modern",), python="3.11")


def test_without_any_python_the_first_failure_is_shown(lock_of: Resolve) -> None:
    """The message is that of the default, the hint lists the others that were tried."""
    with serve(INDEX) as index, pytest.raises(ResolveError, match=r"no set of packages fits Python 3\.11") as caught:
        lock_of(sklearn_model("1.9.1"), PackageSettings(index_url=index.url), requirements=("nowhere",))
    assert "Python 3.12, 3.13 have no set either." in caught.value.hint


def test_an_unknown_name_is_refused_at_once(lock_of: Resolve) -> None:
    """No Python has a package that no index has."""
    with serve(INDEX) as index, pytest.raises(ResolveError, match="no-such-name was not found") as caught:
        lock_of(sklearn_model("1.9.1"), PackageSettings(index_url=index.url), requirements=("no-such-name",))
    assert "either" not in caught.value.hint
